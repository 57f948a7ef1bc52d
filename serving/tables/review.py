"""The tables of the review desk: what waits and why, who holds it, and every verdict."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from serving.tables.base import Table
from serving.tables.deals import AssessmentRow
from serving.tables.people import PersonRow

# All that the queue filters, sorts and counts by: what waits is read from this index alone.
_QUEUE = (
    "state",
    "primary_reason",
    "uncertainty",
    "amount",
    "team",
    "model_version",
    "wanted",
    "claimed_by_id",
    "claimed_until_at",
    "created_at",
)


class ReviewRow(Table):
    """An assessment that a person should look at.

    `state` is `waiting`, `judged` (as many verdicts as `wanted`) or `replaced` (a newer assessment of the deal came).
    `uncertainty` is one less the confidence in the primary reason. A claim holds it for one person until `claimed_until_at`.
    """

    __tablename__ = "reviews"
    __table_args__ = (Index("ix_reviews_queue", *_QUEUE),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"), unique=True)
    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"), index=True)
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    wanted: Mapped[int] = mapped_column(default=1)
    uncertainty: Mapped[float]
    primary_reason: Mapped[str] = mapped_column(String(100))
    model_version: Mapped[str] = mapped_column(String(100))
    amount: Mapped[float | None]
    team: Mapped[str | None] = mapped_column(String(300))
    claimed_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    claimed_until_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    judged_at: Mapped[datetime | None]

    causes: Mapped[list[ReviewCauseRow]] = relationship(cascade="all, delete-orphan", lazy="selectin")
    assessment_row: Mapped[AssessmentRow] = relationship()
    claimed_by: Mapped[PersonRow | None] = relationship()


class ReviewCauseRow(Table):
    """One cause why an assessment waits, such as `rep_buyer_conflict`, `write_back_refused` or `audit_sample`."""

    __tablename__ = "review_causes"

    review_id: Mapped[int] = mapped_column(ForeignKey("reviews.id"), primary_key=True)
    cause: Mapped[str] = mapped_column(String(50), primary_key=True, index=True)


class VerdictRow(Table):
    """What a person said of an assessment; appended, never changed.

    `kind` is `accept`, `change`, `cannot_tell` or `undo`; an undo names the verdict it takes back. `labels` are the values that
    hold by it (see `serving.review.verdict`), None where it gives none; `shown` is what the person had before them.
    `taxonomy_version` is the list that its reasons are of; None in rows of older versions: the one of the assessment.
    """

    __tablename__ = "verdicts"
    __table_args__ = (Index(None, "deal_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"), index=True)
    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("verdicts.id"), unique=True)
    labels: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    taxonomy_version: Mapped[str | None] = mapped_column(String(100))
    comment: Mapped[str | None] = mapped_column(String(2000))
    shown: Mapped[dict[str, Any]]
    seconds: Mapped[float]
    created_at: Mapped[datetime]

    person: Mapped[PersonRow] = relationship(lazy="joined")


class SavedFilterRow(Table):
    """A view of the queue that a person keeps under a name: the query of its address."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("person_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    name: Mapped[str] = mapped_column(String(100))
    query: Mapped[str] = mapped_column(String(1000))


class SealedTextRow(Table):
    """The documents of an assessed deal, encrypted; only where an installation has switched it on."""

    __tablename__ = "sealed_texts"

    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
