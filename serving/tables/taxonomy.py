"""The tables of changes of the list of reasons: each change that was applied, and what it made of which deal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from serving.tables.base import Table


class TaxonomyChangeRow(Table):
    """A change that was applied as one batch; until it is undone, reports count in the codes that it leads to.

    `walk` holds for each old code that a step names the new ones it may be: one where that is certain. `place` orders the changes.
    """

    __tablename__ = "taxonomy_changes"

    place: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    from_version: Mapped[str] = mapped_column(String(100))
    to_version: Mapped[str] = mapped_column(String(100))
    walk: Mapped[dict[str, Any]]
    applied_by: Mapped[str] = mapped_column(String(200))
    applied_at: Mapped[datetime]
    undone_at: Mapped[datetime | None]


class RelabelledRow(Table):
    """What a change made of a deal: the codes before and after, and those of the old ones that only a person can carry over.

    `is_asked` says that the deal was put into the queue for it, `judged_at` when a review was judged that waits again since.
    """

    __tablename__ = "relabelled_losses"

    change_id: Mapped[str] = mapped_column(ForeignKey("taxonomy_changes.id"), primary_key=True)
    deal_id: Mapped[str] = mapped_column(ForeignKey("deals.id"), primary_key=True, index=True)
    old_reasons: Mapped[list[str]] = mapped_column(JSON)
    new_reasons: Mapped[list[str]] = mapped_column(JSON)
    open_reasons: Mapped[list[str]] = mapped_column(JSON)
    is_asked: Mapped[bool] = mapped_column(default=False)
    judged_at: Mapped[datetime | None]
