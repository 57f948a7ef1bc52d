"""The poller: asks a CRM for the deals lost lately, where it tells of none by itself or an event went astray.

A round lists the deals closed or changed since the round before began, page by page. Its place is committed with the events
of each page, so that a killed poller goes on where it stopped, and neither it nor a second one beside it doubles an event.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, date, datetime, time, timedelta
from threading import Event

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from serving import inbox
from serving.crm.protocol import Crm, CrmError, LostEvent, LostPage
from serving.loops import repeat
from serving.store import Database, now
from serving.tables import PollRow

_LISTED_ANEW = timedelta(days=7)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a running round stands."""

    started_at: datetime
    since_at: datetime
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Poller:
    """Puts lost deals that a CRM lists into the inbox.

    A page holds only ids, which cannot tell one loss listed twice from a second loss of the same deal. An event's key is
    therefore the deal and the UTC day on which the round began: however often a deal is listed, it is read at most once a day.
    What changes later that day is read on the next one, because the first round of a day lists from the start of the last
    round's day; a deal whose content is unchanged is then answered from the store.

    Args:
        database: Where the inbox and the place of the round stand.
        crm: Where the deals are listed.
        clock: Gives the moment; tests hand in their own.
        since_on: UTC day from which the very first round lists; None is its own start, which leaves history to a backfill.
        overlap_s: How far a round reaches back before the start of the last one, in seconds; more than the CRM's clock may be
            slow and a change may take to show in its lists.
    """

    database: Database
    crm: Crm
    clock: Callable[[], datetime] = now
    _: KW_ONLY
    since_on: date | None = None
    overlap_s: float = 600.0

    def run(self, stop: Event, *, every_s: float = 300.0) -> None:
        """Polls until `stop` is set, with `every_s` seconds between; a fault is logged and tried again, never the end."""

        def one_round() -> bool:
            self.poll(stop)
            return False  # the next one comes after the pause, whatever this one found

        repeat(one_round, stop, wait_s=every_s, name="poll", crm=self.crm.name)

    def poll(self, stop: Event | None = None) -> int:
        """Gives how many events are new, after the round that was left unfinished or else a new one.

        Args:
            stop: Once it is set, the round ends after the page at hand; the next poll goes on there.

        Raises:
            CrmError: The CRM cannot be read; the round keeps its place.
        """
        place = self._open_round()
        following, new = self._keep_page(place, self._find_first_page(place))
        while following is not None and not (stop is not None and stop.is_set()):
            page = self.crm.find_lost(following.since_at, cursor=following.cursor)
            following, added = self._keep_page(following, page)
            new += added
        _log.info("polled", crm=self.crm.name, since=place.since_at.isoformat(), new=new, finished=following is None)
        return new

    def _open_round(self) -> _Place:
        """Gives the place of the running round; where none runs, one begins and is committed before the CRM is asked.

        Otherwise a first round that fails would begin later when tried again, and leave out what was lost meanwhile.
        """
        at = self.clock()
        try:
            return self._commit_round(at)
        except IntegrityError:  # another poller has just made the row of the very first round
            return self._commit_round(at)

    def _commit_round(self, at: datetime) -> _Place:
        with self.database.writing() as session:
            row = self._find_row(session)
            if row is None:
                since_at = at if self.since_on is None else _midnight(self.since_on)
                row = PollRow(crm=self.crm.name, since_at=since_at, started_at=at)
                session.add(row)
            elif row.finished_at is not None:
                row.since_at = self._next_since(row.started_at, at)
                row.started_at, row.cursor, row.finished_at = at, None, None
            session.commit()
            return _place(row)

    def _next_since(self, last_at: datetime, at: datetime) -> datetime:
        """Gives the moment from which a round begun at `at` lists, when the one before it began at `last_at`."""
        if last_at > at + timedelta(seconds=self.overlap_s):
            # The clock was ahead and has been set back: while it was, rounds listed from moments that had not come yet
            return _midnight(_utc_day(at) - _LISTED_ANEW)
        is_same_day = _utc_day(last_at) == _utc_day(at)
        return (last_at if is_same_day else _midnight(_utc_day(last_at))) - timedelta(seconds=self.overlap_s)

    def _find_first_page(self, place: _Place) -> LostPage:
        """Gives the page at a stored place, or the first of all where the CRM no longer accepts the cursor.

        A refused cursor and a CRM that is away raise the same error. The cursor is at fault when it fails once more after the
        first page could be read.

        Raises:
            CrmError: The CRM cannot be read.
        """
        try:
            return self.crm.find_lost(place.since_at, cursor=place.cursor)
        except CrmError:
            if place.cursor is None:
                raise
        first = self.crm.find_lost(place.since_at)
        with suppress(CrmError):
            return self.crm.find_lost(place.since_at, cursor=place.cursor)
        _log.warning("poll_cursor_refused", crm=self.crm.name)
        return first

    def _keep_page(self, place: _Place, page: LostPage) -> tuple[_Place | None, int]:
        """Gives where the round goes on, None after its last page, and how many events are new.

        A page is dropped where another poller has moved the round meanwhile: that one has kept it already.
        """
        with self.database.writing() as session:
            row = self._find_row(session)
            if row is None or row.finished_at is not None:
                return None, 0
            if _place(row) != place:
                return _place(row), 0
            at = self.clock()
            events = [_event(place, deal_id) for deal_id in page.deal_ids]
            new = inbox.add_events(session, events, crm=self.crm.name, door="poll", at=at)
            row.cursor, row.finished_at = page.cursor, at if page.cursor is None else None
            session.commit()
            return _place(row) if row.finished_at is None else None, new

    def _find_row(self, session: Session) -> PollRow | None:
        return session.get(PollRow, self.crm.name, with_for_update=True)


def _event(place: _Place, deal_id: str) -> LostEvent:
    return LostEvent(key=f"poll:{_utc_day(place.started_at)}:{deal_id}", deal_id=deal_id)


def _place(row: PollRow) -> _Place:
    return _Place(started_at=row.started_at, since_at=row.since_at, cursor=row.cursor)


def _utc_day(at: datetime) -> date:
    """Gives the UTC day of a moment."""
    return at.astimezone(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
