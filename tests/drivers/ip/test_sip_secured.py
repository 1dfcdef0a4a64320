"""SCAIP with passwords (digest) and under TLS, on real sockets, with certificates made for the test."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.device_type import Outgoing
from drivers.events import Frame
from drivers.links.ip_lines import sip_line
from drivers.links.link import LinkDown, Receipt
from drivers.links.sip import SipLink
from drivers.links.sip_settings import SipSettings
from drivers.links.sip_ways import TlsPort
from drivers.protocols.scaip import CONTENT_TYPE, Request, write_request
from drivers.protocols.sip_digest import FRESH_FOR, Gatekeeper, answer, best, read_digest
from hub.clock import ManualClock
from simulators.ip.scaip import ScaipReceiver, ScaipUnit, digest, element
from tests.ports import free_port

CID = "1000200030"
PASSWORDS = {CID: "løvetann 7"}

MakeCertificate = Callable[..., ssl.SSLContext]
ServerContext = Callable[[Path], ssl.SSLContext]


@asynccontextmanager
async def listening(frames: list[Frame], **options: Any) -> AsyncIterator[SipLink]:
    """A link on loopback whose frames are written down."""

    async def hear(frame: Frame) -> Receipt:
        frames.append(frame)
        return Receipt(accepted=True)

    settings = SipSettings(**options.pop("settings", {}))
    link = SipLink("127.0.0.1", free_port(), ManualClock().now, settings, **options)
    task = asyncio.create_task(link.run(hear))
    await asyncio.wait_for(link.listening.wait(), 30)
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def unit_at(port: int, **options: Any) -> AsyncIterator[ScaipUnit]:
    """A care phone."""
    unit = ScaipUnit(options.pop("cid", CID), ("127.0.0.1", port), first_repeat=5.0, **options)
    await unit.start()
    try:
        yield unit
    finally:
        await unit.stop()


def test_the_standards_own_examples_give_the_standards_answers() -> None:
    """RFC 7616, 3.9.1: both algorithms, the same user, nonce and request."""
    common = (
        'realm="http-auth@example.org", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", qop="auth, auth-int"'
    )
    right = {
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    }
    for algorithm, response in right.items():
        challenge = read_digest(f"Digest {common}, algorithm={algorithm}")
        assert challenge is not None
        said = answer(
            challenge,
            "Mufasa",
            "Circle of Life",
            "GET",
            "/dir/index.html",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )
        assert f'response="{response}"' in said
        assert 'opaque="FQhe' in said


def test_the_stronger_challenge_is_answered_and_unknown_ones_are_left() -> None:
    """SHA-256 before MD5; what we do not know is no challenge for us."""
    headers = ['Digest realm="a", nonce="1"', 'Digest realm="a", nonce="2", algorithm=SHA-256', "Basic x"]
    chosen = best(headers)
    assert chosen is not None
    assert chosen.get("nonce") == "2"
    assert best(["Basic x", 'Digest realm="a", nonce="1", algorithm=SHA-512-256']) is None


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_proof_counts_for_its_user_its_password_and_its_minute(algorithm: str) -> None:
    """Another user, another password, an old or an invented challenge let nobody in."""
    gate = Gatekeeper(algorithm=algorithm)
    proof = digest(gate.challenge(100.0), CID, "secret", "sip:x")
    assert gate.lets_in(proof, CID, "secret", "MESSAGE", 101.0)
    assert not gate.lets_in(proof, "999", "secret", "MESSAGE", 101.0)
    assert not gate.lets_in(proof, CID, "other", "MESSAGE", 101.0)
    assert not gate.lets_in(proof, CID, "secret", "MESSAGE", 101.0 + FRESH_FOR)
    assert not Gatekeeper(algorithm=algorithm).lets_in(proof, CID, "secret", "MESSAGE", 101.0)


def test_a_challenge_of_any_millisecond_can_be_answered() -> None:
    """A float's rounding makes no challenge that nobody could ever answer."""
    gate = Gatekeeper()
    refused = [
        number
        for number in range(2000)
        if not gate.lets_in(
            digest(gate.challenge(number / 1000 + 0.0005), CID, "secret", "sip:x"),
            CID,
            "secret",
            "MESSAGE",
            2.0,
        )
    ]
    assert refused == []


@pytest.mark.parametrize(
    "header", ["", "Digest", "Digest x", 'Digest username="', "Basic eDp5", "Digest " + "," * 9000]
)
def test_no_header_upsets_the_gate(header: str) -> None:
    """Whatever stands there, nobody comes in."""
    assert not Gatekeeper().lets_in(header, CID, "secret", "MESSAGE", 0.0)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_unit_with_a_password_proves_it(transport: str, algorithm: str) -> None:
    """Refused once, asked, proved, written down, acknowledged."""
    frames: list[Frame] = []
    async with (
        listening(frames, passwords=PASSWORDS, settings={"digest": algorithm}) as link,
        unit_at(link.port, transport=transport, password=PASSWORDS[CID]) as unit,
    ):
        alarm = await unit.alarm()
        assert element(await asyncio.wait_for(alarm.reply, 30), "snu") == "0"
        assert unit.answers[:2] == [401, 200]
    assert [(frame.address, frame.channel) for frame in frames] == [(CID, CONTENT_TYPE)]


@pytest.mark.parametrize(("password", "channels"), [("", []), ("wrong", ["unreadable"])])
async def test_a_unit_that_cannot_prove_it_raises_no_alarm(password: str, channels: list[str]) -> None:
    """Without proof nothing is taken; a wrong proof is in the journal, since it may be a unit set up wrongly."""
    frames: list[Frame] = []
    async with listening(frames, passwords=PASSWORDS) as link, unit_at(link.port, password=password) as unit:
        assert not (await unit.alarm()).reply.done()
        assert set(unit.answers) == {401}
        assert link.health().counters.get("wrong_passwords", 0) == len(channels)
    assert [frame.channel for frame in frames] == channels


async def test_a_unit_without_a_password_is_not_asked(make_certificate: MakeCertificate) -> None:
    """Beside one that has: old units go on as they are."""
    frames: list[Frame] = []
    async with listening(frames, passwords=PASSWORDS) as link, unit_at(link.port, cid="1000200031") as unit:
        await asyncio.wait_for((await unit.alarm()).reply, 30)
    assert len(frames) == 1


async def test_under_tls_an_alarm_is_taken_and_acknowledged(
    tmp_path: Path, make_certificate: MakeCertificate, server_context: ServerContext
) -> None:
    """On the port beside, with a certificate; UDP and TCP stay."""
    frames: list[Frame] = []
    trust = make_certificate(tmp_path)
    tls = TlsPort(0, server_context(tmp_path / "sip.pem"))
    async with listening(frames, tls=tls) as link:
        assert link.tls is not None
        async with unit_at(link.tls.port, transport="TLS", trust=trust) as unit:
            unit.faults.split = True
            await asyncio.wait_for((await unit.alarm()).reply, 30)
        async with unit_at(link.port) as unit:
            await asyncio.wait_for((await unit.alarm(ref="77")).reply, 30)
    assert len(frames) == 2


async def test_whoever_speaks_in_clear_to_the_tls_port_disturbs_nobody(
    tmp_path: Path, make_certificate: MakeCertificate, server_context: ServerContext
) -> None:
    """A failed handshake is one connection lost, no more."""
    frames: list[Frame] = []
    trust = make_certificate(tmp_path)
    async with listening(frames, tls=TlsPort(0, server_context(tmp_path / "sip.pem"))) as link:
        assert link.tls is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", link.tls.port)
        writer.write(b"MESSAGE sip:x SIP/2.0\r\n\r\n")
        await asyncio.wait_for(reader.read(), 30)
        writer.close()
        async with unit_at(link.tls.port, transport="TLS", trust=trust) as unit:
            await asyncio.wait_for((await unit.alarm()).reply, 30)
    assert len(frames) == 1


async def test_a_receiver_under_tls_is_believed_by_its_certificate_only(
    tmp_path: Path, make_certificate: MakeCertificate, server_context: ServerContext
) -> None:
    """We send under TLS to whom we trust, and to nobody else."""
    trust = make_certificate(tmp_path)
    receiver = ScaipReceiver(tls=server_context(tmp_path / "sip.pem"))
    port = await receiver.start(free_port())
    out = Outgoing(CONTENT_TYPE, write_request(Request("R1", CID, 3)), wait=5_000)
    try:
        async with listening([], trust=trust) as link:
            await link.send(f"sips:arc@127.0.0.1:{port}", out)
        assert element(receiver.alarms[0], "ref") == "R1"
        async with listening([]) as link:
            with pytest.raises(LinkDown, match="could not be trusted"):
                await link.send(f"sip:arc@127.0.0.1:{port};transport=tls", out)
    finally:
        await receiver.stop()


@pytest.mark.parametrize(("ours", "taken"), [("løvetann 7", True), ("wrong", False), ("", False)])
async def test_a_receiver_that_asks_gets_our_password(ours: str, *, taken: bool) -> None:
    """Asked once, proved once; a wrong password is the end of it, said in a sentence."""
    receiver = ScaipReceiver(asks_for="løvetann 7")
    port = await receiver.start(free_port())
    out = Outgoing(CONTENT_TYPE, write_request(Request("R1", CID, 3)), wait=5_000)
    try:
        async with listening([], settings={"own_password": ours}) as link:
            if taken:
                await link.send(f"sip:arc@127.0.0.1:{port};transport=tcp", out)
                assert link.health().counters["challenges"] == 1
            else:
                with pytest.raises(LinkDown, match="answered 401"):
                    await link.send(f"sip:arc@127.0.0.1:{port}", out)
        assert bool(receiver.alarms) is taken
    finally:
        await receiver.stop()


def test_the_registry_opens_a_tls_port(tmp_path: Path, make_certificate: MakeCertificate) -> None:
    """By a certificate of the secrets folder."""
    make_certificate(tmp_path)
    settings = {"listen": "127.0.0.1:5060", "listen_tls": "127.0.0.1:5061", "certificate": "sip.pem"}
    link: Any = sip_line([settings], ManualClock().now, secrets=tmp_path)
    assert link.tls.port == 5061


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"listen_tls": "127.0.0.1:5061"}, "needs certificate"),
        ({"listen_tls": "127.0.0.1:5061", "certificate": "../sip.pem"}, "needs certificate"),
        ({"listen_tls": "127.0.0.1:5061", "certificate": "none.pem"}, "No such file"),
        ({"listen_tls": "127.0.0.1:5061", "certificate": "empty.pem"}, "cannot be used"),
        ({"listen_tls": "0.0.0.0:5061", "certificate": "sip.pem"}, "one host"),
        ({"digest": "ROT13"}, "digest is one of"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(tmp_path: Path, settings: dict[str, str], says: str) -> None:
    """A wrong file name opens nothing."""
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(ValueError, match=says):
        sip_line([settings], ManualClock().now, secrets=tmp_path)
