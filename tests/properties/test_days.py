"""Whatever a phrase says of time: a day after the closing day comes out, or none."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from lossnlp.calendar_words import read_phrase
from lossnlp.moments import READERS, find_moments
from lossnlp.periods import Clock, moved
from lossnlp.revisit import resolve_revisit
from tests.properties.drawn import any_text, closing_days, phrases

months = st.integers(1, 12)


@given(st.one_of(phrases, any_text), closing_days, months, st.booleans())
def test_day_lies_after_the_closing_day(phrase: str, closed_on: date, starts: int, is_day_first: bool) -> None:
    day = resolve_revisit(phrase, closed_on, fiscal_year_starts=starts, is_day_first=is_day_first)
    assert day is None or day > closed_on


@given(phrases, closing_days, months, st.booleans())
def test_periods_begin_before_they_end(phrase: str, closed_on: date, starts: int, is_day_first: bool) -> None:
    clock, plain = Clock(closed_on, starts, is_day_first), read_phrase(phrase)
    for reader in READERS:
        for match in reader.pattern.finditer(plain):
            found = list(reader.periods(match, clock))
            assert all(period.first <= period.last and period.months >= 0 for period in found)
            assert [period.first for period in found] == sorted(period.first for period in found)


@given(phrases)
def test_moments_never_overlap(phrase: str) -> None:
    spans = [match.span() for match in find_moments(read_phrase(phrase))]
    assert all(one[1] <= other[0] or other[1] <= one[0] for one, other in combinations(spans, 2))


@given(closing_days, st.integers(1, 20_000))
def test_full_date_means_itself(closed_on: date, days: int) -> None:
    told = closed_on + timedelta(days=days)
    wanted = told if told.year < 2100 else None
    assert resolve_revisit(f"call again {told.isoformat()}", closed_on) == wanted


@given(closing_days, st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_full_date_that_has_passed_means_none(closed_on: date, told: date) -> None:
    assert resolve_revisit(told.isoformat(), closed_on) == (told if told > closed_on else None)


@given(closing_days, st.integers(1, 999), st.sampled_from(["day", "week", "month", "year"]))
def test_amount_counts_from_the_closing_day(closed_on: date, count: int, unit: str) -> None:
    assert resolve_revisit(f"in {count} {unit}s", closed_on) == moved(closed_on, count, unit)


@given(closing_days, st.integers(-400, 400), st.sampled_from(["day", "week", "month", "quarter", "half", "year"]))
def test_later_counts_give_no_earlier_days(closed_on: date, count: int, unit: str) -> None:
    assert moved(closed_on, count, unit) < moved(closed_on, count + 1, unit)
