"""What would have happened? Other limits over the last days, with progress, for those who set limits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlmodel import select

from dashboard.look.rule_words import changes, limits, read, shown
from dashboard.studies import FRESH, MOST_KEPT, Studies, Tell
from dashboard.web import Web
from hub.store.centre_tables import Alert, Audit
from hub.store.engine import Store
from rules import load_book, standard_book_text
from rules.problems import Wrong
from rules.what_if import Difference

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
PAGE = "/nb/residents/astrid/what-if"
BOOK = load_book(standard_book_text())


@pytest.fixture
async def doses(town: Any) -> None:
    """Yesterday's dose was taken out fifty minutes late, the one before never."""
    for ago, dose in ((30 * HOUR, "late"), (54 * HOUR, "never")):
        await town.hear(
            "dispenser.due", "h1", "dispenser-1", ago=ago, dose=dose, planned=town.clock.now() - ago
        )
    await town.hear("dispenser.dispensed", "h1", "dispenser-1", ago=30 * HOUR - 50 * MINUTE, dose="late")


async def test_the_form_has_the_limits_of_what_stands_in_the_home(sign_in: Any) -> None:
    """Her dispenser's first, with what holds now; those that no device of hers sends stand folded away."""
    text = (await (await sign_in("eva")).get(PAGE)).text
    near, far = text.split("Andre grenser", 1)
    assert 'name="dose_time"' in near
    assert "nå: <b>1 t</b>" in near
    assert 'name="pulse_high"' in far
    assert '<section id="answer"' in text
    assert "hidden" in text[text.index('id="answer"') :][:400]


async def test_alarms_that_would_have_been_new(sign_in: Any, doses: None) -> None:
    """With forty minutes the late dose would have been told, and the other one earlier."""
    text = (await (await sign_in("eva")).get(f"{PAGE}?days=7&dose_time=40+min")).text
    answer = text[text.index('id="answer"') :]
    assert "Tid til å ta en dose: <b>40 min</b> i stedet for 1 t" in answer
    assert "Spurt over de siste 7 døgnene" in answer
    assert "Nye</dt><dd>1</dd>" in answer
    assert "Flyttet</dt><dd>1</dd>" in answer
    assert "20 min tidligere" in answer
    assert "Astrid Berg har ikke tatt ut medisinen" in answer


async def test_alarms_that_would_have_been_gone(sign_in: Any, doses: None) -> None:
    """Told in English, over the span that was asked for, written as a Norwegian writes it."""
    text = (await (await sign_in("eva")).get(f"/en{PAGE[3:]}?days=7&dose_time=3+timer")).text
    assert "<b>3 h</b> instead of 1 h" in text
    assert "Moved</dt><dd>1</dd>" in text
    assert "2 h later" in text
    day = (await (await sign_in("eva")).get(f"/en{PAGE[3:]}?days=1&dose_time=3+timer")).text
    assert "No alarm would have come otherwise." in day


async def test_the_same_limit_is_no_question(sign_in: Any) -> None:
    """Nothing differs: a sentence, and nothing is judged."""
    text = (await (await sign_in("eva")).get(f"{PAGE}?days=7&dose_time=60+minutter")).text
    assert "Skriv minst én grense som er en annen enn den som gjelder." in text
    assert "<progress" not in text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("dose_time=lenge", "Skriv et tidsrom som «10 min», «90 s» eller «1 t 30 min»."),
        ("pulse_high=h%C3%B8y", "Skriv et tall."),
        ("night_from=25:00", "Skriv et klokkeslett som «22:00»."),
    ],
)
async def test_a_limit_that_cannot_be_read_is_said_beside_it(sign_in: Any, query: str, says: str) -> None:
    """Judged without it a rule would be off, and its alarms would look as if they were gone."""
    answer = await (await sign_in("eva")).get(f"{PAGE}?days=7&{query}")
    assert answer.status_code == 422
    assert says in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert "Borte</dt>" not in answer.text


async def test_asking_changes_nothing_and_is_in_the_trail(sign_in: Any, store: Store, doses: None) -> None:
    """No alert, no parameter; a look."""
    await (await sign_in("eva")).get(f"{PAGE}?days=7&dose_time=40+min")
    async with store.reading() as session:
        assert (await session.exec(select(Alert))).all() == []
        rows = (await session.exec(select(Audit).where(Audit.action == "resident.what_if"))).all()
    assert [(row.actor, row.home, row.subject) for row in rows] == [("eva", "h1", "resident astrid")]


@pytest.mark.parametrize("who", ["olga", "siri", "tor", "mette", "nils"])
async def test_who_may_not_ask(sign_in: Any, who: str) -> None:
    """A question for those who set limits; others find no link to it either."""
    browser = await sign_in(who)
    answer = await browser.get(f"{PAGE}?days=7&dose_time=40+min")
    assert answer.status_code == 403
    assert "Astrid" not in answer.text
    if who == "nils":
        assert "what-if" not in (await browser.get("/nb/residents/astrid")).text
        assert "why-not" in (await browser.get("/nb/residents/astrid")).text


async def test_a_long_question_shows_how_far_it_is(
    sign_in: Any, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says so and asks again: by script a fragment, without script by loading itself; then the answer."""
    going, stopped = asyncio.Event(), asyncio.Event()

    async def slow(*_asked: Any, share: Tell, **_more: Any) -> Difference:
        share(0.37)
        going.set()
        await stopped.wait()
        return Difference(same=5)

    monkeypatch.setattr("dashboard.pages.what_if.ask_what_if", slow)
    monkeypatch.setattr("dashboard.studies.PATIENCE", 0.01)
    eva, path = await sign_in("eva"), f"{PAGE}?days=30&dose_time=40+min"
    text = (await eva.get(path)).text
    assert going.is_set()
    assert '<progress max="100" value="37"' in text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in text
    assert f'hx-get="{path.replace("&", "&amp;")}"' in text
    fragment = (await eva.get(path, headers={"hx-request": "true"})).text
    assert "<html" not in fragment
    assert "37 %" in fragment
    stopped.set()
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "what-if"))
    text = (await eva.get(path)).text
    assert "Som før</dt><dd>5</dd>" in text
    assert "http-equiv" not in text


async def test_a_question_that_breaks_is_said(sign_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, and the next try begins anew."""
    asked = []

    async def broken(*_asked: Any, **_more: Any) -> Difference:
        asked.append(1)
        raise OSError("the disk is gone")

    monkeypatch.setattr("dashboard.pages.what_if.ask_what_if", broken)
    eva, path = await sign_in("eva"), f"{PAGE}?days=30&dose_time=40+min"
    for _ in range(2):
        text = (await eva.get(path)).text
        assert "Spørsmålet kunne ikke besvares." in text
        assert "disk" not in text
    assert len(asked) == 2


# ---------------------------------------------------------------- questions under way


async def test_a_new_question_ends_the_old_one() -> None:
    """Of one person only the newest question is worked on, and of all only a few at a time."""
    studies, ended, begun = Studies(), list[str](), list[str]()

    def work(name: str) -> Any:
        async def run(_tell: Tell) -> Difference:
            begun.append(name)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append(name)
                raise
            return Difference()

        return run

    for session, name in (("a", "first"), ("a", "second"), ("b", "third"), ("c", "fourth")):
        asked = asyncio.create_task(studies.ask(session, name, work(name)))
        for _ in range(5):
            await asyncio.sleep(0)
        asked.cancel()
    assert begun == ["first", "second", "third"]
    assert ended == ["first"]
    await studies.end()
    assert sorted(ended) == ["first", "second", "third"]


async def test_an_answer_is_kept_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same question again is not judged again, until the journal has gone on; nor are answers kept for ever."""
    studies, judged = Studies(), list[int]()

    async def work(_tell: Tell) -> Difference:
        judged.append(1)
        return Difference()

    for _ in range(2):
        assert (await studies.ask("a", "q", work)).done
    assert len(judged) == 1
    monkeypatch.setattr("dashboard.studies.FRESH", FRESH - 2 * FRESH)
    await studies.ask("a", "q", work)
    assert len(judged) == 2
    for number in range(MOST_KEPT + 5):
        await studies.ask(f"s{number}", "q", work)
    assert len(studies._kept) == MOST_KEPT


# ---------------------------------------------------------------- limits as people write them


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("dose_time", "1 t 30 min", "1 h 30 min"),
        ("dose_time", " 90   minutter ", "1 h 30 min"),
        ("dose_time", "2 timer", "2 h"),
        ("dose_time", "1 døgn", "1 d"),
        ("pulse_high", "112", 112),
        ("temperature_high", "38,2", 38.2),
        ("night_from", "23.30", "23:30"),
    ],
)
def test_a_limit_is_read_as_it_is_written(name: str, text: str, value: object) -> None:
    """Norwegian units, a comma, a full stop in a time of day."""
    assert read(name, text, BOOK.types[name]) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("dose_time", "40"), ("dose_time", "<b>"), ("pulse_high", "1e9"), ("night_from", "24:00")],
)
def test_what_is_no_limit_is_refused(name: str, text: str) -> None:
    """Rather than guessed."""
    with pytest.raises(Wrong):
        read(name, text, BOOK.types[name])


@pytest.mark.parametrize("language", ["nb", "en"])
def test_what_is_shown_can_be_written_back(language: Any) -> None:
    """Every default, as it stands on the form, reads as itself: nobody changes a limit by copying it."""
    for name, value in BOOK.defaults.items():
        if name in BOOK.types:
            text = shown(name, value, BOOK.types[name], language)
            found = limits(BOOK, {}, {name: text}, [], language, "Astrid")
            assert not any(limit.wrong for limit in found), name
            assert changes(BOOK, {}, found) == {}, name
