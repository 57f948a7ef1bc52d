from __future__ import annotations

from datetime import date

import pytest

from lossnlp.revisit import find_revisit_phrases, resolve_revisit

CLOSED_ON = date(2026, 11, 20)


def _phrases(text: str) -> list[str]:
    return [text[start:end] for start, end in find_revisit_phrases(text)]


@pytest.mark.parametrize(
    ("phrase", "day"),
    [
        # plain dates
        ("2027-02-28", "2027-02-28"),
        ("til 12/31/26", "2026-12-31"),
        ("ask again 14.01.2027", "2027-01-14"),
        ("from 30.05. on", "2027-05-30"),
        ("renews 1/3/27", "2027-01-03"),
        ("call 2/15", "2027-02-15"),
        ("1st of March", "2027-03-01"),
        ("March 1, 2027", "2027-03-01"),
        ("14 Sept 27", "2027-09-14"),
        ("april fourteenth", "2027-04-14"),
        ("their notice window opens July 1", "2027-07-01"),
        # months
        ("renewal is Nov", "2027-11-01"),
        ("ask again in January", "2027-01-01"),
        ("jan", "2027-01-01"),
        ("Febuary", "2027-02-01"),
        ("contract up in March 2027", "2027-03-01"),
        ("Come back 02/2026", None),
        ("Next window 09/27", "2027-09-01"),
        ("till 12/27", "2027-12-01"),
        ("CircleCI contract ends Feb 27", "2027-02-01"),
        ("Leases run to Mar 28", "2028-03-01"),
        ("Feb 15", "2027-02-15"),
        ("mid-May", "2027-05-15"),
        ("late March", "2027-03-21"),
        ("end of June", "2027-06-30"),
        ("after October", "2027-11-01"),
        ("ping me after the AGM in May", "2027-05-01"),
        ("after go-live in June", "2027-06-01"),
        ("when the new budget lands in October", "2027-10-01"),
        ("the second week of January", "2027-01-08"),
        ("last week of February", "2027-02-22"),
        ("next month", "2026-12-01"),
        ("end of next month", "2026-12-31"),
        # weeks and weekdays
        ("KW 12", "2027-03-22"),
        ("week 12", "2027-03-22"),
        ("next Monday", "2026-11-23"),
        ("next week", "2026-11-23"),
        # quarters and halves
        ("Q3", "2027-07-01"),
        ("early Q2 27", "2027-04-01"),
        ("late Q3", "2027-09-01"),
        ("mid Q2", "2027-05-15"),
        ("the first quarter of 2027", "2027-01-01"),
        ("Q1 next year", "2027-01-01"),
        ("next quarter", "2027-01-01"),
        ("next qtr", "2027-01-01"),
        ("once Q1 is over", "2027-04-01"),
        ("H2", "2027-07-01"),
        ("at end of H1", "2027-06-30"),
        ("1H27", "2027-01-01"),
        # years
        ("next year", "2027-01-01"),
        ("next yr", "2027-01-01"),
        ("in the new year", "2027-01-01"),
        ("after year end", "2027-01-01"),
        ("eoy", "2026-12-31"),
        ("not before 2028", "2028-01-01"),
        ("when the '29 renewal comes round", "2029-01-01"),
        ("the year after next", "2028-01-01"),
        # fiscal years
        ("FY28", "2028-01-01"),
        ("FY27 opens in Feb", "2027-02-01"),
        ("when their FY starts in April", "2027-04-01"),
        ("next fiscal year (from October 1)", "2027-10-01"),
        # seasons, terms, holidays
        ("in the spring", "2027-03-01"),
        ("after the summer", "2027-09-01"),
        ("in the fall", "2027-09-01"),
        ("once the merger closes in autumn", "2027-09-01"),
        ("after summer holiday 2027", "2027-09-01"),
        ("Michaelmas term", "2027-10-01"),
        ("after the holidays", "2027-01-02"),
        ("after Easter", "2027-03-30"),
        ("around Easter next year", "2027-03-26"),
        ("after Ramadan", "2027-03-10"),
        ("after Diwali", "2027-10-30"),
        ("after Chinese New Year", "2027-02-08"),
        ("Black Friday", "2026-11-27"),
        # amounts
        ("in 6 months", "2027-05-20"),
        ("back in six weeks", "2027-01-01"),
        ("in 2 quarters", "2027-04-01"),
        ("2 yrs from now", "2028-11-20"),
        ("in a year and a half", "2028-05-20"),
        ("a couple of mos", "2027-01-20"),
        ("in 2-3 months", "2027-01-20"),
        ("18 months left on the contract", "2028-05-20"),
        ("120 days before the term ends (June 2028)", "2028-02-02"),
        ("3 months after go-live in June", "2027-09-01"),
        # no date, or none that is still to come
        ("when the new CFO has settled in", None),
        ("when that term has six months left", None),
        ("it may be a while", None),
        ("last March", None),
        ("six months ago", None),
        ("Q2 2026", None),
        ("30 February", None),
        ("", None),
    ],
)
def test_phrase_resolves_to_first_day(phrase: str, day: str | None) -> None:
    assert resolve_revisit(phrase, CLOSED_ON) == (date.fromisoformat(day) if day else None)


@pytest.mark.parametrize(
    ("phrase", "starts", "day"),
    [
        ("FY28", 4, "2027-04-01"),
        ("FY27/28", 4, "2027-04-01"),
        ("next fiscal year", 7, "2027-07-01"),
        ("Q2 FY28", 4, "2027-07-01"),
        ("FY27 opens in Feb", 10, "2027-02-01"),
        ("FY28 opens in Feb", 2, "2027-02-01"),
        ("after year end", 4, "2027-04-01"),
        ("end of the year", 4, "2026-12-31"),
        ("Q2", 4, "2027-04-01"),
        ("next quarter", 2, "2027-02-01"),
    ],
)
def test_fiscal_year_starts_where_configured(phrase: str, starts: int, day: str) -> None:
    assert resolve_revisit(phrase, CLOSED_ON, fiscal_year_starts=starts) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("phrase", "day"),
    [
        ("renews 1/3/27", "2027-03-01"),
        ("call 5/2", "2027-02-05"),
        ("31/12/26", "2026-12-31"),
        ("2027-02-03", "2027-02-03"),
    ],
)
def test_day_stands_first_on_request(phrase: str, day: str) -> None:
    assert resolve_revisit(phrase, CLOSED_ON, is_day_first=True) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("closed_on", "day"), [("2027-04-30", "2027-05-15"), ("2027-05-14", "2027-05-15"), ("2027-05-15", "2028-05-15")]
)
def test_month_means_next_one(closed_on: str, day: str) -> None:
    assert resolve_revisit("mid-May", date.fromisoformat(closed_on)) == date.fromisoformat(day)


@pytest.mark.parametrize("closed_on", [date.min, date.max])
def test_unreadable_closing_day_gives_none(closed_on: date) -> None:
    assert resolve_revisit("next quarter", closed_on) is None


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Budget is frozen. They asked us to come back when FY27 opens in Feb.", "when FY27 opens in Feb"),
        ("No money this year, try again in Q3.", "in Q3"),
        ("Everything deferred to next year.", "next year"),
        ("CIO says not before 2028.", "not before 2028"),
        ("Contract with Acme runs until March 2027, ping me then.", "until March 2027"),
        ("Diarised Q3 2027.", "Q3 2027"),
        ("Check in after peak season.", "after peak season"),
        ("He will look again once two engineers are hired.", "once two engineers are hired"),
    ],
)
def test_finder_reads_come_back_sense(text: str, phrase: str) -> None:
    assert phrase in _phrases(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "We lost them in Q3.",
        "They went live with a rival in March 2026.",
        "I should have called again in January.",
        "We waited until June and nobody answered.",
        "May 30 legal came back with redlines.",
        "It may be a matter of taste.",
        "",
    ],
)
def test_past_event_is_no_revisit(text: str) -> None:
    assert _phrases(text) == []


def test_slices_keep_original_spelling() -> None:
    text = "Budget\u2019s gone \u2014  ask us again  in  Sept. 2027!"
    assert _phrases(text) == ["in  Sept. 2027"]


def test_surest_phrase_comes_first() -> None:
    text = "Lunch next week, maybe. Please call us again in May 2027."
    assert _phrases(text)[0] == "in May 2027"
