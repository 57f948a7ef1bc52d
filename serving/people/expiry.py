"""When sessions end: after a while without use, and in any case after a week."""

from __future__ import annotations

from datetime import datetime, timedelta

from serving.store import Database
from serving.tables import SessionRow

IDLE_END = timedelta(hours=8)
ABSOLUTE_END = timedelta(days=7)
_NOTED_EVERY = timedelta(minutes=5)


def end_of_session(*, created_at: datetime, seen_at: datetime) -> datetime:
    """Gives the moment from which a session no longer counts."""
    return min(seen_at + IDLE_END, created_at + ABSOLUTE_END)


def is_worth_noting(row: SessionRow, at: datetime) -> bool:
    """Says whether the last noted use is so long ago that this one is written down; every single one would be a write a request."""
    return at - row.seen_at >= _NOTED_EVERY


def note_use(database: Database, token_sha256: str, *, at: datetime) -> None:
    """Moves the idle end of a session on, as long as it has not come and the session was not closed meanwhile."""
    with database.writing() as session:
        row = session.get(SessionRow, token_sha256, with_for_update=True)
        if row is not None and row.expires_at > at:
            row.seen_at = at
            row.expires_at = end_of_session(created_at=row.created_at, seen_at=at)
            session.commit()
