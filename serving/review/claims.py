"""Claims: who holds a review for a while, so that two people never work on the same deal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, or_, select, update
from sqlalchemy.orm import Session

from serving.people.access import Viewer
from serving.review.queue import Asked, by_score, comes_after, is_free, is_open_to, rank
from serving.review.queue_view import QueueView
from serving.store import now
from serving.tables import PersonRow, ReviewRow

CLAIM = timedelta(minutes=15)
_TRIED_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds a review.

    Args:
        review_id: The review.
        name: Of the person, as pages show it.
        until_at: When it is free again unless they renew it.
        is_mine: Whether it is the viewer's own.
    """

    review_id: int
    name: str
    until_at: datetime
    is_mine: bool


def claim_review(session: Session, viewer: Viewer, review_id: int, *, at: datetime | None = None) -> Hold | None:
    """Gives who holds the review now: the viewer, unless another's claim still runs. The caller commits.

    None where nobody can hold it: it does not wait, or it waits for a second verdict and the viewer has given the first.
    """
    moment = at or now()
    _take(session, viewer, review_id, at=moment, condition=_is_claimable(viewer, moment))
    return find_hold(session, viewer, review_id, at=moment)


def find_hold(session: Session, viewer: Viewer, review_id: int, *, at: datetime | None = None) -> Hold | None:
    """Gives who holds the review, None where nobody does."""
    query = select(PersonRow.id, PersonRow.name, ReviewRow.claimed_until_at).join(
        PersonRow, PersonRow.id == ReviewRow.claimed_by_id
    )
    held = session.execute(query.where(ReviewRow.id == review_id, ~is_free(at or now()))).one_or_none()
    return held and Hold(review_id, held.name, held.claimed_until_at, is_mine=held.id == viewer.person_id)


def release_review(session: Session, viewer: Viewer, review_id: int, *, until_at: datetime | None = None) -> None:
    """Makes the review free where the viewer holds it. The caller commits.

    Args:
        session: An open unit of work.
        viewer: Who leaves it.
        review_id: The review.
        until_at: As the page that is left last knew it: a page that is merely loaded anew has claimed the review again by
            the time the old one lets go. None lets go in any case.
    """
    own = update(ReviewRow).where(ReviewRow.id == review_id, ReviewRow.claimed_by_id == viewer.person_id)
    if until_at is not None:
        own = own.where(ReviewRow.claimed_until_at == until_at)
    session.execute(own.values(claimed_by_id=None, claimed_until_at=None))


def find_next(
    session: Session, viewer: Viewer, view: QueueView, *, after: int | None = None, at: datetime | None = None
) -> int | None:
    """Gives the id of the next review of a view that nobody holds, claimed for the viewer; None where all are held or done.

    Args:
        session: An open unit of work; the caller commits.
        viewer: Who takes it.
        view: Order and filters.
        after: The review that they come from: the next is behind it, or the first once it was the last.
        at: The moment; None is this one.
    """
    asked = Asked.by(viewer, view, at)
    for start in dict.fromkeys((after, None)):
        for review_id in _candidates(session, asked, after=start):
            if _take(session, viewer, review_id, at=asked.at, condition=is_free(asked.at)):
                return review_id
    return None


def _candidates(session: Session, asked: Asked, *, after: int | None) -> Iterator[int]:
    """Gives the free reviews of a view, looking anew after some of them: others may have taken those meanwhile."""
    ranked = rank(session, asked)
    query = select(ranked.c.id).where(ranked.c.is_free)
    if after is not None:
        query = query.where(comes_after(ranked, asked.view, after))
    query = query.order_by(*by_score(ranked, asked.view)).limit(_TRIED_AT_ONCE)
    while ids := session.scalars(query).all():
        yield from ids


def _is_claimable(viewer: Viewer, at: datetime) -> ColumnElement[bool]:
    return or_(is_free(at), ReviewRow.claimed_by_id == viewer.person_id)


def _take(session: Session, viewer: Viewer, review_id: int, *, at: datetime, condition: ColumnElement[bool]) -> bool:
    """Says whether the review is the viewer's now: one statement compares and sets, so that of two people one gets it."""
    taking = update(ReviewRow).where(ReviewRow.id == review_id, is_open_to(viewer.person_id), condition)
    taking = taking.values(claimed_by_id=viewer.person_id, claimed_until_at=at + CLAIM)
    taken = session.execute(taking, execution_options={"synchronize_session": "fetch"})
    return cast("CursorResult[Any]", taken).rowcount == 1
