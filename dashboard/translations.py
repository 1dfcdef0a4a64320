"""The catalogue of translations: `python -m dashboard.translations check|update`.

`update` reads every text out of templates and code and merges it into each language's `messages.po`; `check`
says which texts are missing, untranslated, doubtful or no longer used. A test runs the same check.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from dashboard.look.words import LOCALE

PACKAGE = Path(__file__).parent
LANGUAGES = ("nb",)
"""Those with a catalogue; English is the language of the code."""

TEMPLATES = [("**.html", "jinja2")]
OPTIONS = {"**.html": {"extensions": "jinja2.ext.i18n"}}
IN_TEMPLATES: dict[str, tuple[int, ...] | None] = {"_": None, "gettext": None, "ngettext": (1, 2)}
IN_CODE = {"mark": (0,), "say": (1,), "say_many": (1, 2)}
"""Function → which of its arguments are texts."""


def extracted() -> Catalog:
    """Every text of templates and code."""
    found = Catalog(fuzzy=False)
    for _file, _line, text, _comments, _context in extract_from_dir(
        PACKAGE / "templates", TEMPLATES, OPTIONS, IN_TEMPLATES
    ):
        found.add(text)
    for path in sorted(PACKAGE.rglob("*.py")):
        for text in texts_in(ast.parse(path.read_text(encoding="utf-8"))):
            found.add(text)
    return found


def texts_in(tree: ast.AST) -> Iterator[str | tuple[str, ...]]:
    """The texts of one file's calls of `mark`, `say` and `say_many`, wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IN_CODE:
            places = IN_CODE[node.func.id]
            given = [node.args[place] for place in places if place < len(node.args)]
            texts = tuple(
                arg.value for arg in given if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            )
            if len(texts) == len(places):
                yield texts if len(texts) > 1 else texts[0]


def path_of(language: str) -> Path:
    """Where a language's catalogue lies."""
    return LOCALE / language / "messages.po"


def load(language: str) -> Catalog:
    """Read a language's catalogue; an empty one if there is none yet."""
    path = path_of(language)
    if not path.is_file():
        return Catalog(locale=language, fuzzy=False)
    with path.open("rb") as lines:
        return read_po(lines, locale=language)


def problems(language: str) -> Iterator[str]:
    """One sentence for each text that is not properly translated."""
    known, wanted = load(language), extracted()
    for message in wanted:
        if not message.id:
            continue
        own = known.get(message.id if isinstance(message.id, str) else message.id[0])
        if own is None:
            yield f"{language}: {_shown(message)} is missing"
        elif own.fuzzy or not _complete(own):
            yield f"{language}: {_shown(message)} is not translated"
        else:
            yield from (f"{language}: {_shown(message)}: {wrong}" for wrong in own.check(known))
    used = {_key(message) for message in wanted}
    for message in known:
        if message.id and _key(message) not in used:
            yield f"{language}: {_shown(message)} is no longer used"


def update(language: str) -> None:
    """Merge the texts of templates and code into a language's catalogue; translations stay."""
    known = load(language)
    known.update(extracted(), no_fuzzy_matching=True)
    known.obsolete.clear()
    content = BytesIO()
    write_po(content, known, width=110, omit_header=False, no_location=True, sort_output=True)
    path_of(language).parent.mkdir(parents=True, exist_ok=True)
    path_of(language).write_bytes(_without_dates(content.getvalue()))


def _without_dates(content: bytes) -> bytes:
    dated = (
        b'"POT-Creation-Date',
        b'"PO-Revision-Date',
        b'"Generated-By',
        b"# ",
        b'"Last-Translator',
        b'"Language-Team',
        b'"Project',
        b'"Report',
    )
    return b"\n".join(line for line in content.split(b"\n") if not line.startswith(dated))


def _key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _shown(message: Message) -> str:
    return f"{_key(message)!r:.80}"


def _complete(message: Message) -> bool:
    forms = message.string if isinstance(message.string, list | tuple) else [message.string]
    return all(forms)


def main(words: list[str]) -> int:
    """`check` (default) or `update`; the exit code is 1 when something is left to translate."""
    if words == ["update"]:
        for language in LANGUAGES:
            update(language)
    elif words not in ([], ["check"]):
        print(f"say check or update, not {' '.join(words)}", file=sys.stderr)
        return 2
    found = [problem for language in LANGUAGES for problem in problems(language)]
    print("\n".join(found) or "every text is translated")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
