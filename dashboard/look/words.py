"""The words of the screens: English in code and templates, Norwegian from `locale/nb/messages.po`.

The catalogue is read from its text form when the process starts, so that no compiled file can go stale.
Words that come from devices and rules are not here: they lie in the catalogue of events and in the rule book.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

Language: TypeAlias = Literal["nb", "en"]
LANGUAGES: tuple[Language, ...] = ("nb", "en")
NAMES: Mapping[Language, str] = {"nb": "Norsk bokmål", "en": "English"}
LOCALE = Path(__file__).parents[1] / "locale"


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """The translator of one language; English is the language of the code itself."""
    if language == "en":
        return gettext.NullTranslations()
    with (LOCALE / language / "messages.po").open("rb") as lines:
        catalogue = read_po(lines, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def say(language: Language, text: str, /, **names: object) -> str:
    """One text in a language, with `%(name)s` filled in."""
    translated = translations(language).gettext(text)
    return translated % names if names else translated


def say_many(language: Language, one: str, many: str, number: int, **names: object) -> str:
    """One text in a language, in the form that fits the number; `%(num)d` is the number."""
    return translations(language).ngettext(one, many, number) % {"num": number, **names}


def mark(text: str) -> str:
    """Mark a text for translation where it is written; it is translated where it is shown."""
    return text


def pick(words: Mapping[Any, str], language: Language, otherwise: str = "") -> str:
    """The text in this language, else in the other one: a text in the wrong language beats none."""
    return words.get(language) or words.get("nb") or words.get("en") or otherwise


def preferred(accept_language: str) -> Language:
    """The language a browser asks for first that we have; Norwegian if it asks for neither."""
    for wish in accept_language.split(","):
        name = wish.partition(";")[0].strip().lower()
        if name.startswith("en"):
            return "en"
        if name.startswith(("nb", "no", "nn", "da", "sv")):
            return "nb"
    return "nb"
