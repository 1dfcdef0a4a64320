"""Times at the edges, and the event as JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.events import LATEST, Event, TimeError, iso, parse_time


@given(st.integers(min_value=0, max_value=LATEST))
def test_a_time_survives_being_written_and_read(at: int) -> None:
    """Whatever millisecond we write, we read the same one."""
    assert parse_time(iso(at)) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-15T12:00:00.000Z", 1768478400000),
        ("2026-01-15T13:00:00+01:00", 1768478400000),
        (1768478400000, 1768478400000),
    ],
)
def test_iso_with_offset_and_milliseconds_are_times(text: object, at: int) -> None:
    """Both forms of DESIGN.md section 9 are read."""
    assert parse_time(text) == at


@pytest.mark.parametrize(
    "text", ["2026-01-15T12:00:00", "yesterday", "", True, 1.5, None, -1, LATEST + 1, [1]]
)
def test_anything_else_is_refused_in_a_sentence(text: object) -> None:
    """A time without offset, out of range or of another type names what was expected."""
    with pytest.raises(TimeError, match="time"):
        parse_time(text)


@given(st.text(max_size=60))
def test_no_text_raises_anything_but_a_time_error(text: str) -> None:
    """Hostile texts are refused, never a crash."""
    try:
        parse_time(text)
    except TimeError:
        return


def test_an_event_reads_the_same_everywhere() -> None:
    """The JSON form is the one of DESIGN.md section 9."""
    event = Event("e1", 1768478400000, 1768478400500, "h1", "front-lock", "door.opened")
    assert event.as_json() == {
        "id": "e1",
        "at": "2026-01-15T12:00:00.000Z",
        "heard": "2026-01-15T12:00:00.500Z",
        "home": "h1",
        "device": "front-lock",
        "kind": "door.opened",
        "data": {},
    }
    assert event.device_class == "door"
