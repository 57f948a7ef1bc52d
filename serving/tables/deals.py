"""The tables of deals and assessments."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from serving.tables.base import Table

if TYPE_CHECKING:
    from serving.tables.loop import WriteBackRow


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
    team: Mapped[str | None] = mapped_column(String(300))
    region: Mapped[str | None] = mapped_column(String(300))
    product: Mapped[str | None] = mapped_column(String(300))
    received_at: Mapped[datetime]


class AssessmentRow(Table):
    """One answer; the same deal, content and model give one row, whoever asks and how often."""

    __tablename__ = "assessments"
    __table_args__ = (UniqueConstraint("deal_id", "content_sha256", "model_version"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"))
    content_sha256: Mapped[str] = mapped_column(String(64))
    words_sha256: Mapped[str | None] = mapped_column(
        String(64)
    )  # of the documents alone; None in rows of older versions
    model_version: Mapped[str] = mapped_column(String(100))
    primary_reason: Mapped[str] = mapped_column(String(100))
    review_required: Mapped[bool]
    assessment: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(index=True)

    write_backs: Mapped[list[WriteBackRow]] = relationship(back_populates="assessment_row", order_by="WriteBackRow.id")

    @property
    def write_back(self) -> WriteBackRow | None:
        """The newest write-back, None where none was queued: each verdict queues one of its own."""
        return self.write_backs[-1] if self.write_backs else None
