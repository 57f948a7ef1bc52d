"""The win-back list: which lost buyers to call back when, soonest first.

The day to call is the one that the texts name, else one that follows from the primary reason. That second kind stands in no column, as
a company may set its own windows at any time; but deals with the same window are due in the order in which they were lost. So each
window is one ordered query over an index, and the list is their merge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import merge
from itertools import islice

from sqlalchemy import ColumnElement, and_, case, delete, exists, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from lossnlp.taxonomy import NOT_A_LOSS, Taxonomy
from serving.crm.protocol import Crm
from serving.reports.winback_entries import EntryMaker, Winback
from serving.reports.winback_settings import load_winback_settings
from serving.reports.winback_windows import Windows, last_loss_due_by, read_windows
from serving.store import Database, now
from serving.tables import InboxRow, LossRow, ReopenedRow, WriteBackRow

_CHUNK = 200
_LOOK_AHEAD_DAYS = 180  # what the list shows as coming; of later ones it is early to ask


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the list is wanted; None of anything is all of it.

    Args:
        due_from: First day to call.
        due_until: Last day to call.
        team: The sales team.
        reason: Code of the primary reason.
    """

    due_from: date | None = None
    due_until: date | None = None
    team: str | None = None
    reason: str | None = None


ALL = Wanted()


@dataclass(frozen=True, slots=True)
class _Stream:
    """Deals that are due in the order of one column."""

    order: InstrumentedAttribute[date] | InstrumentedAttribute[date | None]
    condition: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class WinbackList:
    """The list over one set of windows.

    Args:
        maker: Makes the entries, and knows the windows.
    """

    maker: EntryMaker

    def count(self, session: Session, wanted: Wanted = ALL, *, visible: ColumnElement[bool] | None = None) -> int:
        """Gives how many deals are on the list; see `count_each`."""
        return self.count_each(session, [wanted], visible=visible)[0]

    def count_each(
        self, session: Session, choices: Sequence[Wanted], *, visible: ColumnElement[bool] | None = None
    ) -> list[int]:
        """Gives how many deals of the list each of several choices holds, in one pass over the losses.

        Args:
            session: An open session.
            choices: What is counted, one or more.
            visible: What the viewer may see, as `sees_loss` gives it; None is all.
        """
        columns = [func.count(case((and_(self.is_due(wanted), *_narrowed(wanted)), 1))) for wanted in choices]
        return list(session.execute(select(*columns).where(*_listed(visible))).one())

    def is_due(self, wanted: Wanted) -> ColumnElement[bool]:
        """Gives the condition on losses that their day to call is wanted."""
        return or_(false(), *(stream.condition for stream in _streams(self.maker.windows, wanted)))

    def find(
        self,
        session: Session,
        wanted: Wanted = ALL,
        *,
        visible: ColumnElement[bool] | None = None,
        page: slice | None = None,
    ) -> Iterator[Winback]:
        """Gives the entries, soonest first, read as they are asked for.

        Args:
            session: An open session; it stays open while the entries are read.
            wanted: What is shown.
            visible: What the viewer may see, as `sees_loss` gives it; None is all.
            page: Which of them by their place in the list; None is all.
        """
        page = page or slice(None)
        queries = (
            select(LossRow)
            .where(stream.condition, *_listed(visible), *_narrowed(wanted))
            .order_by(stream.order, LossRow.deal_id)
            .limit(page.stop)
            .execution_options(yield_per=_CHUNK)
            for stream in _streams(self.maker.windows, wanted)
        )
        with ExitStack() as opened:
            streams = [opened.enter_context(closing(session.scalars(query))) for query in queries]
            losses = merge(*streams, key=self._due_on)
            for some in _chunks(islice(losses, page.start, page.stop)):
                yield from self.maker.make(session, some)

    def _due_on(self, loss: LossRow) -> date:
        return self.maker.due_on(loss) or date.max


def open_winbacks(taxonomy: Taxonomy, *, fiscal_year_starts: int = 1) -> WinbackList:
    """Gives the list with the windows that the installation has set.

    Args:
        taxonomy: The reasons and their labels.
        fiscal_year_starts: Month in which fiscal years start, 1 to 12.

    Raises:
        ConfigurationError: The file of windows cannot be used.
    """
    windows = read_windows(load_winback_settings().winback_windows, taxonomy.codes)
    return WinbackList(EntryMaker(taxonomy, windows, fiscal_year_starts))


def _streams(windows: Windows, wanted: Wanted) -> Iterator[_Stream]:
    low, high = wanted.due_from, wanted.due_until
    stated = [LossRow.revisit_on >= low] if low else []
    stated += [LossRow.revisit_on <= high] if high else []
    yield _Stream(LossRow.revisit_on, and_(LossRow.revisit_on.is_not(None), *stated))
    lengths = [(months, LossRow.primary_reason.in_(codes)) for months, codes in windows.spans()]
    if windows.otherwise.months is not None:
        lengths.append((windows.otherwise.months, LossRow.primary_reason.not_in(list(windows.by_reason))))
    for months, has_reason in lengths:
        lost = [LossRow.lost_on > last_loss_due_by(low - timedelta(days=1), months)] if low else []
        lost += [LossRow.lost_on <= last_loss_due_by(high, months)] if high else []
        yield _Stream(LossRow.lost_on, and_(LossRow.revisit_on.is_(None), has_reason, *lost))


def _listed(visible: ColumnElement[bool] | None) -> Iterator[ColumnElement[bool]]:
    """Gives what holds for every deal of the list that the viewer may see."""
    yield LossRow.winback.in_(("open", "unclear"))
    yield LossRow.primary_reason != NOT_A_LOSS
    yield ~exists().where(ReopenedRow.deal_id == LossRow.deal_id)
    yield true() if visible is None else visible


def _narrowed(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    """Gives what holds beside the day to call."""
    if wanted.team is not None:
        yield LossRow.team == wanted.team
    if wanted.reason is not None:
        yield LossRow.primary_reason == wanted.reason


def _chunks(losses: Iterable[LossRow]) -> Iterator[list[LossRow]]:
    left = iter(losses)
    while some := list(islice(left, _CHUNK)):
        yield some


def drop_reopened(
    crm: Crm, database: Database, winbacks: WinbackList, *, clock: Callable[[], datetime] = now
) -> tuple[int, int]:
    """Gives how many deals left the list because the CRM says that they are not lost any more, and how many came back.

    Asked are the deals that the CRM has told us of or taken values for, and that are due within 180 days; one that came in by
    another way would look re-opened to it. No transaction is open while the CRM is asked.

    Args:
        crm: The connected CRM.
        database: Where the list stands.
        winbacks: The list.
        clock: Gives the moment; tests hand in their own.

    Raises:
        CrmError: The CRM cannot be read; nothing was changed.
    """
    until = Wanted(due_until=clock().date() + timedelta(days=_LOOK_AHEAD_DAYS))
    with database.reading() as session:
        listed = _find_listed_ids(session, crm.name, winbacks, until)
        reopened = list(session.scalars(select(ReopenedRow.deal_id).where(_is_known(ReopenedRow.deal_id, crm.name))))
    lost = _fetch_lost(crm, [*listed, *reopened])
    gone, back = [one for one in listed if one not in lost], [one for one in reopened if one in lost]
    with database.writing() as session:
        for deal_id in gone:
            session.merge(ReopenedRow(deal_id=deal_id, reopened_at=clock()))
        for low in range(0, len(back), _CHUNK):
            session.execute(delete(ReopenedRow).where(ReopenedRow.deal_id.in_(back[low : low + _CHUNK])))
        session.commit()
    return len(gone), len(back)


def _find_listed_ids(session: Session, crm: str, winbacks: WinbackList, wanted: Wanted) -> list[str]:
    due = winbacks.is_due(wanted)
    query = select(LossRow.deal_id).where(due, *_listed(None), *_narrowed(wanted), _is_known(LossRow.deal_id, crm))
    return list(session.scalars(query))


def _is_known(deal_id: InstrumentedAttribute[str], crm: str) -> ColumnElement[bool]:
    """Gives the condition that a CRM is known to have held a deal."""
    told = exists().where(InboxRow.deal_id == deal_id, InboxRow.crm == crm, InboxRow.state == "taken")
    took = exists().where(WriteBackRow.deal_id == deal_id, WriteBackRow.crm == crm, WriteBackRow.state == "sent")
    return or_(told, took)


def _fetch_lost(crm: Crm, deal_ids: list[str]) -> set[str]:
    lost: set[str] = set()
    for low in range(0, len(deal_ids), crm.at_once):
        lost |= crm.fetch_requests(deal_ids[low : low + crm.at_once]).keys()
    return lost
