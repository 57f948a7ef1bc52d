"""Brings the rows that reports count up to date: one lost deal as its newest assessment, or a verdict on it, reads it."""

from __future__ import annotations

from datetime import date

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from serving.store import DEAL_FIELDS
from serving.tables import AssessmentRow, DealRow, LossElementRow, LossReasonRow, LossRivalRow, LossRow
from serving.writeback import find_winner

_PARTS = (LossReasonRow, LossElementRow, LossRivalRow)
_FLAGS = ("external_only", "insufficient_detail", "rep_buyer_conflict", "stated_reason_conflict")


def record_loss(session: Session, row: AssessmentRow, reading: Assessment, *, verdict_id: int | None = None) -> None:
    """Makes the deal count as this reading says; the caller commits.

    Args:
        session: An open unit of work.
        row: The newest assessment of the deal.
        reading: What holds: the assessment itself, or with a verdict's values in it.
        verdict_id: The verdict, None where only the model has read the deal.
    """
    for part in _PARTS:
        session.execute(delete(part).where(part.deal_id == row.deal_id))
    deal = session.get_one(DealRow, row.deal_id)
    lost_on = deal.closed_on or _first_read_on(session, row)
    session.merge(_loss_row(deal, row, reading, lost_on=lost_on, verdict_id=verdict_id))
    session.flush()  # the parts refer to it
    session.add_all(_parts(row.deal_id, reading))
    session.flush()


def _first_read_on(session: Session, row: AssessmentRow) -> date:
    """Gives the day of the deal's first assessment, which stays the same however often it is read again."""
    first = session.scalar(select(func.min(AssessmentRow.created_at)).where(AssessmentRow.deal_id == row.deal_id))
    return (first or row.created_at).date()


def _loss_row(
    deal: DealRow, row: AssessmentRow, reading: Assessment, *, lost_on: date, verdict_id: int | None
) -> LossRow:
    primary = next(reason for reason in row.assessment["reasons"] if reason["primary"])
    return LossRow(
        deal_id=row.deal_id,
        assessment_id=row.id,
        verdict_id=verdict_id,
        lost_on=lost_on,
        primary_reason=reading.primary.code,
        read_reason=row.primary_reason,
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


def _parts(deal_id: str, reading: Assessment) -> list[LossReasonRow | LossElementRow | LossRivalRow]:
    reasons = [LossReasonRow(deal_id=deal_id, code=one.code, is_primary=one.primary) for one in reading.reasons]
    elements = [
        LossElementRow(deal_id=deal_id, element=code, state=found.state)
        for code, found in reading.meddpicc.items()
        if found.state != "not_mentioned"
    ]
    roles = {rival.name[:300]: rival.role for rival in reversed(reading.competitors)}
    return [*reasons, *elements, *(LossRivalRow(deal_id=deal_id, name=name, role=role) for name, role in roles.items())]
