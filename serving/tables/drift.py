"""The tables that drift is seen by: figures of each deal's words, and each look at whether they have changed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from serving.tables.base import Table


class DealFiguresRow(Table):
    """Figures of the words that an assessment was read from; see `serving.drift.figures`. They hold no word."""

    __tablename__ = "deal_figures"

    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"), primary_key=True)
    words: Mapped[int]
    content_words: Mapped[int]
    unknown_share: Mapped[float | None]
    sources: Mapped[str] = mapped_column(String(100))
    language: Mapped[str] = mapped_column(String(20))
    sketch: Mapped[list[int]] = mapped_column(JSON)


class DriftLookRow(Table):
    """One weekly look: what was compared, what was found, and how many deals were drawn into the queue for it.

    `week_on` is the Monday of its week; a week has one look, which is never changed. The newest deals are those lost from `newest_on`
    to the day before it, the others those from `reference_on` to the day before `newest_on`. `findings` are as
    `serving.drift.findings` writes them.
    """

    __tablename__ = "drift_looks"

    week_on: Mapped[date] = mapped_column(primary_key=True)
    newest_on: Mapped[date]
    reference_on: Mapped[date]
    looked_at: Mapped[datetime]
    model_version: Mapped[str | None] = mapped_column(String(100))
    level: Mapped[float]
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    sampled: Mapped[int]
