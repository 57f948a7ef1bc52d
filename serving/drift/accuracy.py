"""How often people found the primary reason right, month by month, with intervals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from serving.reports.correction import is_drawn
from serving.reports.cuts import MINIMUM
from serving.reports.intervals import Share, share_of
from serving.reports.pack_month import Month
from serving.review.verdict import JUDGEMENTS
from serving.tables import AssessmentRow, LossRow, VerdictRow

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the model was right in some deals that people have judged.

    Args:
        judged: How many, 0 or more.
        share: Of them those whose primary reason a person left as it was; None where too few are judged.
    """

    judged: int
    share: Share | None


@dataclass(frozen=True, slots=True)
class MonthAccuracy:
    """The accuracy on deals lost in one month.

    Args:
        month: Its first day.
        drawn: Of deals that needed no person and were drawn at random: it tells how right the accepted values are.
        asked: Of deals that a person was asked about: those are the harder ones, so that it lies lower.
    """

    month: date
    drawn: Accuracy
    asked: Accuracy


def read_accuracy(session: Session, today: date) -> tuple[MonthAccuracy, ...]:
    """Gives the accuracy of the last twelve months, the running one among them, oldest first.

    Each assessment counts with the verdict on it that holds, the last of several, whichever model had read the deal. A verdict that
    nobody can tell does not count, nor do deals that somebody opened of their own accord: those looked wrong.

    Args:
        session: An open session.
        today: The last day.
    """
    months = _months(today)
    counts: Counter[tuple[date, bool, bool]] = Counter()
    for lost_on, is_asked, is_right, deals in session.execute(_judged(months[0], today)):
        counts[lost_on.replace(day=1), bool(is_asked), bool(is_right)] += deals
    return tuple(
        MonthAccuracy(month, _accuracy(counts, month, is_asked=False), _accuracy(counts, month, is_asked=True))
        for month in months
    )


def _months(today: date) -> tuple[date, ...]:
    return tuple(Month.of(today).back(months).first for months in reversed(range(MONTHS)))


def _accuracy(counts: Counter[tuple[date, bool, bool]], month: date, *, is_asked: bool) -> Accuracy:
    right, wrong = (counts[month, is_asked, is_right] for is_right in (True, False))
    judged = right + wrong
    return Accuracy(judged, share_of(right, judged) if judged >= MINIMUM else None)


def _judged(since: date, until: date) -> Select[Any]:
    """Gives the query of judged assessments by day of loss, whether a person was asked, and whether the reason was right."""
    back = aliased(VerdictRow)
    held = select(func.max(VerdictRow.id)).where(
        VerdictRow.kind != "undo", ~exists().where(back.undoes_id == VerdictRow.id)
    )
    held = held.group_by(VerdictRow.assessment_id)
    says = VerdictRow.labels[("reasons", 0)].as_string()
    is_right = case((says == AssessmentRow.primary_reason, 1), else_=0).label("is_right")
    query = select(LossRow.lost_on, AssessmentRow.review_required, is_right, func.count())
    query = query.select_from(VerdictRow).join(AssessmentRow, AssessmentRow.id == VerdictRow.assessment_id)
    query = query.join(LossRow, LossRow.deal_id == AssessmentRow.deal_id)
    query = query.where(VerdictRow.id.in_(held), VerdictRow.kind.in_(JUDGEMENTS), LossRow.lost_on.between(since, until))
    # A verdict in another list of reasons than the answer does not say whether that was right.
    read_in, said_in = AssessmentRow.assessment[("model", "taxonomy_version")].as_string(), VerdictRow.taxonomy_version
    query = query.where(said_in.is_(None) | (said_in == read_in))
    query = query.where(AssessmentRow.review_required | is_drawn(AssessmentRow.id))
    return query.group_by(LossRow.lost_on, AssessmentRow.review_required, "is_right")
