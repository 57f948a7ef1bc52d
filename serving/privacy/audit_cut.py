"""Cuts old rows off the audit log, so that what is left can still be proved.

The last row that goes is named by number and digest in a new row: a chain that begins later has to begin right behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from serving.audit.by_command import record_in
from serving.audit.chain import Head
from serving.store import Database
from serving.tables import AuditRow

_ROWS_LEFT = 1  # the newest row stays: the next one hangs on it
_GUARD = "audit_log_refuse"


def count_over(session: Session, before: datetime) -> int:
    """Gives how many rows a cut would drop."""
    last = _find_last_over(session, before)
    if last is None:
        return 0
    return session.scalar(select(func.count()).where(AuditRow.sequence <= last.sequence)) or 0


def cut_log(database: Database, before: datetime) -> int:
    """Gives how many rows were dropped: all up to the last that is older than a moment, but never the newest.

    Args:
        database: Of which the caller owns the tables; the guard against deletion is lifted for this unit of work alone.
        before: The moment.
    """
    with database.writing() as session:
        last = _find_last_over(session, before)
        if last is None:
            return 0
        dropped = session.scalar(select(func.count()).where(AuditRow.sequence <= last.sequence)) or 0
        head = Head(last.sequence, last.sha256)
        with unguarded(session):
            session.execute(delete(AuditRow).where(AuditRow.sequence <= last.sequence))
        record_in(session, "audit_cut", str(head))
        session.commit()
    return dropped


@contextmanager
def unguarded(session: Session) -> Iterator[None]:
    """Gives a stretch of a unit of work in which rows may be deleted."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"ALTER TABLE audit_log DISABLE TRIGGER {_GUARD}"))
        yield
        session.execute(text(f"ALTER TABLE audit_log ENABLE TRIGGER {_GUARD}"))
        return
    trigger = f"{_GUARD}_delete"
    made_by = session.scalar(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": trigger})
    session.execute(text(f"DROP TRIGGER {trigger}"))
    yield
    session.execute(text(made_by))


def _find_last_over(session: Session, before: datetime) -> AuditRow | None:
    newest = session.scalar(select(func.max(AuditRow.sequence))) or 0
    query = select(AuditRow).where(AuditRow.at < before, AuditRow.sequence <= newest - _ROWS_LEFT)
    return session.scalar(query.order_by(AuditRow.sequence.desc()).limit(1))
