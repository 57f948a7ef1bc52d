"""The tables that reports count: one row a lost deal as it is read now, its reasons, its gaps and its rivals.

They hold nothing that an assessment and the verdicts on it do not hold; `serving.reports.losses` brings them up to date in the
unit of work that stores either.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from serving.tables.base import Table

# All that the first table of the loss review counts: it is read from this index alone.
_COUNTED = ("lost_on", "primary_reason", "currency", "amount", "rival", "deal_id")


class LossRow(Table):
    """A lost deal as its newest assessment, or the verdict on it, reads it.

    `verdict_id` is the verdict that holds, None where only the model has read the deal. Names of rivals and people are as
    written; `rival` is the vendor that was taken or stayed. Reasons are of the newest list; `open_version` is that of an older one which
    some of them are still of, because only a person can carry them over.
    """

    __tablename__ = "losses"
    __table_args__ = (
        Index("ix_losses_counted", *_COUNTED),
        Index(None, "lost_on", "team"),
        Index(None, "revisit_on", "lost_on"),
    )

    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"), primary_key=True)
    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"))
    verdict_id: Mapped[int | None] = mapped_column(ForeignKey("verdicts.id"))
    lost_on: Mapped[date] = mapped_column(index=True)
    primary_reason: Mapped[str] = mapped_column(String(100))
    read_reason: Mapped[str] = mapped_column(String(100))  # the model's own, whatever a person said since
    open_version: Mapped[str | None] = mapped_column(String(100))
    confidence: Mapped[float]
    model_version: Mapped[str] = mapped_column(String(100))
    stated_reason: Mapped[str | None] = mapped_column(String(300))
    attribution: Mapped[str | None] = mapped_column(String(20))
    external_only: Mapped[bool | None]
    insufficient_detail: Mapped[bool | None]
    rep_buyer_conflict: Mapped[bool | None]
    stated_reason_conflict: Mapped[bool | None]
    winback: Mapped[str] = mapped_column(String(20))
    revisit_text: Mapped[str | None] = mapped_column(String(500))
    revisit_on: Mapped[date | None]
    rival: Mapped[str | None] = mapped_column(String(300))
    stage: Mapped[str | None] = mapped_column(String(300))
    amount: Mapped[float | None]
    currency: Mapped[str | None] = mapped_column(String(8))
    owner: Mapped[str | None] = mapped_column(String(300))
    account: Mapped[str | None] = mapped_column(String(300))
    segment: Mapped[str | None] = mapped_column(String(300))
    team: Mapped[str | None] = mapped_column(String(300))
    region: Mapped[str | None] = mapped_column(String(300))
    product: Mapped[str | None] = mapped_column(String(300))


class LossReasonRow(Table):
    """A reason that applies to a lost deal."""

    __tablename__ = "loss_reasons"

    deal_id: Mapped[str] = mapped_column(ForeignKey("losses.deal_id"), primary_key=True)
    code: Mapped[str] = mapped_column(String(100), primary_key=True, index=True)
    is_primary: Mapped[bool]


class LossElementRow(Table):
    """A MEDDPICC element that a lost deal speaks of: `gap` or `covered`."""

    __tablename__ = "loss_elements"

    deal_id: Mapped[str] = mapped_column(ForeignKey("losses.deal_id"), primary_key=True)
    element: Mapped[str] = mapped_column(String(100), primary_key=True, index=True)
    state: Mapped[str] = mapped_column(String(20))


class LossRivalRow(Table):
    """A rival named in a lost deal: `won`, `incumbent` or `mentioned`."""

    __tablename__ = "loss_rivals"

    deal_id: Mapped[str] = mapped_column(ForeignKey("losses.deal_id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(300), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))


class InterviewRow(Table):
    """Answers of a buyer to the question set; the words are read with the deal and not kept here.

    `marks` are 1 to 5 by question. `reasons` are the codes that the model read in each account alone, primary first: `interview`,
    and of our side `note`, or `earlier` where no note was at hand.
    """

    __tablename__ = "interviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    assessment_id: Mapped[str | None] = mapped_column(ForeignKey("assessments.id"))
    question_set: Mapped[str] = mapped_column(String(20))
    marks: Mapped[dict[str, Any]]
    reasons: Mapped[dict[str, Any]] = mapped_column(default=dict)
    held_on: Mapped[date | None]
    created_at: Mapped[datetime]


class StoryConsentRow(Table):
    """A rep's agreement that a deal may be told under their name in the loss review; without it the story is anonymous."""

    __tablename__ = "story_consents"

    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    given_at: Mapped[datetime]


class ReopenedRow(Table):
    """A lost deal that was opened again, and so leaves the win-back list."""

    __tablename__ = "reopened_deals"

    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"), primary_key=True)
    reopened_at: Mapped[datetime]


class WinbackNoticeRow(Table):
    """That the reminder or the CRM's task of a win-back was handed over, so that none goes out twice."""

    __tablename__ = "winback_notices"

    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"), primary_key=True)
    due_on: Mapped[date] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    sent_at: Mapped[datetime]
