"""A device as a page shows it: its states in words, with their age; unknown when it has been silent too long."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.look import event_words
from dashboard.look.moments import Moment, moment
from dashboard.look.words import Language, pick, say
from dashboard.reads.devices import Known
from drivers.catalogue import CATALOGUE
from drivers.events import Millis
from drivers.registry import DEVICE_TYPES
from hub.registry.silence import silent_after
from hub.store.centre_tables import Device, DeviceState


@dataclass(frozen=True, slots=True)
class StateShown:
    """One state. value: in words and with unit, as it was last known."""

    name: str
    value: str
    at: Moment


@dataclass(frozen=True, slots=True)
class DeviceShown:
    """One device. unknown: nothing of it may be shown as current. unwatched: why its silence is no alarm, or empty."""

    id: str
    name: str
    room: str
    kind: str
    icon: str
    home: str
    type: str
    heard: Moment | None
    unknown: bool
    unwatched: str
    states: tuple[StateShown, ...]


def shown_device(known: Known, now: Millis, tz: str, language: Language) -> DeviceShown:
    """Write one device in a language, on its home's clock."""
    device = known.device
    words = CATALOGUE.classes.get(device.device_class)
    return DeviceShown(
        id=device.id,
        name=device.name or (pick(words, language) if words else device.id),
        room=device.room,
        kind=pick(words, language, device.device_class) if words else device.device_class,
        icon=event_words.ICONS.get(device.device_class, "cpu"),
        home=device.home,
        type=device.type,
        heard=moment(known.heard, now, tz, language) if known.heard is not None else None,
        unknown=known.silent,
        unwatched=_unwatched(device, language),
        states=tuple(_state(state, now, tz, language) for state in known.states),
    )


def _unwatched(device: Device, language: Language) -> str:
    """Whoever looks at a device must see that nobody would be told of its silence."""
    known = DEVICE_TYPES.get(device.type)
    if known is None or silent_after(known, device.settings) is not None:
        return ""
    if known.only_when_used:
        return say(language, "reports only when it is used, so its silence cannot be noticed")
    return say(language, "nothing is set for how long it may be quiet, so its silence is not noticed")


def _state(state: DeviceState, now: Millis, tz: str, language: Language) -> StateShown:
    spec = CATALOGUE.states[state.state]
    if spec.is_number:
        value = f"{_number(state.value, language)} {spec.unit}".strip()
    elif words := spec.value_words.get(state.value):
        value = pick(words, language)
    else:
        value = say(language, "unknown") if state.value == "unknown" else state.value
    return StateShown(pick(spec.words, language), value, moment(state.at, now, tz, language))


def _number(text: str, language: Language) -> str:
    return text.replace(".", ",") if language == "nb" else text
