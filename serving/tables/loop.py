"""The tables of the closed loop: backfills, the inbox, polls, write-backs and every attempt to send one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from serving.tables.base import ERROR_CHARS, Table
from serving.tables.deals import AssessmentRow

_WITHOUT_VERDICT: dict[str, Any] = {
    f"{dialect}_where": text("verdict_id IS NULL") for dialect in ("sqlite", "postgresql")
}


class BatchRow(Table):
    """A backfill: all deals lost since a moment, listed page by page.

    `cursor` is where listing goes on after a stop; `is_listed` says that every page has been taken into the inbox, `undone_at` that
    nothing of it is to be written any more.
    """

    __tablename__ = "batches"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    crm: Mapped[str] = mapped_column(String(50))
    since_at: Mapped[datetime | None]
    cursor: Mapped[str | None] = mapped_column(String(500))
    is_listed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    undone_at: Mapped[datetime | None]


class InboxRow(Table):
    """A deal that the CRM says was lost, waiting to be fetched and classified; the same event comes in once.

    `door` is where it first came in: the door that was called (`hubspot`, `bottlecrm`, `salesforce`, `flow`, `deals`), `poll` or
    `backfill`. `state` is `due`, `taking`, `taken`, `silent` (the deal has no text), `gone` (the CRM does not hold it),
    `unreadable` or `failed`.
    """

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("crm", "key"), Index(None, "state", "due_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    crm: Mapped[str] = mapped_column(String(50))
    key: Mapped[str] = mapped_column(String(300))
    deal_id: Mapped[str] = mapped_column(String(200))
    door: Mapped[str] = mapped_column(String(30))
    state: Mapped[str] = mapped_column(String(20), default="due")
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(String(ERROR_CHARS))
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("batches.id"))
    received_at: Mapped[datetime]
    due_at: Mapped[datetime]
    lease: Mapped[str | None] = mapped_column(String(36))
    leased_until_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]


class PollRow(Table):
    """How far the poller has come with a CRM: its running round, or between two rounds the last one.

    `since_at` is the moment the round lists from, `cursor` where it goes on after a stop; `finished_at` is set once every
    page has been taken into the inbox.
    """

    __tablename__ = "polls"

    crm: Mapped[str] = mapped_column(String(50), primary_key=True)
    since_at: Mapped[datetime]
    started_at: Mapped[datetime]
    cursor: Mapped[str | None] = mapped_column(String(500))
    finished_at: Mapped[datetime | None]


class WriteBackRow(Table):
    """Values on their way into the CRM, and what stood there before.

    `state` is `due`, `sending`, `sent`, `failed` or `undone`. `planned` is what the assessment offers; `after` what was
    really sent and not refused (None where a field was emptied), `before` what it replaced, `kept` the values of a person
    that were left alone. An assessment has one of its own, and one more for each verdict on it.
    """

    __tablename__ = "write_backs"
    __table_args__ = (
        Index(None, "state", "due_at"),
        Index(None, "deal_id", "state"),
        UniqueConstraint("assessment_id", "verdict_id"),
        Index("uq_write_backs_own", "assessment_id", unique=True, **_WITHOUT_VERDICT),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"))
    verdict_id: Mapped[int | None] = mapped_column(ForeignKey("verdicts.id"))
    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"))
    crm: Mapped[str] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(String(20), default="due")
    planned: Mapped[dict[str, Any]]
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default=dict)
    kept: Mapped[dict[str, Any]] = mapped_column(default=dict)
    due_at: Mapped[datetime]
    lease: Mapped[str | None] = mapped_column(String(36))
    leased_until_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("batches.id"), index=True)

    assessment_row: Mapped[AssessmentRow] = relationship(back_populates="write_backs")
    attempts: Mapped[list[AttemptRow]] = relationship(back_populates="write_back", order_by="AttemptRow.id")


class AttemptRow(Table):
    """One try to send or take back a write-back, recorded before it leaves.

    `outcome` is `sent`, `refused` (nothing of it was set) or `unknown`; a killed worker leaves it empty, which counts as
    unknown.
    """

    __tablename__ = "write_back_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    write_back_id: Mapped[int] = mapped_column(ForeignKey("write_backs.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10), default="send")
    after: Mapped[dict[str, Any]]
    outcome: Mapped[str | None] = mapped_column(String(20))
    error: Mapped[str | None] = mapped_column(String(ERROR_CHARS))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    write_back: Mapped[WriteBackRow] = relationship(back_populates="attempts")
