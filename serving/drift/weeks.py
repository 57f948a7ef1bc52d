"""Week by week what comes in and what is read, for the chart of drift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from serving.reports.cuts import MINIMUM
from serving.tables import AssessmentRow, DealFiguresRow, LossRow

WEEKS = 26


@dataclass(frozen=True, slots=True)
class Week:
    """The deals lost in one week; shares and means are None where the deals are too few.

    Args:
        monday: Its first day.
        deals: How many.
        asked: Share of the deals that a person was asked about.
        confidence: Mean confidence in the primary reason, 0 to 1.
        unknown: Mean share of words outside the reference vocabulary.
    """

    monday: date
    deals: int
    asked: float | None
    confidence: float | None
    unknown: float | None


def read_weeks(session: Session, week_on: date) -> tuple[Week, ...]:
    """Gives the 26 weeks before a Monday, oldest first."""
    mondays = [week_on - timedelta(weeks=back) for back in range(WEEKS, 0, -1)]
    sums = {monday: [0.0] * 5 for monday in mondays}
    query = select(
        LossRow.lost_on,
        func.count(),
        func.sum(case((AssessmentRow.review_required, 1), else_=0)),
        func.sum(LossRow.confidence),
        func.count(DealFiguresRow.unknown_share),
        func.sum(DealFiguresRow.unknown_share),
    )
    query = query.select_from(LossRow).join(AssessmentRow, AssessmentRow.id == LossRow.assessment_id)
    query = query.outerjoin(DealFiguresRow, DealFiguresRow.assessment_id == LossRow.assessment_id)
    query = query.where(LossRow.lost_on >= mondays[0], LossRow.lost_on < week_on).group_by(LossRow.lost_on)
    for lost_on, *found in session.execute(query):
        week = sums[lost_on - timedelta(days=lost_on.weekday())]
        for place, value in enumerate(found):
            week[place] += float(value or 0)
    return tuple(_week(monday, *sums[monday]) for monday in mondays)


def _week(monday: date, *sums: float) -> Week:
    deals, asked, confidence, with_words, unknown = sums
    return Week(monday, int(deals), _mean(asked, deals), _mean(confidence, deals), _mean(unknown, with_words))


def _mean(total: float, deals: float) -> float | None:
    return total / deals if deals >= MINIMUM else None
