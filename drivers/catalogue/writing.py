"""Short forms in which the catalogue's tables are written, so that a fact reads as one line."""

from __future__ import annotations

from types import MappingProxyType

from drivers.catalogue.spec import DataField, FactSpec, Lane, StateSpec, Words


def words(nb: str, en: str) -> Words:
    """A phrase in both languages."""
    return MappingProxyType({"nb": nb, "en": en})


def fact(
    kind: str,
    nb: str,
    en: str,
    meaning: str,
    *fields: DataField,
    lane: Lane,
    sets: dict[str, str] | None = None,
    call_for_help: bool = False,
    vkp: str = "",
    scaip: str = "",
    mdc: str = "",
) -> FactSpec:
    """One fact. See FactSpec for what each word means."""
    return FactSpec(
        kind=kind,
        words=words(nb, en),
        meaning=meaning,
        fields=fields,
        lane=lane,
        sets=MappingProxyType(dict(sets or {})),
        call_for_help=call_for_help,
        vkp=vkp,
        scaip=scaip,
        mdc=mdc,
    )


def number(
    name: str,
    meaning: str,
    unit: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    required: bool = False,
) -> DataField:
    """A finite number, in `unit`, between `low` and `high` (both included) where given."""
    return DataField(
        name=name, type="number", unit=unit, meaning=meaning, required=required, low=low, high=high
    )


def value(meaning: str, unit: str, low: float, high: float) -> DataField:
    """The one number a measurement is about."""
    return number("value", meaning, unit, low=low, high=high, required=True)


def text(name: str, meaning: str, *values: str, required: bool = False) -> DataField:
    """A text, one of `values` where given."""
    return DataField(name=name, type="text", meaning=meaning, required=required, values=values)


def flag(name: str, meaning: str, *, required: bool = False) -> DataField:
    """True or false."""
    return DataField(name=name, type="flag", meaning=meaning, required=required)


def time(name: str, meaning: str, *, required: bool = False) -> DataField:
    """A moment, in whole ms since 1970 UTC."""
    return DataField(name=name, type="time", unit="ms UTC", meaning=meaning, required=required)


def state(name: str, nb: str, en: str, **values: tuple[str, str]) -> StateSpec:
    """A state that is one of a few words; each value comes with its nb and en words."""
    return StateSpec(
        name=name,
        words=words(nb, en),
        values=tuple(each.rstrip("_") for each in values),
        value_words=MappingProxyType({each.rstrip("_"): words(*both) for each, both in values.items()}),
    )


def measured(name: str, nb: str, en: str, unit: str) -> StateSpec:
    """A state that is a number in `unit`."""
    return StateSpec(name=name, words=words(nb, en), unit=unit)
