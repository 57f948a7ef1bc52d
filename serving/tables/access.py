"""The tables of who may do what as a program, and of what was done or refused."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from serving.tables.base import Table


class ApiKeyRow(Table):
    """An API key: its digest, never the key itself.

    `scopes` are of `classify`, `read`, `write-back` and `admin`. From `expires_at` on it no longer counts; None is never.
    `last_used_at` is the hour of its last use.
    """

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    key_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class AuditRow(Table):
    """One link of the audit log: who did or was refused what, and the digest that hangs it on the row before.

    `dropped` counts the denials that were not written since the row before, lest they fill the database. Nothing here is text of a
    deal, and the database refuses to change or delete a row.
    """

    __tablename__ = "audit_log"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(150))
    act: Mapped[str] = mapped_column(String(30))
    object: Mapped[str] = mapped_column(String(200))
    outcome: Mapped[str] = mapped_column(String(20))
    request_id: Mapped[str | None] = mapped_column(String(64))
    dropped: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str] = mapped_column(String(64))
