"""The inbox: deals that a CRM has told of, kept before the door answers, taken in by one worker at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from serving.crm.protocol import LostEvent
from serving.door_settings import DoorName
from serving.leases import is_ripe
from serving.tables import InboxRow, cut_error

RETRY_AFTER_S = (30, 120, 600, 3_600, 21_600)
Door = DoorName | Literal["poll", "backfill"]
End = Literal["taken", "silent", "gone", "unreadable", "failed", "away"]
OPEN = ("due", "taking")
_TELLABLE_AGAIN = ("failed", "silent")
_DEATHS_BEFORE_ALONE = 2
_MAX_KEY_CHARS = 300


@dataclass(frozen=True, slots=True)
class InboxClaim:
    """An event that this worker alone may take until its lease runs out."""

    inbox_id: int
    lease: str
    deal_id: str
    tries: int
    batch_id: str | None


def storable_key(key: str) -> str:
    """Gives an event's key as every database can hold it: what a caller has put into it may be no Unicode, or a NUL."""
    return key.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")[:_MAX_KEY_CHARS]


def add_events(
    session: Session,
    events: Iterable[LostEvent],
    *,
    crm: str,
    door: Door,
    at: datetime,
    batch_id: str | None = None,
) -> int:
    """Gives how many of the events are to be taken in: new ones, and those told again that found no text or failed."""
    wanted = {storable_key(event.key): event for event in events}
    told = session.scalars(select(InboxRow).where(InboxRow.crm == crm, InboxRow.key.in_(wanted)))
    known = {row.key: row for row in told}
    again = [row for row in known.values() if row.state in _TELLABLE_AGAIN]
    for row in again:
        row.state, row.due_at, row.tries, row.settled_at, row.error = "due", at, 0, None, None
    new = [(key, event) for key, event in wanted.items() if key not in known]
    session.add_all(
        InboxRow(crm=crm, key=key, deal_id=event.deal_id, door=door, received_at=at, due_at=at, batch_id=batch_id)
        for key, event in new
    )
    return len(new) + len(again)


def has_due(session: Session, *, crm: str, at: datetime) -> bool:
    """Says whether there is anything to claim; asking takes no lock."""
    return session.scalar(select(InboxRow.id).where(_is_claimable(crm, at)).limit(1)) is not None


def claim_events(session: Session, *, crm: str, at: datetime, lease_s: float, limit: int = 100) -> list[InboxClaim]:
    """Gives up to `limit` events to take in now, oldest first; one whose worker died comes back when its lease has run out.

    One that comes back for the second time so is claimed alone: it may be what killed its worker, and would take its neighbours along.
    """
    query = select(InboxRow).where(_is_claimable(crm, at)).order_by(InboxRow.id)
    rows = list(session.scalars(query.limit(limit).with_for_update(skip_locked=True)))
    suspects = [row for row in rows if row.state == "taking" and row.tries >= _DEATHS_BEFORE_ALONE]
    lease = str(uuid4())
    return [_lease(row, lease, at=at, lease_s=lease_s) for row in (suspects[:1] or rows)]


def _is_claimable(crm: str, at: datetime) -> ColumnElement[bool]:
    ripe = is_ripe(InboxRow.due_at, InboxRow.received_at, at=at, longest_pause_s=max(RETRY_AFTER_S))
    is_due = and_(InboxRow.crm == crm, InboxRow.state == "due", ripe)
    is_orphaned = and_(InboxRow.crm == crm, InboxRow.state == "taking", InboxRow.leased_until_at <= at)
    return or_(is_due, is_orphaned)


def _lease(row: InboxRow, lease: str, *, at: datetime, lease_s: float) -> InboxClaim:
    row.state, row.lease, row.leased_until_at = "taking", lease, at + timedelta(seconds=lease_s)
    row.tries += 1
    return InboxClaim(row.id, lease, row.deal_id, row.tries, row.batch_id)


def settle_event(session: Session, claim: InboxClaim, end: End, *, at: datetime, error: str | None = None) -> None:
    """Records what became of an event.

    A deal that fails comes back later until its tries are used up; where the CRM was away, for as long as it takes.
    """
    row = session.get_one(InboxRow, claim.inbox_id)
    if row.lease != claim.lease:
        return
    row.lease = row.leased_until_at = None
    row.error = cut_error(error)
    if end == "away" or (end == "failed" and claim.tries <= len(RETRY_AFTER_S)):
        wait_s = RETRY_AFTER_S[min(claim.tries, len(RETRY_AFTER_S)) - 1]
        row.state, row.due_at = "due", at + timedelta(seconds=wait_s)
    else:
        row.state, row.settled_at = end, at


def stop_batch(session: Session, batch_id: str, *, at: datetime) -> None:
    """Takes what a batch has not taken in yet out of the inbox."""
    for row in session.scalars(select(InboxRow).where(InboxRow.batch_id == batch_id, InboxRow.state.in_(OPEN))):
        row.state, row.settled_at, row.lease, row.leased_until_at, row.error = "failed", at, None, None, "batch undone"


def find_events(session: Session, *, states: Sequence[str] = (), batch_id: str | None = None) -> list[InboxRow]:
    """Gives events, oldest first: all states when none is named, all batches when none is named."""
    query = select(InboxRow).order_by(InboxRow.id)
    if states:
        query = query.where(InboxRow.state.in_(states))
    if batch_id:
        query = query.where(InboxRow.batch_id == batch_id)
    return list(session.scalars(query))


def count_by_state(session: Session, *, batch_id: str | None = None) -> dict[str, int]:
    """Gives how many events stand in each state: all, or those of a batch."""
    query = select(InboxRow.state, func.count()).group_by(InboxRow.state)
    return dict(session.execute(query.where(InboxRow.batch_id == batch_id) if batch_id else query).all())


def find_oldest_due(session: Session) -> datetime | None:
    """Gives since when the longest-waiting event is due, or from when on; None when none waits."""
    return session.scalar(select(func.min(InboxRow.due_at)).where(InboxRow.state == "due"))
