"""Judge: events → decisions. Pure: no I/O, no clock, no database::

book = load_book(standard_book_text(), source="standard.yaml")
engine = Engine(book, started=now)
engine.set_home(HomeSpec("h1", "Europe/Oslo", {"name": "Astrid"}, {"pendant-1": DeviceSpec("pendant")}))
for decision in engine.observe(event): ...
for decision in engine.advance(now): ...
"""

from __future__ import annotations

from rules.book import Book, Form, Rule, Step
from rules.decision import Action, Decision
from rules.engine import Engine
from rules.homes import DeviceSpec, Home, HomeSpec
from rules.language.loader import load_book
from rules.problems import BookError, Problem
from rules.shipped import standard_book_text, standard_tests_text

__all__ = [
    "Action",
    "Book",
    "BookError",
    "Decision",
    "DeviceSpec",
    "Engine",
    "Form",
    "Home",
    "HomeSpec",
    "Problem",
    "Rule",
    "Step",
    "load_book",
    "standard_book_text",
    "standard_tests_text",
]
