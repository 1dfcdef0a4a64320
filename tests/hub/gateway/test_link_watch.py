"""Links that stay down are told, once, by name, and so is their end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drivers.links.link import LinkHealth, LinkState
from hub.clock import ManualClock
from hub.gateway.link_watch import LinkWatch, words_for
from hub.gateway.roll import Roll
from hub.store.writer import Writer


class Links:
    """What a test says of the links, and the watch over them."""

    def __init__(self, writer: Writer, clock: ManualClock, roll: Roll) -> None:
        self.now: dict[str, Any] | None = {}
        self._roll = roll
        self._of = (writer, clock)
        self.seconds = 0.0
        self.watch = self.started()

    def started(self) -> LinkWatch:
        """A watch as after a start of the program."""
        writer, clock = self._of
        return LinkWatch("gw1", writer, clock, lambda: self.now, lambda _lanes: None, lambda: self.seconds)

    def are(self, state: LinkState, *devices: str, name: str = "ble") -> None:
        """A link is so, with these devices behind it."""
        assert self.now is not None
        carried = [self._roll.devices[one] for one in devices]
        self.now[name] = (LinkHealth(state, reason="the adapter went away"), carried)

    async def look(self, minutes: float) -> None:
        """Look every fifteen seconds for so long."""
        for _ in range(round(minutes * 4)):
            await self.watch.look()
            await self._of[1].advance(15)
            self.seconds += 15
        await self.watch.look()


@pytest.fixture
def links(writer: Writer, clock: ManualClock, roll: Roll) -> Links:
    """Links of Astrid's gateway."""
    return Links(writer, clock, roll)


async def test_a_radio_that_stays_down_is_told(links: Links, stored: SimpleNamespace) -> None:
    """After five minutes, once, urgent since Astrid's pendant is behind it, with its name in both languages."""
    links.are("down", "room-1", "pendant-1")
    await links.look(4.5)
    assert stored.bodies("health") == []
    await links.look(60)
    [told] = stored.bodies("health")
    assert (told["what"], told["data"]["urgency"]) == ("link ble", "high")
    assert told["says"] == {
        "nb": "Bluetooth-radioen har vært nede i 5 min. Disse blir ikke hørt: pendant-1 og room-1",
        "en": "The Bluetooth radio has been down for 5 min. These are not heard: pendant-1 and room-1",
    }
    assert "gw1" in told["data"]["staff_action"]["nb"]


async def test_a_link_without_calls_is_less_urgent(links: Links, stored: SimpleNamespace) -> None:
    """A port with a lock behind it is told as moderate; one with no device behind it is not told."""
    links.are("opening", "lock-1", name="serial:door")
    links.are("down", name="mqtt")
    await links.look(6)
    assert [(told["what"], told["data"]["urgency"]) for told in stored.bodies("health")] == [
        ("link serial:door", "moderate")
    ]


async def test_up_again_ends_it(links: Links, stored: SimpleNamespace) -> None:
    """The end is told when the link has been up for a minute, so that one which comes and goes stays one outage."""
    links.are("down", "pendant-1")
    await links.look(6)
    for state in ("up", "down", "up"):
        links.are(state, "pendant-1")
        await links.look(0.5)
    assert len(stored.bodies("health")) == 1
    links.are("degraded", "pendant-1")
    await links.look(1)
    assert [told["data"].get("over", False) for told in stored.bodies("health")] == [False, True]
    links.are("down", "pendant-1")
    await links.look(6)
    assert len(stored.bodies("health")) == 3


async def test_a_short_outage_is_not_told(links: Links, stored: SimpleNamespace) -> None:
    """Four minutes down is nobody's business, neither when it begins nor when it ends."""
    links.are("down", "pendant-1")
    await links.look(4)
    links.are("up", "pendant-1")
    await links.look(10)
    assert stored.bodies("health") == []


async def test_a_restart_neither_forgets_nor_doubles(links: Links, stored: SimpleNamespace) -> None:
    """The outage goes on counting over restarts before it is told, and is not told again by restarts after."""
    links.are("down", "pendant-1")
    await links.look(3)
    for _ in range(4):
        links.watch = links.started()
        links.are("opening", "pendant-1")
        await links.look(1)
    assert len(stored.bodies("health")) == 1
    links.watch = links.started()
    links.are("up", "pendant-1")
    await links.look(1)
    assert stored.bodies("health")[-1]["data"]["over"] is True
    assert stored.rows("SELECT count(*) FROM store_note WHERE name LIKE 'link:%'") == [0]


async def test_a_fast_world_leaves_time_to_start(
    links: Links, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """Where an hour passes in a second, a link still gets its seconds to open before it is called down."""
    links.are("opening", "pendant-1")
    for _ in range(5):
        await links.watch.look()
        await clock.advance(3600)
    assert stored.bodies("health") == []
    links.seconds = 21
    await links.watch.look()
    assert len(stored.bodies("health")) == 1


async def test_a_link_that_is_no_longer_needed_is_over(links: Links, stored: SimpleNamespace) -> None:
    """When its last device leaves the registry the outage ends; before the first registry nothing is concluded."""
    links.are("down", "pendant-1")
    await links.look(6)
    links.now, kept = None, links.now
    await links.look(1)
    assert len(stored.bodies("health")) == 1
    assert kept is not None
    links.now = {}
    await links.look(0)
    assert stored.bodies("health")[-1]["data"]["over"] is True


async def test_an_outage_that_goes_on_is_told_daily(links: Links, stored: SimpleNamespace) -> None:
    """Somebody may have closed its alert."""
    links.are("down", "pendant-1")
    await links.look(5)
    await links.look(24 * 60)
    assert len(stored.bodies("health")) == 2


@pytest.mark.parametrize("link", ["mqtt", "ble", "serial:nurse", "sip:0.0.0.0:5060", "tcp:0.0.0.0:12000"])
def test_every_link_has_a_name_for_people(link: str) -> None:
    """In both languages, with the place where there are several."""
    for words in words_for(link):
        assert link.partition(":")[2] in words
        assert "{" not in words
