"""Which waiting deals to put before people first so that a model learns most from their verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lossnlp.taxonomy import Taxonomy
from lossnlp.teaching import choose_teaching
from serving.review.verdict import JUDGEMENTS
from serving.tables import AssessmentRow, LossRow, ReviewRow, VerdictRow

_MOST_READ = 2_000


def find_teaching(session: Session, taxonomy: Taxonomy, *, count: int) -> list[int]:
    """Gives the ids of waiting reviews whose verdicts would teach most, best first.

    Of a longer queue the 2,000 least certain are weighed.

    Args:
        session: An open unit of work.
        taxonomy: The labels there are.
        count: How many, 0 or more.
    """
    query = (
        select(ReviewRow.id, ReviewRow.uncertainty, ReviewRow.primary_reason, AssessmentRow.assessment)
        .join(AssessmentRow, AssessmentRow.id == ReviewRow.assessment_id)
        .where(ReviewRow.state == "waiting")
        .order_by(ReviewRow.uncertainty.desc(), ReviewRow.id)
    )
    rows = session.execute(query.limit(_MOST_READ)).all()
    if not rows:
        return []
    vectors = confidences_of([row.assessment for row in rows], taxonomy)
    chosen = choose_teaching(
        vectors,
        [row.primary_reason for row in rows],
        count=count,
        known=count_judged(session),
        uncertainty=np.array([row.uncertainty for row in rows]),
    )
    return [rows[at].id for at in chosen]


def count_judged(session: Session) -> dict[str, int]:
    """Gives how many deals each reason has as its primary by a verdict that holds; where nobody can tell there is none."""
    query = select(LossRow.primary_reason, func.count()).join(VerdictRow, VerdictRow.id == LossRow.verdict_id)
    query = query.where(VerdictRow.kind.in_(JUDGEMENTS)).group_by(LossRow.primary_reason)
    return dict(session.execute(query).all())


def confidences_of(assessments: Sequence[Mapping[str, Any]], taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Gives what the model said of deals as vectors: two readings that are close to each other were unsure in the same way.

    Args:
        assessments: As stored.
        taxonomy: The labels there are; a vector has one place for each reason and one for each element.

    Returns:
        Confidences, shape (deals, reasons + elements), 0 where a label was not given.
    """
    places = {name: at for at, name in enumerate((*taxonomy.codes, *(f"meddpicc.{c}" for c in taxonomy.element_codes)))}
    vectors = np.zeros((len(assessments), len(places)))
    for row, assessment in enumerate(assessments):
        for name, confidence in _said(assessment):
            if name in places:
                vectors[row, places[name]] = confidence
    return vectors


def _said(assessment: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield from ((reason["code"], reason["confidence"]) for reason in assessment["reasons"])
    for code, found in assessment["meddpicc"].items():
        if found["state"] != "not_mentioned":
            yield f"meddpicc.{code}", found["confidence"]
