"""Sessions of browsers: opened at a sign-in, known by the digest of their cookie, closed when the person changes."""

from __future__ import annotations

import secrets
from datetime import datetime

from fastapi import Request, Response
from sqlalchemy import delete
from sqlalchemy.orm import Session

from serving.people.access import COOKIE
from serving.people.expiry import ABSOLUTE_END, end_of_session
from serving.secret_values import digest_secret
from serving.settings import Settings
from serving.tables import SessionRow

_TOKEN_BYTES = 32


def open_session(session: Session, person_id: int, *, at: datetime, replaced: str | None = None) -> str:
    """Gives the cookie of a new session. The caller commits.

    Args:
        session: An open unit of work.
        person_id: Who has just proved who they are.
        at: This moment.
        replaced: Cookie that the browser came with. Its session ends: what somebody planted there never becomes signed in.
    """
    if replaced:
        close_session(session, replaced)
    sweep_sessions(session, at)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    row = SessionRow(
        token_sha256=digest_secret(token),
        person_id=person_id,
        form_token=secrets.token_urlsafe(_TOKEN_BYTES),
        created_at=at,
        seen_at=at,
        expires_at=end_of_session(created_at=at, seen_at=at),
    )
    session.add(row)
    session.flush()
    return token


def close_session(session: Session, token: str) -> None:
    """Ends the session of this cookie, if there is one. The caller commits."""
    session.execute(delete(SessionRow).where(SessionRow.token_sha256 == digest_secret(token)))


def close_sessions_of(session: Session, person_id: int) -> None:
    """Ends all sessions of a person. The caller commits."""
    session.execute(delete(SessionRow).where(SessionRow.person_id == person_id))


def sweep_sessions(session: Session, at: datetime) -> None:
    """Deletes the sessions that have expired. The caller commits."""
    session.execute(delete(SessionRow).where(SessionRow.expires_at <= at))


def put_cookie(request: Request, response: Response, token: str) -> None:
    """Gives the browser the cookie of its session."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(ABSOLUTE_END.total_seconds()),
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response) -> None:
    """Takes the cookie back from the browser."""
    response.delete_cookie(COOKIE, secure=is_secure(request), httponly=True, samesite="lax")


def is_secure(request: Request) -> bool:
    """Says whether cookies travel over HTTPS alone; in development there mostly is none."""
    settings: Settings = request.app.state.settings
    return settings.env != "development"
