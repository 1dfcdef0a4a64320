"""The registry goes in, comes out the same, and reaches the gateways."""

from __future__ import annotations

import pytest
import yaml
from sqlmodel import col, select

from hub.centre import audit
from hub.registry.check import check
from hub.registry.exporting import NothingStoredError, as_yaml, export
from hub.registry.importing import import_file
from hub.registry.models import GatewayPart
from hub.registry.part import PartTooLargeError, part_in, part_of
from hub.store.centre_tables import Assignment, Audit, Chain, Device, Home, Shift


async def bring_in(store, text: str, now: int = 1):
    """Import a file."""
    checked = check(text)
    assert checked.registry is not None, checked.problems
    async with store.writing() as session:
        return await import_file(session, checked.registry, by="console", now=now)


async def rows(store, table, *order):
    """All rows of a table."""
    async with store.reading() as session:
        return (await session.exec(select(table).order_by(*order))).all()


async def test_import_twice(store, file):
    """The same file a second time changes nothing and leaves no trace in the trail."""
    first = await bring_in(store, file)
    assert "device lock-1" in first.added
    before = len(await rows(store, Audit))
    assert (await bring_in(store, file)).nothing
    assert len(await rows(store, Audit)) == before


async def test_export_is_the_file(store, file):
    """What is exported means the same as what was imported, and importing it changes nothing."""
    await bring_in(store, file)
    async with store.reading() as session:
        text = as_yaml(await export(session))
    assert check(text).registry == check(file).registry
    assert (await bring_in(store, text)).nothing


async def test_nothing_to_export(store):
    """An empty centre has nothing to export, and says so."""
    async with store.reading() as session:
        with pytest.raises(NothingStoredError):
            await export(session)


async def test_a_change_is_audited_by_column(store, file):
    """A changed row is one row of the trail that names the columns and not their contents."""
    await bring_in(store, file)
    outcome = await bring_in(store, file.replace("Storgata 1", "Storgata 3"), now=2)
    assert outcome.changed == ["home h1"]
    newest = (await rows(store, Audit, col(Audit.seq)))[-1]
    assert (newest.action, newest.subject, newest.data) == (
        "registry.import",
        "home h1",
        {"columns": ["address"]},
    )
    async with store.reading() as session:
        assert (await audit.verify(session)).broken is None


async def test_a_device_moves(store, file):
    """A device that moves keeps its past: the old assignment ends where the new one begins."""
    await bring_in(store, file)
    moved = file.replace(
        "lock-1:\n    {home: h1, class: lock, type: native_lock, link: mqtt, address: h1/lock-1, room: gang,\n    "
        " since: 2026-01-02T09:00:00+01:00}",
        "lock-1:\n    {home: h2, class: lock, type: native_lock, link: mqtt, address: h2/lock-1,"
        " since: 2026-03-01T00:00:00Z}",
    )
    assert moved != file
    await bring_in(store, moved, now=2)
    stays = [row for row in await rows(store, Assignment, col(Assignment.since)) if row.device == "lock-1"]
    assert [(row.home, row.until) for row in stays] == [("h1", stays[1].since), ("h2", None)]
    assert (await rows(store, Device))[0].home == "h2"


async def test_what_a_file_does_not_name_stays(store, file):
    """An import adds and changes; it takes nothing away that the file does not name."""
    await bring_in(store, file)
    told = yaml.safe_load(file)
    del told["homes"]["h2"]
    told["since"] = None
    del told["since"]
    await bring_in(store, yaml.safe_dump(told))
    assert [home.id for home in await rows(store, Home, col(Home.id))] == ["h1", "h2"]


async def test_a_rota_is_replaced(store, file):
    """A team's rota is the file's."""
    await bring_in(store, file)
    changed = file.replace("staff: eva, duty: nurse", "staff: nils, duty: nurse")
    outcome = await bring_in(store, changed)
    assert outcome.changed == ["rota team-nord"]
    assert [shift.staff for shift in await rows(store, Shift)] == ["nils", "nils"]


async def test_chains_are_seconds(store, file):
    """A chain's spans are stored as seconds."""
    await bring_in(store, file)
    (chain,) = await rows(store, Chain)
    assert chain.steps == [
        {"after": 0, "tell": "nurse on duty"},
        {"after": 5400, "tell": "alarm centre"},
    ]


async def test_the_gateways_part(store, file):
    """A gateway gets its homes, names, parameters and devices, and nothing that only staff need."""
    await bring_in(store, file)
    async with store.reading() as session:
        message = await part_of(session, "gw1")
        again = await part_of(session, "gw1")
    part = GatewayPart.model_validate(message.registry)
    assert (list(part.homes), list(part.residents), sorted(part.devices)) == (
        ["h1"],
        ["astrid"],
        ["lock-1", "pendant-1"],
    )
    assert part.residents["astrid"].parameters == {"dose_time": "60 min", "at_home": True, "limit": 7.5}
    assert again.hash == message.hash
    wire = message.model_dump_json()
    for private in ("4711", "Ring to ganger", "Kari", "Storgata", "Hund", "+47"):
        assert private not in wire


async def test_the_hash_follows_the_content(store, file):
    """Another parameter is another hash; another phone number is not the gateway's business."""
    await bring_in(store, file)
    async with store.reading() as session:
        first = (await part_of(session, "gw1")).hash
    await bring_in(store, file.replace("+4790000009", "+4790000008"))
    async with store.reading() as session:
        assert (await part_of(session, "gw1")).hash == first
    await bring_in(store, file.replace("60 min", "45 min"))
    async with store.reading() as session:
        assert (await part_of(session, "gw1")).hash != first


SAYS = "the part of the registry for the gateway gw1, with 1 home and 2 devices, is 0.0 MiB; a gateway takes at most"


def test_a_part_that_no_message_carries_is_refused_by_the_check(file, monkeypatch):
    """Which gateway, how large, how much it may be: before anything is imported."""
    monkeypatch.setattr("hub.registry.part.LARGEST_PART", 500)
    [problem] = check(file).problems
    assert problem.sentence.startswith(SAYS)
    assert file.splitlines()[problem.line - 1].startswith("gateways:")


async def test_a_part_that_grows_too_large_with_what_was_there_is_refused(store, file, monkeypatch):
    """An import takes nothing away, so a second file may be what is too much; nothing of it stays."""
    checked = check(file)
    monkeypatch.setattr("hub.registry.part.LARGEST_PART", 500)
    with pytest.raises(PartTooLargeError, match=SAYS):
        async with store.writing() as session:
            await import_file(session, checked.registry, by="console", now=1)
    assert await rows(store, Home) == []


async def test_the_file_alone_means_the_part_that_is_sent(store, file):
    """What the check measures is what the centre would publish."""
    await bring_in(store, file)
    async with store.reading() as session:
        assert await part_of(session, "gw1") == part_in(check(file).registry, "gw1")
