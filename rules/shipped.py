"""The book that comes with trygghub, and its tests. Reading them is the one thing here that touches a file."""

from __future__ import annotations

from importlib.resources import files


def standard_book_text() -> str:
    """`standard.yaml`, as shipped."""
    return (files("rules") / "standard.yaml").read_text(encoding="utf-8")


def standard_tests_text() -> str:
    """`standard.tests.yaml`, as shipped."""
    return (files("rules") / "standard.tests.yaml").read_text(encoding="utf-8")
