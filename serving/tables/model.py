"""The tables of the model in service: what was chosen, what served when, and how a challenger reads beside it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from serving.tables.base import ERROR_CHARS, Table


class ModelChoiceRow(Table):
    """A bundle that was put in service, and by whom; appended, never changed.

    `source` is what LOSSNLP_MODEL says, `reference` the bundle's name there. `kind` is `use`, `rollback`, or `followed` where the
    source was switched from elsewhere and a process noticed.
    """

    __tablename__ = "model_choices"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(500), index=True)
    reference: Mapped[str] = mapped_column(String(500))
    model_version: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))
    chosen_by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime]


class ModelServiceRow(Table):
    """A time in which a process served a model, or its refusal of one.

    `ended_at` is None while it serves, and for ever where the process was killed; `refused` is why a bundle was not taken.
    """

    __tablename__ = "model_services"

    id: Mapped[int] = mapped_column(primary_key=True)
    process: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    reference: Mapped[str] = mapped_column(String(500))
    model_version: Mapped[str | None] = mapped_column(String(100), index=True)
    refused: Mapped[str | None] = mapped_column(String(ERROR_CHARS))
    began_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]


class ShadowReadingRow(Table):
    """A deal that a challenger has read beside the model in service; `failed` where it gave no answer."""

    __tablename__ = "shadow_readings"
    __table_args__ = (UniqueConstraint("assessment_id", "challenger"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"))
    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"))
    champion: Mapped[str] = mapped_column(String(100))
    challenger: Mapped[str] = mapped_column(String(100), index=True)
    failed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]

    differences: Mapped[list[ShadowDifferenceRow]] = relationship(cascade="all, delete-orphan")


class ShadowDifferenceRow(Table):
    """A value that a challenger read otherwise: codes and days alone, never words of a deal."""

    __tablename__ = "shadow_differences"

    reading_id: Mapped[int] = mapped_column(ForeignKey("shadow_readings.id"), primary_key=True)
    field: Mapped[str] = mapped_column(String(100), primary_key=True)
    champion_value: Mapped[str] = mapped_column(String(500))
    challenger_value: Mapped[str] = mapped_column(String(500))
