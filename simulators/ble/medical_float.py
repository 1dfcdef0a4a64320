"""IEEE 11073-20601 medical numbers as a meter writes them: SFLOAT in two bytes, FLOAT in four."""

from __future__ import annotations

NAN, NRES, PLUS_INFINITY, MINUS_INFINITY = 0x07FF, 0x0800, 0x07FE, 0x0802
"""SFLOAT's special values: not a number, not at this resolution, ±infinity."""


def sfloat(value: float | None, exponent: int = 0) -> bytes:
    """Four bits of exponent and twelve of mantissa; None is NaN. Raises ValueError when it does not fit."""
    if value is None:
        return NAN.to_bytes(2, "little")
    mantissa = round(value / 10.0**exponent)
    if not -2045 <= mantissa <= 2045 or not -8 <= exponent <= 7:
        raise ValueError(f"{value} does not fit an SFLOAT with exponent {exponent}")
    return ((exponent & 0xF) << 12 | mantissa & 0xFFF).to_bytes(2, "little")


def float32(value: float | None, exponent: int = 0) -> bytes:
    """Eight bits of exponent and twenty-four of mantissa; None is NaN."""
    if value is None:
        return (0x007FFFFF).to_bytes(4, "little")
    mantissa = round(value / 10.0**exponent)
    return ((exponent & 0xFF) << 24 | mantissa & 0xFFFFFF).to_bytes(4, "little")
