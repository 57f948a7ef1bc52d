"""Moments: where calendar phrases stand in plain text, and which day each of them means.

The patterns run from the most precise to the vaguest; the first that matches decides. Words around the match ("early", "end
of", "after", "3 months before") then choose the day within, after or before its period.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from lossnlp import periods
from lossnlp.calendar_words import MONTHS, read_calendar
from lossnlp.periods import FISCAL, FISCAL_LABEL, Clock, Match, Period


class Reader(NamedTuple):
    """One form of calendar phrase and the periods it can mean."""

    pattern: re.Pattern[str]
    periods: Callable[[Match, Clock], Iterable[Period]]


def _names(table: str) -> str:
    rows: list[dict[str, Any]] = read_calendar()[table]
    return rf"\b(?P<name>{'|'.join(row['name'] for row in rows)})\b"


_MONTH = rf"\b(?P<month>{'|'.join(MONTHS)})\b"
_NTH = r"\b(?P<nth>1st|2nd|3rd|4th|last)"
_ORDINAL = r"(?:st|nd|rd|th)"
_UNIT = r"(?P<unit>day|week|month|quarter|half|year)\b"
_AMOUNT = rf"(?:an? )?\b(?P<n>\d{{1,3}}|an?)(?:\s?(?:-|to|or)\s?\d{{1,3}})?[ -]?(?:of |more |full )?{_UNIT}(?:'s?)?"
_NO_PAST = r"(?! (?:ago|old|late|earlier|before|prior|ahead|back))"
_NOT_A_COUNT = rf"(?!\d|[.,:/-]\d|\s?(?:%|k\b|{_ORDINAL}\b|percent|seat|user|people|day|week|month|year))"
_YEAR_WORDS = r"(?P<year>(?:20|')\d\d)(?:\s?/\s?\d\d)?\b|(?P<ahead>(?:the )?year after next|(?:next|this) year)\b"
_LONG_YEAR = rf"(?:[\s,/-]*(?:(?:of|in) )?(?:{_YEAR_WORDS}))?"
_YEAR = rf"(?:[\s,/-]*(?:(?:of|in) )?(?:{_YEAR_WORDS}|(?P<short>[2-4]\d){_NOT_A_COUNT}))?"
_SOME = r"(?:about |around |another |the next |roughly |maybe |at least |~ ?)*"

_Patterns = tuple[tuple[str, Callable[[Match, Clock], Iterable[Period]]], ...]
_PATTERNS: _Patterns = (
    (r"\b(?P<year>20\d\d)-(?P<m>\d\d)-(?P<d>\d\d)\b", periods.read_iso_date),
    (
        r"(?<![\d./-])(?P<a>\d{1,2})(?P<mark>[./-])(?P<b>\d{1,2})(?P=mark)(?P<year>(?:20)?\d\d)\b",
        periods.read_numeric_date,
    ),
    (r"(?<![\d./-])(?P<a>\d{1,2})(?P<mark>\.)(?P<b>\d\d)\.(?!\d)", periods.read_numeric_date),
    (r"\b(?P<m>0?[1-9]|1[0-2])[./-](?P<year>20\d\d)\b", periods.read_numeric_month),
    (r"\b(?P<year>20\d\d)[/-](?P<m>0[1-9]|1[0-2])\b", periods.read_numeric_month),
    (rf"\b(?:in|after|within|give (?:it|them)|for) {_SOME}{_AMOUNT}{_NO_PAST}", periods.read_amount),
    (rf"{_AMOUNT} (?:time\b|from (?:now|today)|hence|left|remaining|min\b|minimum|to (?:go|run))", periods.read_amount),
    (rf"{_NTH} (?P<part>week|half) (?:of |in )?(?:the )?{_MONTH}{_YEAR}", periods.read_part_of_month),
    (rf"\b(?P<d>\d{{1,2}}){_ORDINAL}?\.?(?: of)?[ -]{_MONTH}{_YEAR}", periods.read_day_of_month),
    (rf"{_MONTH} (?:the )?(?P<d>\d{{1,2}}){_ORDINAL}\b{_LONG_YEAR}", periods.read_day_of_month),
    (rf"{_MONTH} (?P<d>\d{{1,2}}),? (?P<year>20\d\d)\b", periods.read_day_of_month),
    (rf"{_MONTH}[ -]?(?P<d>\d\d?){_NOT_A_COUNT}", periods.read_month_number),
    (rf"{_MONTH}{_LONG_YEAR}", periods.read_month),
    (r"(?<![\w./-])(?!24/7)(?P<a>\d{1,2})/(?P<b>\d{1,2})(?![\d/%])", periods.read_numeric_pair),
    (rf"\bweek\s?(?P<n>\d{{1,2}})\b{_YEAR}", periods.read_week_number),
    (_names("holidays") + _LONG_YEAR, periods.read_holiday),
    (_names("spans") + _YEAR, periods.read_fixed_span),
    (rf"(?P<fiscal>\bf|\bfiscal )?(?:\b|(?<=f))(?P<part>[qh])\s?(?P<index>[1-4])\b{_YEAR}", periods.read_part_of_year),
    (rf"\b(?P<index>[1-4])(?P<part>[qh]){_YEAR}(?!\w)", periods.read_part_of_year),
    (rf"{_NTH} (?P<fiscal>fiscal |financial )?(?P<part>quarter|half)\b(?: of)?{_YEAR}", periods.read_part_of_year),
    (FISCAL_LABEL, periods.read_fiscal_year),
    (
        rf"\b(?:next|new|coming|following) (?:{FISCAL}|budget(?: (?:year|cycle|round|period))?\b)(?! (?:end|week|quarter|half))",
        periods.read_fiscal_year,
    ),
    (rf"{FISCAL} (?:starts?|opens?|begins?|turns?|resets?|kicks)\b", periods.read_fiscal_year),
    (r"\bnew year\b|\bturn of the year\b", periods.read_new_year),
    (r"\b(?P<ahead>year after next)\b", periods.read_year),
    (
        rf"\b(?P<which>next|this|coming|following) (?P<fiscal>fiscal |financial )?(?:calendar )?{_UNIT}",
        periods.read_next_unit,
    ),
    (
        rf"\b(?:end|close) (?:of )?(?:the |our |their |its )*(?P<fiscal>fiscal |financial )?{_UNIT}",
        periods.read_end_of_unit,
    ),
    (r"\b(?P<fiscal>(?:fiscal |financial )?)(?P<unit>year)[ -]?end\b", periods.read_end_of_unit),
    (r"\b(?P<unit>week|month|quarter)[ -]?end\b", periods.read_end_of_unit),
    (r"\beo(?P<letter>[mqyw])\b", periods.read_end_of_unit),
    (r"(?<![\d.,$€£#-])(?P<year>20[2-4]\d|'\d\d)(?![\d%]|[.,]\d)", periods.read_year),
)
# Forms that mean a moment in a phrase about time, but in running text may be about anything.
_VAGUE_PATTERNS: _Patterns = (
    (
        r"\b(?:next|on|this|coming) (?P<weekday>mon|tue|wed|thu|fri|sat|sun)(?:s|nes|rs|ur)?(?:day)?\b",
        periods.read_weekday,
    ),
    (rf"(?<!last )(?<!past ){_AMOUNT}{_NO_PAST}", periods.read_amount),
)
_EXACT = tuple(Reader(re.compile(pattern), read) for pattern, read in _PATTERNS)
READERS = _EXACT + tuple(Reader(re.compile(pattern), read) for pattern, read in _VAGUE_PATTERNS)

_BEFORE_PERIOD = re.compile(
    r"(?:\b(?P<after>after|post|past|beyond)[\s-]+(?:the |our |their |its |this )?)?"
    r"(?:\b(?P<edge>early|start|beginning|mid|middle|later?|end|close)(?:[\s-]+(?:of|in|the|this|our))*[\s-]*)?"
    r"(?:(?:of|in|the|next|coming|fiscal|calendar)\s)*$"
)
_SHIFT = re.compile(rf"{_AMOUNT} (?P<side>before|prior to|ahead of|after|following)\b[^.;!?\n]*$")
_WAITING = re.compile(r"\b(?:after|once|when|until|as soon as)\s(?:the |our |their |its )?(?:fiscal )?$")
_OVER = re.compile(
    r"(?: quarter| season)?,? (?:(?:is|are|has|have) )?(?:all )?(?:over|done|ended|ends|finish\w*|closed?s?|behind)\b"
)
_ALONE = re.compile(r"\s*(?:$|[^\w\s]|(?:and|or|when|once|if|but|we|they|he|she|i|it|is|at)\b)")
_GONE = re.compile(r"\b(?:last|since|past|previous)\s$")
_UNKNOWN_START = re.compile(r"\b(?:when|once)\b.*\b(?:has|have|with)\s$")


def find_moments(text: str) -> Iterator[Match]:
    """Gives the calendar phrases of a plain text, in the order of their precision; none overlaps one given before."""
    taken: list[tuple[int, int]] = []
    for reader in _EXACT:
        for match in reader.pattern.finditer(text):
            if all(match.end() <= start or end <= match.start() for start, end in taken):
                taken.append(match.span())
                yield match


def find_day(text: str, clock: Clock) -> date | None:
    """Gives the first day after the closing day that the most precise calendar phrase of a plain text allows.

    Args:
        text: A phrase in one spelling (`lossnlp.calendar_words.read_phrase`).
        clock: Closing day, start of the fiscal year and order of day and month.
    """
    for reader in READERS:
        for match in reader.pattern.finditer(text):
            before = text[: match.start()]
            if _GONE.search(before) or (reader.periods is periods.read_amount and _UNKNOWN_START.search(before)):
                continue
            days = (_day_within(period, match) for period in reader.periods(match, clock))
            return next((day for day in days if day > clock.closed_on), None)
    return None


def _day_within(period: Period, match: Match) -> date:
    """Gives the day of a period that the words around its phrase ask for."""
    before, behind = match.string[: match.start()], match.string[match.end() :]
    if shift := _SHIFT.search(before):
        count = int(shift["n"]) if shift["n"].isdigit() else 1
        return periods.moved(
            period.first, -count if shift["side"] not in {"after", "following"} else count, shift["unit"]
        )
    lead = _BEFORE_PERIOD.search(before)
    edge = (lead["edge"] if lead else None) or "start"
    is_after = bool(lead and lead["after"] and _ALONE.match(behind))
    if is_after or (_WAITING.search(before) and _OVER.match(behind)):
        return (period.last if edge in {"start", "end"} else _edge(period, edge)) + timedelta(days=1)
    return _edge(period, edge)


def _edge(period: Period, edge: str) -> date:
    """Gives the first day of a period's beginning, middle or late part, or its last day."""
    if edge in {"end", "close"}:
        return period.last
    if edge.startswith("mid"):
        day = periods.moved(period.first, period.months // 2, "month")
        odd_days = 14 if period.months % 2 else 0 if period.months else (period.last - period.first).days // 2
        return day + timedelta(days=odd_days)
    if edge.startswith("late"):
        if period.months <= 1:
            return period.first + timedelta(days=(period.last - period.first).days * 2 // 3)
        return periods.moved(period.first, period.months - max(1, period.months // 4), "month")
    return period.first
