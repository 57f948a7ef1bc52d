"""A rep's agreement that a deal of theirs is told under their name in the loss review; without it the story is anonymous."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from serving.errors import UnknownIdError
from serving.people.access import Viewer, sees_loss
from serving.tables import LossRow, PersonRow, StoryConsentRow


def give_consent(session: Session, viewer: Viewer, deal_id: str, *, at: datetime) -> None:
    """Notes that a rep agrees; the caller commits.

    Args:
        session: An open unit of work.
        viewer: Who agrees.
        deal_id: A deal of theirs.
        at: The moment.

    Raises:
        UnknownIdError: There is no such deal, or it is not theirs.
    """
    _require_own(session, viewer, deal_id)
    session.merge(StoryConsentRow(deal_id=deal_id, person_id=viewer.person_id, given_at=at))
    session.flush()


def withdraw_consent(session: Session, viewer: Viewer, deal_id: str) -> None:
    """Takes a rep's agreement back, also where there was none; the caller commits.

    Raises:
        UnknownIdError: There is no such deal, or it is not theirs.
    """
    _require_own(session, viewer, deal_id)
    if (row := session.get(StoryConsentRow, deal_id)) is not None:
        session.delete(row)
    session.flush()


def find_consented(session: Session, deal_ids: Iterable[str]) -> frozenset[str]:
    """Gives which of some deals may be told under the rep's name: those whose owner of today has agreed."""
    query = select(LossRow.deal_id).join(StoryConsentRow, StoryConsentRow.deal_id == LossRow.deal_id)
    query = query.join(PersonRow, PersonRow.id == StoryConsentRow.person_id)
    return frozenset(
        session.scalars(query.where(LossRow.deal_id.in_(list(deal_ids)), PersonRow.owner == LossRow.owner))
    )


def _require_own(session: Session, viewer: Viewer, deal_id: str) -> None:
    own = select(LossRow.deal_id).where(LossRow.deal_id == deal_id, sees_loss(viewer))
    if viewer.role != "rep" or session.scalar(own) is None:
        raise UnknownIdError(
            "No lost deal of yours has this id; only who owns a deal says whether it is told under their name."
        )
