"""A small XML document as names and texts, with everything refused that makes XML dangerous.

No document type, no entities, few elements, little depth, short texts. Names come in lower case, without
namespace prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from drivers.events import DecodeError

MAX_BYTES: Final = 16_384
MAX_ELEMENTS: Final = 200
MAX_DEPTH: Final = 4
MAX_TEXT: Final = 1_000
ENCODINGS: Final = ("utf-8", "us-ascii", "iso-8859-1", "latin-1", "")


@dataclass(slots=True)
class Element:
    """One element: its name, its own text, its children in order."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def texts(self, name: str) -> list[str]:
        """The trimmed texts of the children of that name."""
        return [child.text.strip() for child in self.children if child.name == name]


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._path: list[Element] = []
        self._count = 0

    def begin(self, name: str, _attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._path) >= MAX_DEPTH:
            raise DecodeError(f"a message has at most {MAX_ELEMENTS} elements in {MAX_DEPTH} levels")
        element = Element(name.rpartition(":")[2].lower())
        if self._path:
            self._path[-1].children.append(element)
        else:
            self.root = element
        self._path.append(element)

    def end(self, _name: str) -> None:
        self._path.pop()

    def text(self, text: str) -> None:
        element = self._path[-1]
        element.text += text
        if len(element.text) > MAX_TEXT:
            raise DecodeError(f"element {element.name} is longer than {MAX_TEXT} characters")

    def refuse(self, *_: object) -> None:
        raise DecodeError("a document type or entity is not accepted in a message")

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if (encoding or "").lower() not in ENCODINGS:
            raise DecodeError(f"expected UTF-8 or ISO 8859-1, got the encoding {encoding!r:.40}")


def read_xml(raw: bytes) -> Element:
    """Read a document. Raises DecodeError for anything else than a small, plain one."""
    if len(raw) > MAX_BYTES:
        raise DecodeError(f"a message has at most {MAX_BYTES} bytes, this one has {len(raw)}")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DecodeError("expected UTF-8 or ISO 8859-1, got UTF-16")
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.begin
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.XmlDeclHandler = builder.declaration
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as wrong:
        raise DecodeError(f"this is no XML: {wrong}") from None
    except ValueError as wrong:
        raise wrong if isinstance(wrong, DecodeError) else DecodeError(f"this is no XML: {wrong}") from None
    assert builder.root is not None
    return builder.root
