"""Brings the rows that reports count up to date: one lost deal as its newest assessment, or a verdict on it, reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from serving.store import DEAL_FIELDS
from serving.tables import AssessmentRow, DealRow, LossElementRow, LossReasonRow, LossRivalRow, LossRow, RelabelledRow
from serving.taxonomy_change.walks import Carried, carry, find_steps
from serving.writeback import find_winner

_PARTS = (LossReasonRow, LossElementRow, LossRivalRow)
_FLAGS = ("external_only", "insufficient_detail", "rep_buyer_conflict", "stated_reason_conflict")


def record_loss(session: Session, row: AssessmentRow, reading: Assessment, *, verdict_id: int | None = None) -> None:
    """Makes the deal count as this reading says, in the newest codes where that is certain; the caller commits.

    Args:
        session: An open unit of work.
        row: The newest assessment of the deal.
        reading: What holds: the assessment itself, or with a verdict's values in it.
        verdict_id: The verdict, None where only the model has read the deal.
    """
    for part in _PARTS:
        session.execute(delete(part).where(part.deal_id == row.deal_id))
    carried = carry((one.code for one in reading.reasons), find_steps(session, reading.model.taxonomy_version))
    loss = _loss_row(session, row, reading, verdict_id=verdict_id)
    loss.primary_reason, loss.open_version = carried.codes[0], carried.open_version
    loss.read_reason = _read_reason(session, row, loss.primary_reason)
    session.merge(loss)
    session.flush()  # the parts refer to it
    session.add_all(_parts(row.deal_id, reading, carried.codes))
    _keep_moves(session, row.deal_id, carried)
    session.flush()


def _read_reason(session: Session, row: AssessmentRow, holds: str) -> str:
    """Gives the model's own reason in the newest codes; where that is open and an heir of it holds, the model was right."""
    carried = carry([row.primary_reason], find_steps(session, row.assessment["model"]["taxonomy_version"]))
    return holds if holds in carried.open.get(carried.codes[0], ()) else carried.codes[0]


def _keep_moves(session: Session, deal_id: str, carried: Carried) -> None:
    """Keeps what each change has made of the deal, old codes and new; what was asked for it before stays noted."""
    for move in carried.moves:
        values = {"old_reasons": [*move.before], "new_reasons": [*move.after], "open_reasons": [*move.open]}
        kept = session.get(RelabelledRow, (move.change_id, deal_id))
        if kept is None:
            session.add(RelabelledRow(change_id=move.change_id, deal_id=deal_id, **values))
        else:
            kept.old_reasons, kept.new_reasons, kept.open_reasons = values.values()


def _first_read_on(session: Session, row: AssessmentRow) -> date:
    """Gives the day of the deal's first assessment, which stays the same however often it is read again."""
    first = session.scalar(select(func.min(AssessmentRow.created_at)).where(AssessmentRow.deal_id == row.deal_id))
    return (first or row.created_at).date()


def _loss_row(session: Session, row: AssessmentRow, reading: Assessment, *, verdict_id: int | None) -> LossRow:
    deal = session.get_one(DealRow, row.deal_id)
    primary = next(reason for reason in row.assessment["reasons"] if reason["primary"])
    return LossRow(
        deal_id=row.deal_id,
        assessment_id=row.id,
        verdict_id=verdict_id,
        lost_on=deal.closed_on or _first_read_on(session, row),
        confidence=primary["confidence"],
        model_version=row.model_version,
        attribution=reading.attribution.value,
        winback=reading.winback.state,
        revisit_text=reading.winback.revisit_text and reading.winback.revisit_text[:500],
        revisit_on=reading.winback.revisit_on,
        rival=find_winner(reading),
        **{name: getattr(reading.flags, name).value for name in _FLAGS},
        **{name: getattr(deal, name) for name in DEAL_FIELDS},
    )


def _parts(
    deal_id: str, reading: Assessment, codes: Sequence[str]
) -> list[LossReasonRow | LossElementRow | LossRivalRow]:
    reasons = [LossReasonRow(deal_id=deal_id, code=code, is_primary=code == codes[0]) for code in codes]
    elements = [
        LossElementRow(deal_id=deal_id, element=code, state=found.state)
        for code, found in reading.meddpicc.items()
        if found.state != "not_mentioned"
    ]
    roles = {rival.name[:300]: rival.role for rival in reversed(reading.competitors)}
    return [*reasons, *elements, *(LossRivalRow(deal_id=deal_id, name=name, role=role) for name, role in roles.items())]
