"""Templates: one environment for each language, with the words, icons and moments that they use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboard.look import alarm_words, moments, priority
from dashboard.look.icons import icon
from dashboard.look.rows import Row
from dashboard.look.static import static_path
from dashboard.look.words import LANGUAGES, NAMES, Language, pick, translations

FOLDER = Path(__file__).parents[1] / "templates"


@cache
def environment(language: Language) -> Environment:
    """The templates in one language. A name that does not exist is an error, never an empty text."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(
        lang=language,
        languages=LANGUAGES,
        language_names=NAMES,
        icon=icon,
        static=static_path,
        tiers=priority.TIERS,
        tier_words=priority.WORDS,
        tier_icons=priority.ICONS,
        conditions=alarm_words.CONDITIONS,
        steps=alarm_words.STEPS,
        pick=lambda words: pick(words, language),
        span=moments.span,
    )
    return made


def paint(language: Language, template: str, **context: Any) -> str:
    """Render a template."""
    return environment(language).get_template(template).render(**context)


def write_row(row: Row, language: Language) -> str:
    """One alarm row: the same template for the page and for the stream."""
    return paint(language, "row.html", row=row)


Paint = Callable[..., str]
