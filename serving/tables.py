"""The tables: keys, deals, assessments, write-backs and every attempt to send one.

No text of a deal is stored. Of its documents only a digest is kept, and in the assessment the short stretches that it
quotes as evidence; whoever deletes an assessment has deleted all that was kept of the words. The deal's own fields stay
beside it as last received, and of the CRM's fields the values that a write-back replaced or left alone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

_ERROR_CHARS = 300
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A moment that is UTC-aware on both sides; SQLite alone would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Gives the moment in UTC; a naive one is a fault of the caller."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a stored moment needs a time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Gives the stored moment in UTC; PostgreSQL answers in the zone of the session."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Gives the base of all tables; constraints are named so that migrations can address them."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012 (SQLAlchemy reads it as it is)


def cut_error(error: str | None) -> str | None:
    """Gives a cause at the length that is kept; PostgreSQL would refuse a longer one, and the whole unit of work with it."""
    return error and error[:_ERROR_CHARS]


class ApiKeyRow(Table):
    """An API key: its digest, never the key itself."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    key_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class DealRow(Table):
    """The CRM's own fields of a deal as last received; what reports group by."""

    __tablename__ = "deals"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    closed_on: Mapped[date | None]
    stated_reason: Mapped[str | None] = mapped_column(String(300))
    stage: Mapped[str | None] = mapped_column(String(300))
    amount: Mapped[float | None]
    currency: Mapped[str | None] = mapped_column(String(8))
    owner: Mapped[str | None] = mapped_column(String(300))
    account: Mapped[str | None] = mapped_column(String(300))
    segment: Mapped[str | None] = mapped_column(String(300))
    received_at: Mapped[datetime]


class AssessmentRow(Table):
    """One answer; the same deal, content and model give one row, whoever asks and how often."""

    __tablename__ = "assessments"
    __table_args__ = (UniqueConstraint("deal_id", "content_sha256", "model_version"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"))
    content_sha256: Mapped[str] = mapped_column(String(64))
    model_version: Mapped[str] = mapped_column(String(100))
    primary_reason: Mapped[str] = mapped_column(String(100))
    review_required: Mapped[bool]
    assessment: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(index=True)

    write_back: Mapped[WriteBackRow | None] = relationship(back_populates="assessment_row")


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
    error: Mapped[str | None] = mapped_column(String(_ERROR_CHARS))
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
    that were left alone.
    """

    __tablename__ = "write_backs"
    __table_args__ = (Index(None, "state", "due_at"), Index(None, "deal_id", "state"))

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"), unique=True)
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

    assessment_row: Mapped[AssessmentRow] = relationship(back_populates="write_back")
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
    error: Mapped[str | None] = mapped_column(String(_ERROR_CHARS))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    write_back: Mapped[WriteBackRow] = relationship(back_populates="attempts")
