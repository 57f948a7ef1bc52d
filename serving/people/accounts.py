"""Accounts: made, changed and disabled by admins; what a person may do ends with the session that they had."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from serving.errors import UnknownIdError
from serving.people.access import Role
from serving.people.passwords import AccountError, hash_password, require_good_password
from serving.people.sessions import close_sessions_of
from serving.tables import PersonRow

ROLES: tuple[Role, ...] = get_args(Role)
_EMAIL = re.compile(r"[^@\s\ufffd]+@[^@\s\ufffd]+")
MOST_NAME_CHARS = 100
_MOST_EMAIL_CHARS, _MOST_CRM_CHARS = 254, 300
_MOST_TEAMS = 50


@dataclass(frozen=True, slots=True)
class Access:
    """What a person may do and see.

    Args:
        role: `rep`, `ops`, `manager`, `leader` or `admin`.
        teams: The teams whose deals a manager sees, at most 50.
        owner: What the CRM calls a rep as the owner of deals, at most 300 characters; None sees none.
    """

    role: Role
    teams: tuple[str, ...] = ()
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Someone who gets an account.

    Args:
        email: What they sign in with; capitals do not count.
        name: As pages show it, at most 100 characters.
        access: What they may do and see.
        password: Their first one; None for who signs in elsewhere.
    """

    email: str
    name: str
    access: Access
    password: str | None = None


def add_person(session: Session, new: NewPerson, *, at: datetime) -> PersonRow:
    """Gives the new account. The caller commits.

    Raises:
        AccountError: A field cannot be used, or the e-mail has an account.
    """
    email = _readable_email(new.email)
    if find_person(session, email) is not None:
        raise _taken()
    if new.password is not None:
        require_good_password(new.password, email=email)
    row = PersonRow(
        email=email,
        name=_readable(new.name, "name", most=MOST_NAME_CHARS),
        password_hash=None if new.password is None else hash_password(new.password),
        failures=0,
        created_at=at,
    )
    _set_access(row, new.access)
    session.add(row)
    try:
        session.flush()
    except IntegrityError:  # somebody else made it between the look and the write
        raise _taken() from None
    return row


def find_person(session: Session, email: str, *, for_update: bool = False) -> PersonRow | None:
    """Gives the account with this e-mail, or None.

    Args:
        session: An open unit of work.
        email: As typed.
        for_update: Whether other units of work wait for this one to change it.
    """
    query = select(PersonRow).filter_by(email=plain_email(email))
    return session.scalar(query.with_for_update() if for_update else query)


def get_person(session: Session, person_id: int) -> PersonRow:
    """Gives the account with this id.

    Raises:
        UnknownIdError: Nobody has it.
    """
    row = session.get(PersonRow, person_id)
    if row is None:
        raise UnknownIdError("Nobody has this id; /people lists who is there.")
    return row


def find_people(session: Session, *, limit: int, offset: int = 0) -> list[PersonRow]:
    """Gives people by name, those who may sign in first."""
    query = select(PersonRow).order_by(PersonRow.disabled_at.is_not(None), PersonRow.name, PersonRow.id)
    return list(session.scalars(query.limit(limit).offset(offset)))


def count_people(session: Session) -> int:
    """Gives how many accounts there are, disabled ones too."""
    return session.scalar(select(func.count()).select_from(PersonRow)) or 0


def change_access(session: Session, person: PersonRow, access: Access) -> None:
    """Gives a person another role, other teams or another owner; a new role ends their sessions. The caller commits.

    Raises:
        AccountError: A field cannot be used, or the only admin would become something else.
    """
    before = person.role
    if before == "admin" and access.role != "admin":
        _require_other_admin(session, person, field="role")
    _set_access(person, access)
    if person.role != before:
        close_sessions_of(session, person.id)


def set_password(session: Session, person: PersonRow, password: str) -> None:
    """Gives a person another password, ends their sessions and lifts a pause of their sign-in. The caller commits.

    Raises:
        AccountError: The password is not a good one.
    """
    require_good_password(password, email=person.email)
    person.password_hash = hash_password(password)
    person.failures, person.locked_until_at = 0, None
    close_sessions_of(session, person.id)


def disable_person(session: Session, person: PersonRow, *, at: datetime) -> None:
    """Keeps a person from signing in and ends their sessions; what they did stays. The caller commits.

    Raises:
        AccountError: They are the only admin.
    """
    if person.role == "admin" and person.disabled_at is None:
        _require_other_admin(session, person, field="")
    person.disabled_at = person.disabled_at or at
    close_sessions_of(session, person.id)


def enable_person(person: PersonRow) -> None:
    """Lets a person sign in again. The caller commits."""
    person.disabled_at = None


def plain_email(email: str) -> str:
    """Gives an e-mail as it is stored: without blanks around it, in small letters; PostgreSQL takes no zero character."""
    return email.strip().lower().replace("\x00", "\ufffd")


def _require_other_admin(session: Session, person: PersonRow, *, field: str) -> None:
    # Locked in one order, so that two admins who demote each other at once do not both succeed.
    admins = select(PersonRow.id).where(PersonRow.role == "admin", PersonRow.disabled_at.is_(None))
    others = set(session.scalars(admins.order_by(PersonRow.id).with_for_update())) - {person.id}
    if not others:
        raise AccountError("This is the only admin who can sign in; make another one first.", field=field or None)


def _set_access(person: PersonRow, access: Access) -> None:
    if access.role not in ROLES:
        raise AccountError(f"The role is one of {', '.join(ROLES)}.", field="role")
    teams = [_readable(team, "teams", most=_MOST_CRM_CHARS) for team in dict.fromkeys(access.teams)]
    if len(teams) > _MOST_TEAMS:
        raise AccountError(f"A person has at most {_MOST_TEAMS} teams.", field="teams")
    owner = access.owner and access.owner.strip()
    person.owner = _readable(owner, "owner", most=_MOST_CRM_CHARS) if owner else None
    person.role, person.teams = access.role, teams


def _readable(text: str, field: str, *, most: int) -> str:
    cut = text.strip()
    if not 0 < len(cut) <= most or not cut.isprintable():
        raise AccountError(f"The {field} needs 1 to {most} printable characters.", field=field)
    return cut


def _readable_email(email: str) -> str:
    plain = plain_email(email)
    if not _EMAIL.fullmatch(plain) or not plain.isprintable() or len(plain) > _MOST_EMAIL_CHARS:
        raise AccountError("The e-mail needs the form name@company.example.", field="email")
    return plain


def _taken() -> AccountError:
    return AccountError("There is an account with this e-mail.", field="email")
