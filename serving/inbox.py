"""The inbox: deals that a CRM has told of, kept before the door answers, taken in by one worker at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from serving.crm.protocol import LostEvent
from serving.tables import InboxRow

RETRY_AFTER_S = (30, 120, 600, 3_600, 21_600)
Door = Literal["webhook", "poll", "backfill"]
End = Literal["taken", "silent", "gone", "unreadable", "failed"]


@dataclass(frozen=True, slots=True)
class InboxClaim:
    """An event that this worker alone may take until its lease runs out."""

    inbox_id: int
    lease: str
    deal_id: str
    tries: int
    batch_id: str | None


def add_events(
    session: Session,
    events: Iterable[LostEvent],
    *,
    crm: str,
    door: Door,
    at: datetime,
    batch_id: str | None = None,
) -> int:
    """Gives how many of the events are new; one that was told before is left out, whatever became of it."""
    wanted = {event.key[:300]: event for event in events}
    known = set(session.scalars(select(InboxRow.key).where(InboxRow.crm == crm, InboxRow.key.in_(wanted))))
    new = [(key, event) for key, event in wanted.items() if key not in known]
    session.add_all(
        InboxRow(crm=crm, key=key, deal_id=event.deal_id, door=door, received_at=at, due_at=at, batch_id=batch_id)
        for key, event in new
    )
    return len(new)


def claim_events(session: Session, *, crm: str, at: datetime, lease_s: float, limit: int = 100) -> list[InboxClaim]:
    """Gives up to `limit` events to take in now, oldest first; one whose worker died comes back when its lease has run out."""
    is_due = and_(InboxRow.state == "due", InboxRow.due_at <= at)
    is_orphaned = and_(InboxRow.state == "taking", InboxRow.leased_until_at <= at)
    query = select(InboxRow).where(InboxRow.crm == crm, or_(is_due, is_orphaned)).order_by(InboxRow.id)
    lease = str(uuid4())
    claims = []
    for row in session.scalars(query.limit(limit).with_for_update(skip_locked=True)):
        row.state, row.lease, row.leased_until_at = "taking", lease, at + timedelta(seconds=lease_s)
        row.tries += 1
        claims.append(InboxClaim(row.id, lease, row.deal_id, row.tries, row.batch_id))
    return claims


def settle_event(session: Session, claim: InboxClaim, end: End, *, at: datetime, error: str | None = None) -> None:
    """Records what became of an event; a failed one comes back later until its tries are used up."""
    row = session.get_one(InboxRow, claim.inbox_id)
    if row.lease != claim.lease:
        return
    row.lease = row.leased_until_at = None
    row.error = error[:300] if error else None
    if end == "failed" and claim.tries <= len(RETRY_AFTER_S):
        row.state, row.due_at = "due", at + timedelta(seconds=RETRY_AFTER_S[claim.tries - 1])
    else:
        row.state, row.settled_at = end, at


def find_events(session: Session, *, states: Sequence[str] = (), batch_id: str | None = None) -> list[InboxRow]:
    """Gives events, oldest first: all states when none is named, all batches when none is named."""
    query = select(InboxRow).order_by(InboxRow.id)
    if states:
        query = query.where(InboxRow.state.in_(states))
    if batch_id:
        query = query.where(InboxRow.batch_id == batch_id)
    return list(session.scalars(query))


def count_events(session: Session) -> dict[str, int]:
    """Gives how many events stand in each state."""
    return dict(session.execute(select(InboxRow.state, func.count()).group_by(InboxRow.state)).all())
