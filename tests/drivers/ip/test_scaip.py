"""SCAIP messages: read leniently, written strictly, dangerous XML refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.events import DecodeError
from drivers.protocols import sip
from drivers.protocols.scaip import (
    BAD_FORMAT,
    TAG_MISSING,
    Request,
    Response,
    ScaipError,
    read_request,
    read_response,
    write_request,
    write_response,
)

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=32).map(str.strip)
requests = st.builds(
    Request,
    ref=st.from_regex(r"[A-Za-z0-9]{1,16}", fullmatch=True),
    cid=st.from_regex(r"[0-9]{1,16}", fullmatch=True),
    dty=st.integers(0, 9999),
    mty=st.sampled_from(["ME", "RE", "IN", "PI"]),
    stc=st.integers(0, 9999),
    lco=st.integers(0, 999),
    ite=texts,
    dte=texts,
    crd=st.lists(st.sampled_from(["sip:", "gsm:+4799", "no-voice:"]), max_size=2).map(tuple),
)


@given(requests)
def test_a_written_request_reads_back(request: Request) -> None:
    """Whatever an alarm says, it arrives as it was sent."""
    assert read_request(write_request(request)) == request


@given(st.from_regex(r"[A-Za-z0-9]{1,16}", fullmatch=True), st.integers(0, 99), st.integers(0, 3), texts)
def test_a_written_response_reads_back(ref: str, snu: int, mre: int, ste: str) -> None:
    """The acknowledgement too."""
    response = Response(ref, snu, ste, mre, 62, "sip:desk@example.test", 2)
    assert read_response(write_response(response)) == response
    bare = Response(ref, snu)
    assert read_response(write_response(bare)) == bare


@given(st.binary(max_size=300))
def test_any_bytes_raise_nothing_but_the_one_error(raw: bytes) -> None:
    """Noise is refused with a status number to answer."""
    with pytest.raises(ScaipError) as refused:
        read_request(raw)
    assert refused.value.snu == BAD_FORMAT


def test_a_missing_element_is_answered_with_status_seven() -> None:
    """The receiver's answer names the reason in the standard's own number."""
    with pytest.raises(ScaipError, match="dty is missing") as refused:
        read_request(b"<mrq><ref>1</ref><cid>2</cid></mrq>")
    assert (refused.value.snu, refused.value.ref) == (TAG_MISSING, "1")


def test_entities_cannot_swell() -> None:
    """A billion laughs are refused at the document type."""
    bomb = b'<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><mrq><ref>&b;</ref></mrq>'
    with pytest.raises(ScaipError, match="document type or entity"):
        read_request(bomb)


@pytest.mark.parametrize(
    ("crd", "callable_"),
    [((), True), (("sip:",), True), (("gsm:",), False), (("gsm:+",), False), (("no-voice:",), False),
     (("gsm:+4790000000",), True), (("no-voice:", "sip:"), True)],
)  # fmt: skip
def test_a_caller_id_without_a_number_is_no_voice(crd: tuple[str, ...], callable_: bool) -> None:
    """Some units send the scheme alone; that is not an error."""
    assert Request("1", "2", 3, crd=crd).callable is callable_


def test_an_over_long_text_is_cut_and_costs_no_alarm() -> None:
    """A unit that writes too much is still heard."""
    request = read_request(b"<mrq><ref>1</ref><cid>2</cid><dty>3</dty><ite>" + b"x" * 500 + b"</ite></mrq>")
    assert len(request.ite) == 256


@pytest.mark.parametrize("wrong", [{"ref": "a b"}, {"ref": "x" * 17}, {"cid": "abc"}, {"dte": "x" * 33}])
def test_what_the_forms_cannot_hold_is_not_written(wrong: dict[str, str]) -> None:
    """Strict outwards."""
    with pytest.raises(ScaipError):
        write_request(Request(**{"ref": "1", "cid": "2", "dty": 3, **wrong}))  # type: ignore[arg-type]


MESSAGE = (
    b"MESSAGE sip:r@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKab1\r\n"
    b"From: <sip:1000@10.0.0.2>;tag=1\r\nTo: <sip:r@127.0.0.1>\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\n"
    b"Content-Type: application/scaip+xml\r\nContent-Length: 4\r\n\r\nbody"
)


def test_an_answer_repeats_what_names_the_transaction() -> None:
    """Via, From, To, Call-ID and CSeq come back, with a tag of ours."""
    request = sip.parse(MESSAGE)
    assert isinstance(request, sip.Request)
    answer = sip.answer(request, 200, "OK").decode()
    assert answer.startswith("SIP/2.0 200 OK\r\n")
    assert "branch=z9hG4bKab1" in answer
    assert "To: <sip:r@127.0.0.1>;tag=" in answer


@pytest.mark.parametrize(
    ("header", "user"),
    [("<sip:1000@h>", "1000"), ('"Unit 7" <sip:+47123@h:5060>;tag=x', "+47123"), ("sip:1000@h", "1000"),
     ("<tel:+4799>", "+4799"), ("<sip:host>", ""), ("rubbish", "")],
)  # fmt: skip
def test_the_user_of_a_header_is_found_in_every_form(header: str, user: str) -> None:
    """Units write their own name in many ways."""
    assert sip.user_of(header) == user


@given(st.integers(1, 40))
def test_a_stream_cut_anywhere_gives_the_same_messages(step: int) -> None:
    """Joined and split segments are the same messages; empty lines are not."""
    stream = b"\r\n\r\n" + MESSAGE + MESSAGE + b"\r\n"
    framer, found = sip.Framer(), []
    for at in range(0, len(stream), step):
        found += framer.feed(stream[at : at + step])
    assert found == [MESSAGE, MESSAGE]


@pytest.mark.parametrize("head", [b"MESSAGE x SIP/2.0\r\nA: b\r\n\r\n", b"l: 999999\r\n\r\n", b"x" * 70_000])
def test_a_stream_that_cannot_be_followed_is_given_up(head: bytes) -> None:
    """No length, an absurd length, no end: one sentence, bounded memory."""
    with pytest.raises(sip.SipError):
        sip.Framer().feed(head)


@given(st.binary(max_size=300))
def test_any_bytes_are_sip_or_the_one_error(raw: bytes) -> None:
    """No noise brings the listener down."""
    for data in (raw, MESSAGE[: len(raw)] + raw):
        try:
            message = sip.parse(data)
        except DecodeError:
            continue
        assert sip.transaction(message)


def test_a_repeated_request_finds_its_answer_for_a_while() -> None:
    """Within 32 seconds the same transaction gets the same bytes."""
    answers = sip.Answers(keep=2)
    key = ("b", "h", "MESSAGE")
    assert answers.begin(key, 0.0) is None
    assert answers.begin(key, 0.1) == b""
    answers.finish(key, b"200")
    assert answers.begin(key, 31.0) == b"200"
    assert answers.begin(key, 33.0) is None
    answers.forget(key)
    assert answers.begin(key, 33.1) is None
