"""What waits for a person, in the order that a view asks for; counted and sorted by the database."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Subquery, and_, case, exists, func, literal, or_, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, joinedload

from serving.people.access import Viewer
from serving.review.queue_view import Facet, QueueView
from serving.review.teaching import count_judged
from serving.review.waiting import VERDICTS_DIFFER, WRITE_BACK_REFUSED
from serving.store import now
from serving.tables import DealRow, ReviewCauseRow, ReviewRow, VerdictRow
from serving.taxonomy_change.walks import find_kin

PAGE_SIZE = 50
_PER_ROUND = 5
_COLUMNS: dict[Facet, InstrumentedAttribute[Any]] = {
    "reason": ReviewRow.primary_reason,
    "cause": ReviewCauseRow.cause,
    "team": ReviewRow.team,
    "model": ReviewRow.model_version,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What one person asks of the queue at a moment.

    Args:
        person_id: Who asks; what they hold themselves is never hidden from them.
        view: Order and filters.
        at: The moment; claims that have run out by then hold nothing.
    """

    person_id: int
    view: QueueView
    at: datetime

    @classmethod
    def by(cls, viewer: Viewer, view: QueueView, at: datetime | None = None) -> Asked:
        """Gives what a viewer asks; None as the moment is this one."""
        return cls(viewer.person_id, view, at or now())


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of the queue: the review, with causes and holder loaded, and what the deal itself says."""

    review: ReviewRow
    account: str | None
    currency: str | None


def find_page(session: Session, asked: Asked) -> list[Waiting]:
    """Gives the deals on the view's page, at most 50, in its order."""
    ranked = rank(session, asked)
    page = select(ranked.c.id).order_by(*by_score(ranked, asked.view)).limit(PAGE_SIZE)
    return _load(session, session.scalars(page.offset((asked.view.page - 1) * PAGE_SIZE)).all())


def _load(session: Session, ids: Sequence[int]) -> list[Waiting]:
    query = select(ReviewRow, DealRow.account, DealRow.currency).join(DealRow, DealRow.id == ReviewRow.deal_id)
    rows = session.execute(query.where(ReviewRow.id.in_(ids)).options(joinedload(ReviewRow.claimed_by)))
    found = {review.id: Waiting(review, account, currency) for review, account, currency in rows}
    return [found[review_id] for review_id in ids if review_id in found]


def count_by(session: Session, asked: Asked, facet: Facet) -> dict[str, int]:
    """Gives how many deals wait by each value of a filter while all other filters hold, most first."""
    column, number = _COLUMNS[facet], func.count()
    query = select(column, number).select_from(ReviewRow).where(*_conditions(session, asked, without=facet))
    if facet == "cause":
        query = query.join(ReviewCauseRow, ReviewCauseRow.review_id == ReviewRow.id)
    rows = session.execute(query.where(column.is_not(None)).group_by(column).order_by(number.desc(), column))
    return dict(rows.all())


def is_all_held(session: Session, asked: Asked) -> bool:
    """Says whether deals wait that the view leaves out only because others hold them."""
    everything = replace(asked, view=replace(asked.view, has_held=True))
    return session.scalar(select(ReviewRow.id).where(*_conditions(session, everything)).limit(1)) is not None


def rank(session: Session, asked: Asked) -> Subquery:
    """Gives `id`, `score` and `is_free` of the deals of a view; `by_score` is how they stand."""
    columns = ReviewRow.id, _score(session, asked).label("score"), is_free(asked.at).label("is_free")
    return select(*columns).where(*_conditions(session, asked)).subquery("ranked")


def by_score(ranked: Subquery, view: QueueView) -> tuple[ColumnElement[Any], ColumnElement[int]]:
    """Gives the order of ranked deals; equals stand as they came."""
    return ranked.c.score.asc() if view.order == "oldest" else ranked.c.score.desc(), ranked.c.id.asc()


def comes_after(ranked: Subquery, view: QueueView, review_id: int) -> ColumnElement[bool]:
    """Gives the condition on ranked deals that they stand behind this one; none does where it is not among them."""
    there = ranked.alias("there")
    score = select(there.c.score).where(there.c.id == review_id).scalar_subquery()
    is_behind = ranked.c.score > score if view.order == "oldest" else ranked.c.score < score
    return or_(is_behind, and_(ranked.c.score == score, ranked.c.id > review_id))


def is_free(at: datetime) -> ColumnElement[bool]:
    """Gives the condition on reviews that no claim holds them."""
    return or_(ReviewRow.claimed_by_id.is_(None), ReviewRow.claimed_until_at <= at)


def is_open_to(person_id: int) -> ColumnElement[bool]:
    """Gives the condition on reviews that they wait and this person may judge them.

    Of two independent verdicts nobody gives both. Where the two differ they are no longer apart, and anyone may settle it: a
    desk of two people has no third.
    """
    judged, back = aliased(ReviewRow), aliased(VerdictRow)
    own = select(judged.id).join(VerdictRow, VerdictRow.assessment_id == judged.assessment_id)
    own = own.where(VerdictRow.person_id == person_id, VerdictRow.kind != "undo")
    own = own.where(~exists().where(back.undoes_id == VerdictRow.id))
    apart = or_(
        ReviewRow.wanted < 2, ReviewRow.id.not_in(own), _has_cause(VERDICTS_DIFFER), _has_cause(WRITE_BACK_REFUSED)
    )
    return and_(ReviewRow.state == "waiting", apart)


def _has_cause(cause: str) -> ColumnElement[bool]:
    # Not an EXISTS on each review: without statistics SQLite would walk all reviews of the cause for every one of them.
    return ReviewRow.id.in_(select(ReviewCauseRow.review_id).where(ReviewCauseRow.cause == cause))


def _conditions(session: Session, asked: Asked, *, without: Facet | None = None) -> Iterator[ColumnElement[bool]]:
    """Gives what holds for the deals of a view, one filter left out; a reason is also found under its codes in other lists."""
    view = asked.view
    yield is_open_to(asked.person_id)
    if not view.has_held:
        yield or_(is_free(asked.at), ReviewRow.claimed_by_id == asked.person_id)
    if view.older is not None:
        yield ReviewRow.created_at <= asked.at - timedelta(days=view.older)
    if view.reason is not None and without != "reason":
        yield ReviewRow.primary_reason.in_(find_kin(session, view.reason))
    if view.team is not None and without != "team":
        yield ReviewRow.team == view.team
    if view.model is not None and without != "model":
        yield ReviewRow.model_version == view.model
    if view.cause is not None and without != "cause":
        yield _has_cause(view.cause)


def _score(session: Session, asked: Asked) -> ColumnElement[Any]:
    order = asked.view.order
    if order == "teaches":
        return _teaching(session)
    if order == "value":
        return ReviewRow.uncertainty * func.coalesce(ReviewRow.amount, _mean_amount(), 1.0)
    columns: dict[str, ColumnElement[Any]] = {
        "uncertainty": ReviewRow.uncertainty.expression,
        "amount": func.coalesce(ReviewRow.amount, -1.0),
        "oldest": ReviewRow.created_at.expression,
    }
    return columns[order]


def _mean_amount() -> ColumnElement[Any]:
    """Gives what an unknown amount counts as: the mean of the known ones that wait."""
    other = aliased(ReviewRow)
    return select(func.avg(other.amount)).where(other.state == "waiting").scalar_subquery()


def _teaching(session: Session) -> ColumnElement[Any]:
    """Gives how much a verdict would teach.

    What is known of a reason grows as the root of its verdicts, as a standard error shrinks. The deals of a reason come in
    rounds of five, so that the rarest one does not fill the page.
    """
    weights = {reason: 1 / math.sqrt(1 + count) for reason, count in count_judged(session).items()}
    weight = case(weights, value=ReviewRow.primary_reason, else_=1.0) if weights else literal(1.0)
    place = func.row_number().over(
        partition_by=ReviewRow.primary_reason, order_by=(ReviewRow.uncertainty.desc(), ReviewRow.id)
    )
    return ReviewRow.uncertainty * weight - type_coerce(place - 1, Integer) // _PER_ROUND
