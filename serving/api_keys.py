"""API keys in the database: made, found, replaced by another, revoked, and when each was last used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from serving.errors import ConfigurationError, UnknownIdError
from serving.scopes import USUAL_SCOPES
from serving.store import Database, now
from serving.tables import ApiKeyRow

MOST_NAME_CHARS = 100


def add_key(
    session: Session,
    *,
    name: str,
    key_sha256: str,
    scopes: Sequence[str] = USUAL_SCOPES,
    expires_at: datetime | None = None,
) -> ApiKeyRow:
    """Gives the new row of a key. The caller commits.

    Args:
        session: An open unit of work.
        name: Who uses it, 1 to 100 printable characters.
        key_sha256: Its digest, in hex.
        scopes: What it may do, each of `classify`, `read`, `write-back`, `admin`.
        expires_at: From when it no longer counts; None is never.

    Raises:
        ConfigurationError: The name cannot be used.
    """
    if not 0 < len(name) <= MOST_NAME_CHARS or not name.isprintable():
        raise ConfigurationError(f"The name of a key needs 1 to {MOST_NAME_CHARS} printable characters.", field="name")
    row = ApiKeyRow(name=name, key_sha256=key_sha256, scopes=list(scopes), created_at=now(), expires_at=expires_at)
    session.add(row)
    session.flush()
    return row


def find_keys(session: Session, *, name: str | None = None, with_ended: bool = False) -> list[ApiKeyRow]:
    """Gives the keys in the order they were made.

    Args:
        session: An open session.
        name: Only those with this name; None gives all.
        with_ended: Whether those that are revoked or expired are given too.
    """
    query = select(ApiKeyRow).order_by(ApiKeyRow.id)
    if name is not None:
        query = query.where(ApiKeyRow.name == name)
    if not with_ended:
        is_current = or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now())
        query = query.where(ApiKeyRow.revoked_at.is_(None), is_current)
    return list(session.scalars(query))


def require_free_name(session: Session, name: str) -> None:
    """Passes when no key in use has this name: the audit log and a rotation know keys by it.

    Raises:
        ConfigurationError: One has.
    """
    if find_keys(session, name=name):
        message = (
            f"A key in use is called '{name}'; choose another name, or replace it with `lossnlp-serve keys rotate`."
        )
        raise ConfigurationError(message, field="name")


def rotate_key(session: Session, name: str, *, key_sha256: str, overlap: timedelta) -> ApiKeyRow:
    """Gives the new row of a key that takes the place of the one with this name: same scopes, and as long a life where that has an end.

    All others in use by this name expire after the overlap, or when they would anyway. The caller commits.

    Args:
        session: An open unit of work.
        name: Of the key to replace.
        key_sha256: Digest of the new key, in hex.
        overlap: How long both count.

    Raises:
        UnknownIdError: No key in use has this name.
    """
    old = find_keys(session, name=name)
    if not old:
        raise UnknownIdError(f"No key in use is called '{name}'; `lossnlp-serve keys list` shows them.")
    at, newest = now(), old[-1]
    expires_at = at + (newest.expires_at - newest.created_at) if newest.expires_at else None
    for row in old:
        row.expires_at = min(row.expires_at or at + overlap, at + overlap)
    return add_key(session, name=name, key_sha256=key_sha256, scopes=newest.scopes, expires_at=expires_at)


def revoke_key(session: Session, key_id: int) -> ApiKeyRow:
    """Gives the row of a key that is useless from now on. The caller commits.

    Raises:
        UnknownIdError: No key in use has this id.
    """
    row = session.get(ApiKeyRow, key_id)
    if row is None or row.revoked_at is not None:
        raise UnknownIdError(f"No key in use has id {key_id}; `lossnlp-serve keys list` shows them.")
    row.revoked_at = now()
    return row


def hour_of(at: datetime) -> datetime:
    """Gives the beginning of the hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def note_key_use(database: Database, key_id: int, *, at: datetime) -> None:
    """Writes down the hour of a key's use, the first time in that hour: not each request writes."""
    hour = hour_of(at)
    is_older = or_(ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at < hour)
    with database.writing() as session:
        session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id, is_older).values(last_used_at=hour))
        session.commit()
