"""SCAIP (SS 91100:2014, basis of CLC/TS 50134-9): alarm requests `mrq` and responses `mrs`, without I/O.

Read leniently, written strictly: elements come in any order, codes with or without leading zeros, unknown
elements are ignored and unknown codes kept. The standards are sold; this follows implementations, and
conformance is unverified.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from xml.sax.saxutils import escape

from drivers.events import DecodeError
from drivers.protocols.flat_xml import Element, read_xml

CONTENT_TYPE: Final = "application/scaip+xml"

OK, TOO_LONG, BAD_FORMAT, BAD_CONTENT, HOLD, NOT_TREATED, BUSY, TAG_MISSING = range(8)
"""Status numbers (`snu`) of a response."""
UNDEFINED: Final = 99

MessageType: TypeAlias = Literal["ME", "RE", "IN", "PI"]
"""Message, reset, information, heartbeat."""

MESSAGE_TYPES: Final[Mapping[str, MessageType]] = {"ME": "ME", "RE": "RE", "IN": "IN", "PI": "PI"}

CANCEL: Final = 19
MANUAL_ALARM: Final = 10


class ScaipError(DecodeError):
    """A request that cannot be treated. snu: what to answer. ref: to which request, where that is known."""

    def __init__(self, says: str, snu: int, ref: str = "") -> None:
        super().__init__(says)
        self.snu = snu
        self.ref = ref


@dataclass(frozen=True, slots=True)
class Request:
    """One alarm request. Codes are numbers; `crd` holds the caller ids as sent; texts are empty where absent."""

    ref: str
    cid: str
    dty: int
    mty: MessageType = "ME"
    stc: int = MANUAL_ALARM
    lco: int = 0
    did: str = ""
    dco: int = 0
    hbo: int = 0
    crd: tuple[str, ...] = ()
    dte: str = ""
    stt: str = ""
    lte: str = ""
    ite: str = ""

    @property
    def text(self) -> str:
        """What the unit writes for people."""
        return " ".join(text for text in (self.dte, self.stt, self.lte, self.ite) if text)

    @property
    def callable(self) -> bool:
        """Whether the unit can be spoken to: a `crd` with something to call, or none at all (then by SIP)."""
        if not self.crd:
            return True
        return any(_usable(one) for one in self.crd)


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request. mre: 0 no voice, 1 duplex. cre: 62 and tnu: whom the unit shall call."""

    ref: str
    snu: int = OK
    ste: str = ""
    mre: int | None = None
    cre: int | None = None
    tnu: str = ""
    hbi: int | None = None


def read_request(raw: bytes, *, wrapped: bool = False) -> Request:
    """Read an `mrq`. wrapped: accept it inside a root `scaip` too. Raises ScaipError with the answer to give."""
    root = _root(raw, "mrq", wrapped=wrapped)
    ref = _ref(root)
    return Request(
        ref=ref,
        cid=_cid(root, ref),
        dty=_number(root, "dty", ref, digits=4),
        mty=_message_type(root, ref),
        stc=_number(root, "stc", ref, digits=4, default=MANUAL_ALARM),
        lco=_number(root, "lco", ref, digits=3, default=0),
        dco=_number(root, "dco", ref, digits=3, default=0),
        hbo=_number(root, "hbo", ref, digits=3, default=0),
        did=_text(root, "did", 32),
        crd=tuple(root.texts("crd")),
        dte=_text(root, "dte", 64),
        stt=_text(root, "stt", 64),
        lte=_text(root, "lte", 64),
        ite=_text(root, "ite", 256),
    )


def read_response(raw: bytes) -> Response:
    """Read an `mrs`. Raises ScaipError."""
    root = _root(raw, "mrs", wrapped=False)
    ref = _ref(root)
    return Response(
        ref=ref,
        snu=_number(root, "snu", ref, digits=2),
        ste=_text(root, "ste", 128),
        mre=_optional(root, "mre", ref, digits=2),
        cre=_number(root, "cre", ref, digits=2, default=0) or None,
        tnu=_text(root, "tnu", 256),
        hbi=_optional(root, "hbi", ref, digits=1),
    )


def write_request(request: Request) -> bytes:
    """Write an `mrq` in the standard's own forms. Raises ScaipError for what those forms cannot hold."""
    if not re.fullmatch(r"[A-Za-z0-9]{1,16}", request.ref):
        raise ScaipError(f"ref is 1 to 16 letters and digits, not {request.ref!r:.40}", BAD_FORMAT)
    if not re.fullmatch(r"[0-9]{1,16}", request.cid):
        raise ScaipError(f"cid is 1 to 16 digits, not {request.cid!r:.40}", BAD_FORMAT)
    for name, limit in (("did", 8), ("dte", 32), ("stt", 32), ("lte", 32), ("ite", 128)):
        if len(getattr(request, name)) > limit:
            raise ScaipError(f"{name} has at most {limit} characters", TOO_LONG)
    fields = [("ref", request.ref), ("ver", "01.00"), ("cid", request.cid), ("dty", f"{request.dty:04d}")]
    fields += [("mty", request.mty), ("stc", f"{request.stc:04d}"), ("lco", f"{request.lco:03d}")]
    fields += [("did", request.did), ("dte", request.dte), ("stt", request.stt), ("lte", request.lte)]
    fields += [("ite", request.ite), *(("crd", one) for one in request.crd)]
    return _write("mrq", [(name, text) for name, text in fields if text])


def write_response(response: Response) -> bytes:
    """Write an `mrs`."""
    fields = [("ref", response.ref[:16]), ("snu", str(response.snu)), ("cve", "01.00")]
    fields += [("ste", response.ste[:128])] if response.ste else []
    fields += [("mre", str(response.mre))] if response.mre is not None else []
    fields += [("cre", str(response.cre))] if response.cre is not None else []
    fields += [("tnu", response.tnu[:256])] if response.tnu else []
    fields += [("hbi", str(response.hbi))] if response.hbi is not None else []
    return _write("mrs", fields)


def plain_cid(text: str) -> str:
    """A controller id as it is compared: without the spaces and the `+` that some units put before it."""
    return text.strip().lstrip("+").strip()


def _usable(crd: str) -> bool:
    """`sip:` alone means "as this message came"; `gsm:` and `tel:` need a number; `no-voice:` says no."""
    scheme, _, rest = crd.partition(":")
    scheme = scheme.strip().lower()
    return scheme == "sip" or (scheme in ("gsm", "tel") and bool(rest.strip(" +")))


def _root(raw: bytes, name: str, *, wrapped: bool) -> Element:
    try:
        root = read_xml(raw)
    except DecodeError as wrong:
        raise ScaipError(str(wrong), BAD_FORMAT) from None
    if wrapped and root.name == "scaip" and len(root.children) == 1:
        root = root.children[0]
    if root.name != name:
        raise ScaipError(f"expected a message {name}, got {root.name!r:.40}", BAD_FORMAT)
    return root


def _ref(root: Element) -> str:
    ref = next(iter(root.texts("ref")), "")
    if not ref:
        raise ScaipError("the mandatory element ref is missing", TAG_MISSING)
    if len(ref) > 64 or not ref.isprintable():
        raise ScaipError(f"ref is up to 16 letters and digits, not {ref!r:.80}", TOO_LONG, ref[:16])
    return ref


def _cid(root: Element, ref: str) -> str:
    cid = plain_cid(next(iter(root.texts("cid")), ""))
    if not cid:
        raise ScaipError("the mandatory element cid is missing", TAG_MISSING, ref)
    if not re.fullmatch(r"[0-9]{1,32}", cid):
        raise ScaipError(f"cid is 1 to 16 digits, not {cid!r:.40}", BAD_FORMAT, ref)
    return cid


def _number(root: Element, name: str, ref: str, *, digits: int, default: int | None = None) -> int:
    text = next(iter(root.texts(name)), "")
    if not text:
        if default is None:
            raise ScaipError(f"the mandatory element {name} is missing", TAG_MISSING, ref)
        return default
    if not re.fullmatch(r"[0-9]+", text):
        raise ScaipError(f"{name} is a number, not {text!r:.40}", BAD_FORMAT, ref)
    if len(text.lstrip("0")) > digits:
        raise ScaipError(f"{name} has at most {digits} digits, got {text[:20]}", TOO_LONG, ref)
    return int(text)


def _optional(root: Element, name: str, ref: str, *, digits: int) -> int | None:
    """A number that need not be there; then nothing is made up for it."""
    return _number(root, name, ref, digits=digits) if any(root.texts(name)) else None


def _message_type(root: Element, ref: str) -> MessageType:
    text = next(iter(root.texts("mty")), "").upper() or "ME"
    if text not in MESSAGE_TYPES:
        raise ScaipError(f"mty is ME, RE, IN or PI, not {text!r:.20}", BAD_CONTENT, ref)
    return MESSAGE_TYPES[text]


def _text(root: Element, name: str, limit: int) -> str:
    """A text for people. Too long a one is cut: it must not cost the alarm."""
    return next(iter(root.texts(name)), "")[:limit]


def _write(root: str, fields: Iterable[tuple[str, str]]) -> bytes:
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields)
    return f"<{root}>{inner}</{root}>".encode()
