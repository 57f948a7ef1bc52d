"""The queue of write-backs: planned with the assessment, claimed by one worker at a time, every attempt on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from serving.crm.protocol import Fields, FieldValue, SendResult
from serving.crm.rules import REVIEW_STATE
from serving.errors import UnknownIdError
from serving.leases import is_ripe
from serving.review.waiting import WRITE_BACK_REFUSED, add_cause
from serving.store import is_current
from serving.tables import AssessmentRow, AttemptRow, BatchRow, VerdictRow, WriteBackRow, cut_error
from serving.writeback import Decision

RETRY_AFTER_S = (60, 300, 1_800, 7_200, 21_600)
OPEN = ("due", "sending")


@dataclass(frozen=True, slots=True)
class Claim:
    """A write-back that this worker alone may send until its lease runs out.

    Args:
        write_back_id: Of the row.
        attempt_id: Of the row of this try.
        lease: Proves that this worker holds it.
        deal_id: The CRM's id of the deal.
        planned: What the assessment offers, in our words.
        ours: For each field of the CRM the values that we may have left there.
        is_confirmed: Whether it comes from a person's verdict.
    """

    write_back_id: int
    attempt_id: int
    lease: str
    deal_id: str
    planned: Fields
    ours: dict[str, list[FieldValue]]
    is_confirmed: bool = False


def add_write_back(
    session: Session,
    answer: AssessmentRow,
    *,
    crm: str,
    planned: Fields,
    batch_id: str | None = None,
    verdict: VerdictRow | None = None,
) -> None:
    """Queues the values of an answer for sending, in the unit of work that stores the answer, or the verdict on it."""
    at = verdict.created_at if verdict else answer.created_at
    session.add(
        WriteBackRow(
            assessment_id=answer.id,
            deal_id=answer.deal_id,
            crm=crm,
            planned=dict(planned),
            due_at=at,
            created_at=at,
            batch_id=batch_id,
            verdict_id=verdict.id if verdict else None,
        )
    )


def has_write_back(session: Session, deal_id: str, *, crm: str) -> bool:
    """Says whether a write-back has left, or may yet leave, values of ours on this deal."""
    found = exists().where(WriteBackRow.deal_id == deal_id, WriteBackRow.crm == crm, WriteBackRow.state != "undone")
    return bool(session.scalar(select(found)))


def claim_due(
    session: Session, *, crm: str, at: datetime, lease_s: float, limit: int = 50, takes_over: bool = True
) -> list[Claim]:
    """Gives up to `limit` write-backs to send now, oldest first and at most one a deal.

    A write-back whose worker died comes back when its lease has run out. A later one of the same deal waits for the
    earlier, so that an old value never lands on a newer one.

    Args:
        session: An open unit of work.
        crm: Name of the CRM.
        at: The moment.
        lease_s: How long nobody else may send them, in seconds.
        limit: Most write-backs.
        takes_over: Whether those whose lease looks as if it had run out are given too.
    """
    query = _due(crm, at, takes_over=takes_over).limit(limit).with_for_update(skip_locked=True)
    return [_lease(session, row, at=at, lease_s=lease_s) for row in session.scalars(query).all()]


def has_due(session: Session, *, crm: str, at: datetime, takes_over: bool = True) -> bool:
    """Says whether there is anything to claim; asking takes no lock."""
    return session.scalar(_due(crm, at, takes_over=takes_over).limit(1)) is not None


def find_due(session: Session, *, crm: str, at: datetime) -> list[WriteBackRow]:
    """Gives all write-backs that `claim_due` would take at this moment, and leaves them to whoever claims them."""
    return list(session.scalars(_due(crm, at)))


def _due(crm: str, at: datetime, *, takes_over: bool = True) -> Select[WriteBackRow]:
    earlier = aliased(WriteBackRow)
    waits = exists().where(
        earlier.deal_id == WriteBackRow.deal_id, earlier.id < WriteBackRow.id, earlier.state.in_(OPEN)
    )
    ripe = is_ripe(WriteBackRow.due_at, WriteBackRow.created_at, at=at, longest_pause_s=max(RETRY_AFTER_S))
    is_due = and_(WriteBackRow.state == "due", ripe)
    is_orphaned = and_(WriteBackRow.state == "sending", WriteBackRow.leased_until_at <= at)
    is_open = or_(is_due, is_orphaned) if takes_over else is_due
    query = select(WriteBackRow).where(WriteBackRow.crm == crm, is_open, ~waits)
    return query.order_by(WriteBackRow.id)


def _lease(session: Session, row: WriteBackRow, *, at: datetime, lease_s: float) -> Claim:
    lease = str(uuid4())
    row.state, row.lease, row.leased_until_at = "sending", lease, at + timedelta(seconds=lease_s)
    ours = find_ours_for(session, row)
    attempt = AttemptRow(write_back_id=row.id, after={}, started_at=at)
    session.add(attempt)
    session.flush()
    return Claim(row.id, attempt.id, lease, row.deal_id, dict(row.planned), ours, row.verdict_id is not None)


def find_our_values(
    session: Session, deal_id: str, *, crm: str, with_confirmed: bool = False
) -> dict[str, list[FieldValue]]:
    """Gives for each field the values that we may have left in the CRM.

    These are the last that arrived and those sent since with unknown outcome. What the CRM refused is not among them: if
    it stands there now, a person has set it.

    Args:
        session: An open session.
        deal_id: The CRM's id of the deal.
        crm: Name of the CRM.
        with_confirmed: Whether values that a person has confirmed count as ours; to a model they are a person's.
    """
    query = select(AttemptRow, WriteBackRow.planned).join(WriteBackRow)
    query = query.where(WriteBackRow.deal_id == deal_id, WriteBackRow.crm == crm).order_by(AttemptRow.id)
    ours: dict[str, list[FieldValue]] = {}
    for attempt, planned in session.execute(query).all():
        if not _may_have_arrived(attempt):
            continue
        is_ours = with_confirmed or planned.get(REVIEW_STATE) != "confirmed"
        for field, value in attempt.after.items():
            before = [] if attempt.outcome == "sent" else ours.get(field, [])
            ours[field] = [*before, value] if is_ours else before
    return ours


def find_ours_for(session: Session, row: WriteBackRow) -> dict[str, list[FieldValue]]:
    """Gives for each field the values that this write-back may replace as ours."""
    return find_our_values(session, row.deal_id, crm=row.crm, with_confirmed=row.verdict_id is not None)


def _may_have_arrived(attempt: AttemptRow) -> bool:
    return attempt.outcome != "refused"


def _find_left(row: WriteBackRow) -> Fields:
    """Gives the values of this write-back that may stand in the CRM, whoever has changed them since."""
    left: Fields = {}
    for attempt in filter(_may_have_arrived, row.attempts):
        left |= attempt.after
    return left


def record_intent(session: Session, claim: Claim, decision: Decision, *, until: datetime) -> bool:
    """Writes down what is about to be sent, before it is; says whether the lease still holds, which then lasts until a moment anew.

    Without this a worker killed between sending and noting the success would later take its own values for a person's.
    """
    row = session.get_one(WriteBackRow, claim.write_back_id)
    if row.lease != claim.lease:
        return False
    row.leased_until_at = until
    left = _find_left(row)
    after = {field: value for field, value in left.items() if field not in decision.kept} | decision.write
    found = {f: there for f, there in decision.before.items() if f not in left or there != left[f]}
    row.before = {field: row.before.get(field) for field in after} | found
    row.after, row.kept = after, dict(decision.kept)
    session.get_one(AttemptRow, claim.attempt_id).after = dict(decision.write)
    return True


def settle(session: Session, claim: Claim, result: SendResult, *, at: datetime) -> None:
    """Records the outcome of an attempt and sets the write-back to `sent`, to `failed`, or to `due` again later.

    What may succeed later is tried for as long as it takes, at last every few hours: a CRM that is away over a weekend loses nothing.
    """
    attempt = session.get_one(AttemptRow, claim.attempt_id)
    attempt.outcome, attempt.error, attempt.finished_at = result.outcome, cut_error(result.error), at
    row = session.get_one(WriteBackRow, claim.write_back_id)
    if row.lease != claim.lease:
        return
    row.lease = row.leased_until_at = None
    row.after = {field: value for field, value in _find_left(row).items() if field not in row.kept}
    row.before = {field: row.before.get(field) for field in row.after}
    tries = sum(attempt.kind == "send" for attempt in row.attempts)
    if result.error and result.is_retryable and not _is_overruled(session, row):
        row.state, row.due_at = "due", at + timedelta(seconds=RETRY_AFTER_S[min(tries, len(RETRY_AFTER_S)) - 1])
    else:
        row.state, row.settled_at = "failed" if result.error else "sent", at
    if row.state == "failed" and not result.is_retryable and is_current(session, row.assessment_row):
        add_cause(session, row.assessment_row, WRITE_BACK_REFUSED, at=at)


def _is_overruled(session: Session, row: WriteBackRow) -> bool:
    """Says whether a verdict has come since that says what is to be written: what is stopped is not tried again."""
    later = exists().where(
        WriteBackRow.deal_id == row.deal_id,
        WriteBackRow.crm == row.crm,
        WriteBackRow.id > row.id,
        WriteBackRow.verdict_id.is_not(None),
    )
    return bool(session.scalar(select(later)))


def send_again(row: WriteBackRow, *, batch_id: str | None = None) -> None:
    """Makes a write-back due that has failed or was taken back; what a person has set meanwhile is judged anew when it is sent."""
    row.state, row.due_at, row.settled_at = "due", row.created_at, None
    row.batch_id = batch_id or row.batch_id


def send_anew(session: Session, row: WriteBackRow, *, at: datetime, batch_id: str | None = None) -> None:
    """Makes a write-back of an answer that counts again due behind all others of its deal: what those have left is replaced.

    Args:
        session: An open unit of work.
        row: The write-back.
        at: The moment.
        batch_id: The batch that it belongs to from now on; then it is also sent where it has failed or was taken back.
    """
    is_wanted = row.state in ("due", "sent") or (batch_id is not None and row.state in ("failed", "undone"))
    stop_due(session, row.deal_id, crm=row.crm, at=at)
    if not is_wanted:
        return
    send_again(row, batch_id=batch_id)
    under_way = select(func.max(WriteBackRow.leased_until_at)).where(
        WriteBackRow.deal_id == row.deal_id, WriteBackRow.crm == row.crm, WriteBackRow.state == "sending"
    )
    row.due_at = session.scalar(under_way) or at


def is_stopped(session: Session, batch_id: str) -> bool:
    """Says whether a batch was undone, so that nothing of it may be queued any more."""
    return session.scalar(select(BatchRow.undone_at).where(BatchRow.id == batch_id)) is not None


def stop_batch(session: Session, batch_id: str, *, at: datetime) -> None:
    """Takes what a batch has not sent yet out of the queue; what may have arrived counts as failed, so that it can be taken back."""
    _stop(session, WriteBackRow.batch_id == batch_id, at=at)


def stop_due(session: Session, deal_id: str, *, crm: str, at: datetime) -> None:
    """Takes out of the queue what waits to be sent for a deal: a verdict says anew what is to be written."""
    _stop(session, and_(WriteBackRow.deal_id == deal_id, WriteBackRow.crm == crm), at=at)


def _stop(session: Session, which: ColumnElement[bool], *, at: datetime) -> None:
    # Locked and read anew: a worker may have claimed one of them a moment ago, and that one is on its way
    due = select(WriteBackRow).where(which, WriteBackRow.state == "due").with_for_update()
    for row in session.scalars(due.execution_options(populate_existing=True)).all():
        row.state, row.settled_at = "failed" if _find_left(row) else "undone", at


def find_later(session: Session, row: WriteBackRow) -> int | None:
    """Gives the id of a write-back of the same deal that shares a field with this one and has left values after it, or may leave some."""
    query = select(WriteBackRow).where(
        WriteBackRow.deal_id == row.deal_id,
        WriteBackRow.crm == row.crm,
        WriteBackRow.id != row.id,
        WriteBackRow.state.in_(("due", "sending", "sent", "failed")),
    )
    for other in session.scalars(query.order_by(WriteBackRow.id.desc())):
        if other.state in OPEN or (_last_try(other) > _last_try(row) and set(other.after) & set(row.after)):
            return other.id
    return None


def _last_try(row: WriteBackRow) -> int:
    """Gives where its last sending stands among all: an answer that counts again is sent again after younger ones."""
    return max((attempt.id for attempt in row.attempts if attempt.kind == "send"), default=0)


def get_write_back(session: Session, write_back_id: int) -> WriteBackRow:
    """Gives the write-back with this id.

    Raises:
        UnknownIdError: There is none.
    """
    row = session.get(WriteBackRow, write_back_id)
    if row is None:
        raise UnknownIdError(f"No write-back has id {write_back_id}; `lossnlp-serve write-backs list` shows them.")
    return row


def find_write_backs(session: Session, states: Sequence[str] = (), *, limit: int = 200) -> list[WriteBackRow]:
    """Gives the newest write-backs, oldest first; all states when none is named."""
    query = select(WriteBackRow).order_by(WriteBackRow.id.desc()).limit(limit)
    rows = session.scalars(query.where(WriteBackRow.state.in_(states)) if states else query).all()
    return list(reversed(rows))


def find_oldest_due(session: Session) -> datetime | None:
    """Gives since when the longest-waiting write-back is due, or from when on; None when none waits."""
    return session.scalar(select(func.min(WriteBackRow.due_at)).where(WriteBackRow.state == "due"))


def count_by_state(session: Session, *, batch_id: str | None = None) -> dict[str, int]:
    """Gives how many write-backs stand in each state: all, or those of a batch."""
    query = select(WriteBackRow.state, func.count()).group_by(WriteBackRow.state)
    return dict(session.execute(query.where(WriteBackRow.batch_id == batch_id) if batch_id else query).all())
