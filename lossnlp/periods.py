"""Periods: the stretches of days that one form of calendar phrase can mean, seen from the day a deal closed.

Each function takes the match of its pattern (`lossnlp.moments` pairs them) and a clock, and gives periods in order of time.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import holidays
from dateutil.relativedelta import relativedelta

from lossnlp.calendar_words import MONTHS, read_calendar

Match = re.Match[str]

# A fiscal year is named after the calendar year it ends in: "FY27" from April runs from April 2026 to March 2027.
FISCAL = r"\b(?:fy|fiscal(?: year)?|financial year)"
FISCAL_LABEL = rf"{FISCAL}\s?'?(?:(?:20)?\d\d\s?[/-]\s?)?(?:20)?(?P<label>\d\d)\b"
_FISCAL_LABEL = re.compile(FISCAL_LABEL)
_TERM_WORDS = re.compile(r"\b(?:until|through|run|expir|contract|term|licen|lease|agreement|renew|locked|end)")
_ORDINALS = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "last": -1}
_MONTHS_IN = {"month": 1, "quarter": 3, "half": 6, "year": 12, "q": 3, "h": 6}
_DAYS_IN = {"day": 1, "week": 7}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of days, both ends included; `months` is its length where it is made of whole months, else 0."""

    first: date
    last: date
    months: int = 0


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a phrase is read from.

    Args:
        closed_on: Day the deal was closed; what a phrase means lies after it.
        fiscal_year_starts: Month (1 to 12) in which the fiscal year begins.
        is_day_first: Whether 1/3 is the first of March rather than the third of January.
    """

    closed_on: date
    fiscal_year_starts: int = 1
    is_day_first: bool = False

    @property
    def years(self) -> tuple[int, ...]:
        """The calendar years that a phrase without one can mean."""
        return self.closed_on.year - 1, self.closed_on.year, self.closed_on.year + 1


def moved(day: date, count: int, unit: str) -> date:
    """Gives the day `count` units (day, week, month, quarter, half, year) later, or earlier where `count` is negative."""
    if unit in _DAYS_IN:
        return day + timedelta(days=count * _DAYS_IN[unit])
    return day + relativedelta(months=count * _MONTHS_IN[unit])


def _months(year: int, month: int, count: int) -> Period:
    first = date(year, 1, 1) + relativedelta(months=month - 1)
    return Period(first, first + relativedelta(months=count, days=-1), count)


def _days(first: date, count: int = 1) -> Period:
    return Period(first, first + timedelta(days=count - 1))


def _dates(years: Iterable[int], month: int, day: int) -> Iterator[Period]:
    """Gives the days that exist; 29 February and misprints may not."""
    for year in years:
        if 1 <= month <= len(MONTHS) and 1 <= day <= monthrange(year, month)[1]:
            yield _days(date(year, month, day))


def _month(match: Match) -> int:
    return MONTHS.index(match["month"]) + 1


def _years(match: Match, clock: Clock) -> tuple[int, ...]:
    """Gives the years a match can mean: the one it names, else those of the fiscal year beside it, else the near ones."""
    named = match.groupdict()
    if year := named.get("year") or named.get("short"):
        return (2000 + int(year[-2:]),)
    if ahead := named.get("ahead"):
        return (clock.closed_on.year + (2 if "after" in ahead else 0 if "this" in ahead else 1),)
    if fiscal := _FISCAL_LABEL.search(match.string):
        return 1999 + int(fiscal["label"]), 2000 + int(fiscal["label"])
    return clock.years


def read_numeric_date(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads 12/31/26, 31.12.26 and 31.12.; dots are always day first, and so is a number that no month has."""
    first, second = int(match["a"]), int(match["b"])
    is_day_first = match["mark"] == "." or first > len(MONTHS) or (clock.is_day_first and second <= len(MONTHS))
    month, day = (second, first) if is_day_first else (first, second)
    return _dates(_years(match, clock), month, day)


def read_numeric_pair(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads 09/27: month and year where day-month order, a leading zero or talk of a term says so, else a day."""
    first, second = int(match["a"]), int(match["b"])
    is_term = clock.is_day_first or match["a"][0] == "0" or bool(_TERM_WORDS.search(match.string))
    if 1 <= first <= len(MONTHS) and second >= clock.closed_on.year % 100 and (is_term or second > 31):
        return [_months(2000 + second, first, 1)]
    is_day_first = first > len(MONTHS) or (clock.is_day_first and second <= len(MONTHS))
    return _dates(clock.years, *((second, first) if is_day_first else (first, second)))


def read_numeric_month(match: Match, _: Clock) -> Iterable[Period]:
    """Reads 02/2026 and 2026-02."""
    return [_months(int(match["year"]), int(match["m"]), 1)]


def read_iso_date(match: Match, _: Clock) -> Iterable[Period]:
    """Reads 2026-02-28."""
    return _dates([int(match["year"])], int(match["m"]), int(match["d"]))


def read_day_of_month(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "1 March", "March 1st" and "March 1, 2027"."""
    return _dates(_years(match, clock), _month(match), int(match["d"]))


def read_month_number(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "Feb 27": a year where it is the next February's anyway or the phrase speaks of a term, else a day."""
    month, number, closed_on = _month(match), int(match["d"]), clock.closed_on
    upcoming = closed_on.year + (month <= closed_on.month)
    is_term = closed_on.year % 100 <= number and bool(_TERM_WORDS.search(match.string))
    if number > 31 or number == upcoming % 100 or is_term:
        return [_months(2000 + number, month, 1)]
    return _dates(clock.years, month, number)


def read_month(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "March" and "March 2027"."""
    return [_months(year, _month(match), 1) for year in _years(match, clock)]


def read_part_of_month(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "second week of January" and "first half of May"."""
    nth, size = _ORDINALS[match["nth"]], 15 if match["part"] == "half" else 7
    for year in _years(match, clock):
        whole = _months(year, _month(match), 1)
        if nth < 0:
            yield _days(whole.last - timedelta(days=size - 1), size)
        elif nth * size <= 30:
            yield _days(whole.first + timedelta(days=size * (nth - 1)), size)


def read_week_number(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "KW 12": the ISO week, from its Monday."""
    number = int(match["n"])
    for year in _years(match, clock):
        if 1 <= number <= date(year, 12, 28).isocalendar().week:
            yield _days(date.fromisocalendar(year, number, 1), 7)


def read_part_of_year(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads quarters and halves: of the fiscal year where the phrase says so, else of the calendar year."""
    named = match.groupdict()
    months = _MONTHS_IN[match["part"]]
    nth = _ORDINALS.get(named.get("nth") or "", 0) or int(named.get("index") or 0)
    nth = 12 // months if nth < 0 else nth
    if nth > 12 // months:
        return []
    is_fiscal = bool(named.get("fiscal") or _FISCAL_LABEL.search(match.string))
    years = read_fiscal_year(match, clock) if is_fiscal else [_months(year, 1, 12) for year in _years(match, clock)]
    return [_months(year.first.year, year.first.month + months * (nth - 1), months) for year in years]


def read_fiscal_year(match: Match, clock: Clock) -> list[Period]:
    """Reads "FY27" and "next fiscal year"."""
    start = clock.fiscal_year_starts
    label = _FISCAL_LABEL.search(match.string)
    ends_in = [2000 + int(label["label"])] if label else [*clock.years, clock.closed_on.year + 2]
    return [_months(year - (start > 1), start, 12) for year in ends_in]


def read_holiday(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "Easter" and other days that move from year to year."""
    return [period for year in _years(match, clock) for period in _holiday(match["name"], year)]


@cache
def _holiday(name: str, year: int) -> tuple[Period, ...]:
    """Gives the days of a holiday in a year; lunar ones can come twice or not at all."""
    row = next(row for row in read_calendar()["holidays"] if re.fullmatch(row["name"], name))
    first_year, last_year = row.get("known", (year, year))
    if not first_year <= year <= last_year:
        return ()
    calendar = holidays.country_holidays(row["country"], years=year, language="en_US")
    named = re.compile(rf"{row['day']}(?: \(estimated\))?(?:;|$)")
    later = timedelta(days=row.get("offset", 0))
    return tuple(_days(day + later, row["days"]) for day in sorted(calendar) if named.match(calendar[day]))


def read_fixed_span(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads seasons, terms and other spans that keep their days."""
    row = next(row for row in read_calendar()["spans"] if re.fullmatch(row["name"], match["name"]))
    (month, day), (last_month, last_day) = ([int(part) for part in row[end].split("-")] for end in ("first", "last"))
    months = (last_month - month) % 12 + 1 if day == 1 else 0
    for year in _years(match, clock):
        first = date(year, month, day)
        yield Period(first, date(year + (last_month < month), last_month, last_day), months)


def read_next_unit(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "next quarter" and "this month"."""
    return [_unit_around(match["unit"], clock, step=int(match["which"] != "this"), is_fiscal=bool(match["fiscal"]))]


def read_end_of_unit(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "end of the year", "quarter end" and "eoy": the last day."""
    named = match.groupdict()
    unit = named.get("unit") or {"m": "month", "q": "quarter", "y": "year", "w": "week"}[match["letter"]]
    # "Year end" is an accountant's word: its group takes part even where it is empty.
    is_fiscal = named.get("fiscal") is not None
    for step in (0, 1):
        whole = _unit_around(unit, clock, step=step, is_fiscal=is_fiscal)
        yield Period(whole.last, whole.last)


def _unit_around(unit: str, clock: Clock, *, step: int, is_fiscal: bool) -> Period:
    """Gives the period of this length that holds the closing day, or the one `step` later; quarters and halves are fiscal."""
    if unit in _DAYS_IN:
        size = _DAYS_IN[unit]
        return _days(
            clock.closed_on + timedelta(days=step * size - (clock.closed_on.weekday() if size > 1 else 0)), size
        )
    months = _MONTHS_IN[unit]
    start = clock.fiscal_year_starts if is_fiscal or months in {3, 6} else 1
    elapsed = (clock.closed_on.month - start) % 12 % months
    return _months(clock.closed_on.year, clock.closed_on.month - elapsed + months * step, months)


def read_new_year(_: Match, clock: Clock) -> Iterable[Period]:
    """Reads "new year" and "turn of the year"."""
    return [_months(clock.closed_on.year + 1, 1, 12)]


def read_year(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "2028", "'28" and "the year after next"."""
    return [_months(year, 1, 12) for year in _years(match, clock)]


def read_weekday(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "next Monday": the first one after the closing day."""
    ahead = (_WEEKDAYS.index(match["weekday"]) - clock.closed_on.weekday() - 1) % 7 + 1
    return [_days(clock.closed_on + timedelta(days=ahead))]


def read_amount(match: Match, clock: Clock) -> Iterable[Period]:
    """Reads "in 6 months" from the closing day; quarters and halves count from boundary to boundary."""
    count = int(match["n"]) if match["n"].isdigit() else 1
    if match["unit"] in {"quarter", "half"}:
        return [_unit_around(match["unit"], clock, step=count, is_fiscal=True)]
    return [_days(moved(clock.closed_on, count, match["unit"]))]
