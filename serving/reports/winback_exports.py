"""The win-back list to take away: as CSV for a spreadsheet, as iCalendar for a calendar."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from icalendar import CLASS, TRANSP, Alarm, Calendar, Event

from serving.reports.sheets import safe_cell
from serving.reports.winback_entries import Winback

_COLUMNS = (
    "due_on",
    "date_from",
    "deal_id",
    "account",
    "owner",
    "team",
    "amount",
    "currency",
    "lost_on",
    "way_back",
    "known_objection",
    "gaps",
    "last_words",
    "said_by",
    "when_in_their_words",
    "rival",
    "contract_end",
    "contract_ends_on",
    "opener",
)
_ALARM = timedelta(hours=9)  # at nine in the morning of the day itself


def write_csv(winbacks: Iterable[Winback]) -> Iterator[str]:
    """Gives the lines of the list as CSV, the names of the columns first."""
    yield _line(_COLUMNS)
    for winback in winbacks:
        yield _line(_cells(winback))


def _cells(winback: Winback) -> Iterator[object]:
    loss, words, contract = winback.loss, winback.words, winback.contract
    yield from (winback.due_on, "stated" if winback.because is None else "window")
    yield from (loss.deal_id, loss.account, loss.owner, loss.team, loss.amount, loss.currency, loss.lost_on)
    yield from (loss.winback, winback.reason, "; ".join(winback.gaps))
    yield from (words.text, words.role) if words else (None, None)
    yield from (loss.revisit_text, loss.rival)
    yield from (contract.text, contract.ends_on) if contract else (None, None)
    yield winback.opener


def _line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    writer = csv.writer(line, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([safe_cell(cell) for cell in cells])
    return line.getvalue()


def write_calendar(winbacks: Iterable[Winback], *, at: datetime) -> bytes:
    """Gives the list as a calendar: an all-day entry a deal, with an alarm at nine.

    A deal keeps its UID, so that a calendar that takes the file in again moves the entry instead of adding one.

    Args:
        winbacks: The entries.
        at: The moment, with its time zone; of two files the later one counts.

    Source: RFC 5545, sections 3.6.1, 3.6.6 and 3.8.4.7.
    """
    calendar = Calendar.new(prodid="-//lossnlp//win-back//EN", name="Win-back")
    for winback in winbacks:
        calendar.add_component(_event(winback, at))
    return bytes(calendar.to_ical())


def _event(winback: Winback, at: datetime) -> Event:
    event = Event.new(
        uid=f"{hashlib.sha256(winback.loss.deal_id.encode('utf-8', 'surrogateescape')).hexdigest()[:40]}@winback.lossnlp",
        stamp=at,
        sequence=int(at.timestamp()) // 60,
        start=winback.due_on,
        end=winback.due_on + timedelta(days=1),
        summary=summary_of(winback),
        description="\n".join(describe(winback)),
        classification=CLASS.PRIVATE,
        transparency=TRANSP.TRANSPARENT,
    )
    alarm = Alarm.new(description=summary_of(winback))
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", _ALARM)
    event.add_component(alarm)
    return event


def summary_of(winback: Winback) -> str:
    """Gives the entry in one line."""
    return f"Call back {winback.name}: {winback.reason}"


def describe(winback: Winback) -> Iterator[str]:
    """Gives the entry in lines for somebody who is about to call."""
    yield f"Deal {winback.loss.deal_id}, lost on {winback.loss.lost_on}."
    yield f"Known objection: {', '.join((winback.reason, *(f'{gap} (gap)' for gap in winback.gaps)))}."
    if winback.is_unclear:
        yield "Whether there is a way back is unclear."
    if winback.words:
        yield f"Last words ({winback.words.role or 'speaker not known'}): “{winback.words.text}”"
    if winback.loss.revisit_text:
        yield f"When, as written: “{winback.loss.revisit_text}”"
    if winback.because:
        yield f"No date in the texts, so {winback.because}"
    if winback.contract:
        yield f"Contract with another vendor: “{winback.contract.text}”"
    yield f"To open with: {winback.opener}"
