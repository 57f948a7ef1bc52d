"""Reviews as they come and go: which assessments wait for a person, why, and how they are drawn for a sample."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from serving.tables import AssessmentRow, DealRow, ReviewCauseRow, ReviewRow

AUDIT_SAMPLE = "audit_sample"
DRIFT_SAMPLE = "drift_sample"
WRITE_BACK_REFUSED = "write_back_refused"
VERDICTS_DIFFER = "verdicts_differ"
VERDICT_TAKEN_BACK = "verdict_taken_back"
TAXONOMY_CHANGED = "taxonomy_changed"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many deals a person sees that need not be seen.

    Args:
        audit_rate: Share of the assessments that wait for nobody but are looked at all the same, 0 to 1.
        agreement_rate: Share of the reviews that two people judge apart from each other, 0 to 1.
    """

    audit_rate: float = 0.0
    agreement_rate: float = 0.0

    def is_audited(self, key: str) -> bool:
        """Says whether an assessment is drawn for the audit; the same one always or never."""
        return _place(f"audit {key}") < self.audit_rate

    def is_judged_twice(self, key: str) -> bool:
        """Says whether two people judge it."""
        return _place(f"agreement {key}") < self.agreement_rate


def _place(key: str) -> float:
    """Gives where a key falls in [0, 1): evenly spread, and the same each time."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2**64


def open_review(session: Session, row: AssessmentRow, assessment: Assessment, sampling: Sampling) -> ReviewRow | None:
    """Gives the review of an assessment that a deal counts as from now on, None where nothing and no sample asks for one.

    What waits of older assessments of the deal waits no longer: the newer one is what would be written.
    """
    retire_waiting(session, row.deal_id)
    known = _find_review(session, row)
    if known is not None:
        known.state = "waiting" if known.state == "replaced" else known.state
        return known
    key = f"{row.deal_id} {row.content_sha256} {row.model_version}"
    causes = assessment.review.because or ((AUDIT_SAMPLE,) if sampling.is_audited(key) else ())
    if not causes:
        return None
    wanted = 2 if sampling.is_judged_twice(key) else 1
    return _add_review(session, row, causes=causes, wanted=wanted, at=row.created_at)


def retire_waiting(session: Session, deal_id: str) -> None:
    """Makes what waits of a deal wait no longer: another assessment of it is what would be written."""
    waiting = update(ReviewRow).where(ReviewRow.deal_id == deal_id, ReviewRow.state == "waiting")
    session.execute(waiting.values(state="replaced", claimed_by_id=None, claimed_until_at=None))


def move_waiting(session: Session, row: AssessmentRow) -> None:
    """Makes what waits of a deal wait on the assessment that counts from now on: of the same words, but nobody can judge another."""
    waiting = select(ReviewRow).where(ReviewRow.deal_id == row.deal_id, ReviewRow.state == "waiting")
    causes = sorted({cause.cause for review in session.scalars(waiting) for cause in review.causes})
    retire_waiting(session, row.deal_id)
    for cause in causes:
        add_cause(session, row, cause, at=row.created_at)


def _find_review(session: Session, row: AssessmentRow) -> ReviewRow | None:
    query = select(ReviewRow).where(ReviewRow.assessment_id == row.id)
    return session.scalar(query.execution_options(populate_existing=True))


def _add_review(session: Session, row: AssessmentRow, *, causes: Sequence[str], wanted: int, at: datetime) -> ReviewRow:
    deal = session.get_one(DealRow, row.deal_id)
    primary = next(reason for reason in row.assessment["reasons"] if reason["primary"])
    review = ReviewRow(
        assessment_id=row.id,
        deal_id=row.deal_id,
        state="waiting",
        wanted=wanted,
        uncertainty=1.0 - primary["confidence"],
        primary_reason=row.primary_reason,
        model_version=row.model_version,
        amount=deal.amount,
        team=deal.team,
        created_at=at,
        causes=[ReviewCauseRow(cause=cause) for cause in causes],
    )
    session.add(review)
    session.flush()
    return review


def add_cause(session: Session, row: AssessmentRow, cause: str, *, at: datetime) -> ReviewRow:
    """Gives the review of an assessment, waiting for this cause too; one that was judged waits again.

    Args:
        session: An open unit of work.
        row: The assessment.
        cause: Why a person should look.
        at: The moment.
    """
    review = _find_review(session, row)
    if review is None:
        return _add_review(session, row, causes=[cause], wanted=1, at=at)
    if cause not in [known.cause for known in review.causes]:
        review.causes.append(ReviewCauseRow(cause=cause))
    review.state, review.judged_at = "waiting", None
    session.flush()
    return review
