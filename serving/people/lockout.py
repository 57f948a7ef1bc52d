"""Sign-in with a password: equal for a wrong password and an unknown e-mail, and slower after every failure.

Source: OWASP Authentication Cheat Sheet (account lockout, generic answers).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from lossnlp.errors import LossNlpError
from serving.people.accounts import find_person
from serving.people.passwords import hash_password, is_outdated, is_right_password
from serving.people.sessions import open_session
from serving.store import Database, now
from serving.tables import PersonRow

FREE_FAILURES = 5
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)
_REFUSED = (
    "This e-mail and password do not fit together, or too many tries have failed; check both, or try again later."
)
_log = structlog.get_logger(__name__)


class SignInRefusedError(LossNlpError):
    """Says that this does not sign anybody in; never, in its message, whether the e-mail has an account.

    Args:
        message: One sentence for a person.
        person_id: Whose e-mail was typed, for the audit log; None where nobody has it.
        begins_pause: Whether nobody may try for a while from now on.
    """

    code = "sign_in_refused"

    def __init__(self, message: str, *, person_id: int | None = None, begins_pause: bool = False) -> None:
        super().__init__(message)
        self.person_id = person_id
        self.begins_pause = begins_pause


@dataclass(frozen=True, slots=True)
class Offered:
    """What somebody types to sign in.

    Args:
        email: As typed.
        password: As typed.
        replaced: Cookie that the browser came with; its session ends.
    """

    email: str
    password: str = field(repr=False)
    replaced: str | None = field(default=None, repr=False)


def sign_in_with_password(database: Database, offered: Offered, *, clock: Callable[[], datetime] = now) -> str:
    """Gives the cookie of a new session.

    Args:
        database: Where accounts and sessions are.
        offered: What was typed.
        clock: Gives the moment; tests hand in their own.

    Raises:
        SignInRefusedError: Unknown e-mail, wrong password, disabled account or a pause; which of them is not told.
    """
    with database.reading() as session:
        person = find_person(session, offered.email)
        stored = person.password_hash if person is not None else None
    is_right = is_right_password(offered.password, stored)  # slow, so while no connection is held
    with database.writing() as session:
        person, at = find_person(session, offered.email, for_update=True), clock()
        # Looked at again: while this try was computed others may have failed, or the password may have changed.
        if person is None or not is_right or person.password_hash != stored or not _may_try(person, at):
            begins_pause = _note_failure(session, person, at)
            session.commit()
            person_id = None if person is None else person.id
            _log.info("sign_in_refused", person_id=person_id)
            raise SignInRefusedError(_REFUSED, person_id=person_id, begins_pause=begins_pause)
        _note_success(person, offered.password)
        token = open_session(session, person.id, at=at, replaced=offered.replaced)
        session.commit()
    _log.info("signed_in", person_id=person.id, by="password")
    return token


def pause_after(failures: int) -> timedelta | None:
    """Gives how long nobody may try after this many failures in a row; None after the first few."""
    if failures < FREE_FAILURES:
        return None
    doublings = min(failures - FREE_FAILURES, 10)  # far past the longest pause; more would only make large numbers
    return min(_FIRST_PAUSE * (1 << doublings), _LONGEST_PAUSE)


def _may_try(person: PersonRow, at: datetime) -> bool:
    is_paused = person.locked_until_at is not None and person.locked_until_at > at
    return person.disabled_at is None and not is_paused


def _note_success(person: PersonRow, password: str) -> None:
    person.failures, person.locked_until_at = 0, None
    if person.password_hash is not None and is_outdated(person.password_hash):
        person.password_hash = hash_password(password)


def _note_failure(session: Session, person: PersonRow | None, at: datetime) -> bool:
    """Says whether a pause begins with this failure, which is counted.

    Where there is none to count, a row is written as it was, since a write saved would tell an e-mail unknown.
    """
    if person is not None and _may_try(person, at):
        person.failures += 1
        pause = pause_after(person.failures)
        person.locked_until_at = at + pause if pause else None
        return pause is not None
    same_id = person.id if person is not None else session.scalar(select(func.min(PersonRow.id)))
    unchanged = update(PersonRow).where(PersonRow.id == same_id).values(failures=PersonRow.failures)
    session.execute(unchanged.execution_options(synchronize_session=False))
    return False
