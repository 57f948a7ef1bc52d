"""The windows of a look: the newest weeks of lost deals, and the months before, each deal as it is read now.

A deal belongs to the day it was lost on, so that a backfill of old deals fills the months they are of and is no change. What the
model reads is compared among deals that one model has read, the one that read last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Row, Select, and_, select
from sqlalchemy.orm import Session

from serving.drift.features import Column, Sample
from serving.drift.figures import BUCKETS
from serving.reports.correction import is_drawn
from serving.review.verdict import JUDGEMENTS
from serving.tables import AssessmentRow, DealFiguresRow, LossRow, VerdictRow

_MOST = 2_000  # deals of a window, drawn at random: beyond that small changes would be told that matter to nobody


@dataclass(frozen=True, slots=True)
class Spans:
    """The days of both windows, first and last each.

    Args:
        reference: Before the newest.
        newest: Up to the Sunday before the look.
    """

    reference: tuple[date, date]
    newest: tuple[date, date]

    @classmethod
    def before(cls, week_on: date, *, days: int, reference_days: int) -> Spans:
        """Gives the windows of a week's look.

        Args:
            week_on: The Monday of the week.
            days: Length of the newest window.
            reference_days: Length of the one before.
        """
        newest_on = week_on - timedelta(days=days)
        return cls.between(newest_on - timedelta(days=reference_days), newest_on, week_on=week_on)

    @classmethod
    def between(cls, reference_on: date, newest_on: date, *, week_on: date) -> Spans:
        """Gives the windows that start on two days and end the day before the next one starts, the last before `week_on`."""
        one = timedelta(days=1)
        return cls((reference_on, newest_on - one), (newest_on, week_on - one))


@dataclass(frozen=True, slots=True)
class Windows:
    """What a look compares.

    Args:
        newest: The newest deals.
        reference: Those before.
        model_version: Whose readings are compared; None where nothing is read yet.
    """

    newest: Sample
    reference: Sample
    model_version: str | None


def read_windows(session: Session, spans: Spans) -> Windows:
    """Gives the deals of both windows; of more than 2,000 in one as many, drawn at random."""
    model = _newest_model(session)
    newest, reference = (_read_sample(session, span, model) for span in (spans.newest, spans.reference))
    return Windows(newest, reference, model)


def _newest_model(session: Session) -> str | None:
    query = select(LossRow.model_version).join(AssessmentRow, AssessmentRow.id == LossRow.assessment_id)
    return session.scalar(query.order_by(AssessmentRow.created_at.desc(), AssessmentRow.id).limit(1))


def _read_sample(session: Session, span: tuple[date, date], model: str | None) -> Sample:
    # Ids of assessments are random, so the first of them are a random sample, and the same one each time.
    query = _deals().where(LossRow.lost_on.between(*span)).order_by(LossRow.assessment_id).limit(_MOST)
    rows = session.execute(query).all()
    is_read = [row.model_version == model for row in rows]
    columns = {
        "words": _amounts([row.words for row in rows]),
        "unknown_share": _amounts([row.unknown_share for row in rows]),
        "vocabulary": _vectors(rows),
        "sources": _labels([row.sources for row in rows]),
        "language": _labels([row.language for row in rows]),
        "reason": _labels([row.read_reason for row in rows], is_read),
        "confidence": _amounts([row.confidence if known else None for row, known in zip(rows, is_read, strict=True)]),
        "waits": _labels(["asked" if row.review_required else "not asked" for row in rows], is_read),
        "right_drawn": _labels([_right(row) if row.is_drawn else None for row in rows], is_read),
        "right_asked": _labels([_right(row) if row.review_required else None for row in rows], is_read),
    }
    return Sample(_labels([row.assessment_id for row in rows]), columns)


def _deals() -> Select[Any]:
    """Gives the query of lost deals with their figures and the verdict on what the model read."""
    judged = and_(
        VerdictRow.id == LossRow.verdict_id,
        VerdictRow.assessment_id == LossRow.assessment_id,
        VerdictRow.kind.in_(JUDGEMENTS),
    )
    columns: tuple[Any, ...] = (
        LossRow.assessment_id,
        LossRow.model_version,
        LossRow.read_reason,
        LossRow.primary_reason,
        LossRow.confidence,
        AssessmentRow.review_required,
        VerdictRow.id.label("judged_by"),
        and_(~AssessmentRow.review_required, is_drawn(AssessmentRow.id)).label("is_drawn"),
        DealFiguresRow.words,
        DealFiguresRow.content_words,
        DealFiguresRow.unknown_share,
        DealFiguresRow.sources,
        DealFiguresRow.language,
        DealFiguresRow.sketch,
    )
    query: Select[Any] = select(*columns).join(AssessmentRow, AssessmentRow.id == LossRow.assessment_id)
    query = query.outerjoin(VerdictRow, judged)
    return query.outerjoin(DealFiguresRow, DealFiguresRow.assessment_id == LossRow.assessment_id)


def _right(row: Row[Any]) -> str | None:
    """Gives whether a person found the primary reason right; None where nobody said."""
    if row.judged_by is None:
        return None
    return "right" if row.read_reason == row.primary_reason else "another reason holds"


def _amounts(values: Sequence[float | None]) -> Column:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _labels(values: Sequence[str | None], known: Sequence[bool] | None = None) -> Column:
    column = np.empty(len(values), dtype=object)
    column[:] = [value if known is None or known[place] else None for place, value in enumerate(values)]
    return column


def _vectors(rows: Sequence[Row[Any]]) -> Column:
    """Gives the sketches of words as shares, so that long and short texts with the same words are alike; shape (deals, 64)."""
    column = np.full((len(rows), BUCKETS), np.nan)
    for place, row in enumerate(rows):
        if row.content_words and row.sketch is not None and len(row.sketch) == BUCKETS:
            column[place] = np.array(row.sketch, dtype=np.float64) / row.content_words
    return column
