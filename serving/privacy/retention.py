"""Retention: what is over its time is shown, and dropped by the worker once a day or by a command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from serving.audit.by_command import record_in
from serving.drift.settings import load_drift_settings
from serving.loops import repeat
from serving.privacy.audit_cut import count_over, cut_log
from serving.privacy.kinds import KINDS, Kind
from serving.privacy.settings import RetentionSettings, load_retention_settings
from serving.store import Database, now

_PORTION = 500  # rows of a unit of work, so that nobody waits long for the write lock
_DAY_S = 24 * 3600.0
_WEEK_DAYS = 7
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Over:
    """What of one kind of record is over its time.

    Args:
        name: What its setting is called, without `_days`.
        holds: What of it goes.
        days: How long it is kept; None for good.
        rows: How many rows are over it, or were dropped.
    """

    name: str
    holds: str
    days: int | None
    rows: int = 0


def find_over(database: Database, settings: RetentionSettings, *, at: datetime) -> list[Over]:
    """Gives what `apply_retention` would drop now."""
    found = []
    with database.reading() as session:
        for kind in KINDS:
            days = _days(settings, kind)
            found.append(Over(kind.name, kind.holds, days, _count(session, kind, at, days) if days else 0))
        days = settings.audit_days
        rows = count_over(session, at - timedelta(days=days)) if days else 0
    return [*found, Over("audit", "audit log", days, rows)]


def apply_retention(database: Database, settings: RetentionSettings, *, at: datetime) -> list[Over]:
    """Gives what was dropped; each portion is in the audit log, in the unit of work that drops it."""
    found = []
    for kind in KINDS:
        days = _days(settings, kind)
        rows = sum(_portions(database, kind, at - timedelta(days=days))) if days else 0
        found.append(Over(kind.name, kind.holds, days, rows))
    days = settings.audit_days
    rows = cut_log(database, at - timedelta(days=days)) if days else 0
    return [*found, Over("audit", "audit log", days, rows)]


def run_retention(database: Database, stop: Event) -> None:
    """Drops what is over its time once a day until `stop` is set; a fault is logged and tried again the next day."""

    def drop() -> bool:
        dropped = apply_retention(database, load_retention_settings(), at=now())
        rows = {f"{over.name}: {over.holds}": over.rows for over in dropped if over.rows}
        _log.info("retention_applied", rows=rows)
        return False  # so that the loop waits

    repeat(drop, stop, wait_s=_DAY_S, name="retention")


def _days(settings: RetentionSettings, kind: Kind) -> int | None:
    """Gives how long a kind is kept: figures at least for as long as the look at drift compares them."""
    days: int | None = getattr(settings, f"{kind.name}_days")
    if days is None or kind.name != "figures":
        return days
    drift = load_drift_settings()
    return max(days, drift.days + drift.reference_days + 2 * _WEEK_DAYS)


def _count(session: Session, kind: Kind, at: datetime, days: int) -> int:
    query = kind.over(at - timedelta(days=days)).subquery()
    return session.scalar(select(func.count()).select_from(query)) or 0


def _portions(database: Database, kind: Kind, before: datetime) -> Iterator[int]:
    """Gives the sizes of the portions that were dropped, until nothing is over its time."""
    while True:
        with database.writing() as session:
            keys = list(session.scalars(kind.over(before).limit(_PORTION).with_for_update()))
            if not keys:
                return
            kind.drop(session, keys)
            record_in(session, "retention", f"{kind.holds}: {len(keys)} rows before {before:%Y-%m-%d}")
            session.commit()
        yield len(keys)
