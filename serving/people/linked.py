"""Which account a person of the company's own provider has: the linked one, the one of their e-mail, or a new one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from serving.audit.chain import add_entry
from serving.audit.entries import Entry
from serving.people.accounts import MOST_NAME_CHARS, Access, NewPerson, add_person, change_access, find_person
from serving.people.oidc import Identity, OidcError
from serving.people.oidc_settings import OidcSettings
from serving.people.sessions import open_session
from serving.store import Database, now
from serving.tables import PersonRow

_MOST_SUBJECT_CHARS = 500
_log = structlog.get_logger(__name__)


def sign_in_identity(
    database: Database,
    identity: Identity,
    *,
    settings: OidcSettings,
    replaced: str | None = None,
    clock: Callable[[], datetime] = now,
) -> str:
    """Gives the cookie of a new session.

    Args:
        database: Where accounts and sessions are.
        identity: Whom the provider has signed in.
        settings: For whom the provider speaks, and whether it makes accounts.
        replaced: Cookie that the browser came with; its session ends.
        clock: Gives the moment; tests hand in their own.

    Raises:
        OidcError: No account belongs to them, or it is disabled.
        AccountError: The provider takes the role from the only admin.
    """
    with database.writing() as session:
        at = clock()
        person = _find_linked(session, identity) or _link(session, identity, settings, at=at)
        if person.disabled_at is not None:
            raise _no_account()
        is_new = person.created_at == at
        entries = [Entry("provider", "person_add", f"person {person.id}: {person.role}")] if is_new else []
        if identity.role is not None and identity.role != person.role:
            _log.info("role_given", person_id=person.id, before=person.role, after=identity.role, by="oidc")
            told = f"person {person.id}: role {person.role} to {identity.role}"
            change_access(session, person, Access(identity.role, tuple(person.teams), person.owner))
            entries.append(Entry("provider", "person_change", told))
        token = open_session(session, person.id, at=at, replaced=replaced)
        for entry in entries:
            add_entry(session, entry)
        session.commit()
    _log.info("signed_in", person_id=person.id, by="oidc")
    return token


def _find_linked(session: Session, identity: Identity) -> PersonRow | None:
    return session.scalar(select(PersonRow).filter_by(subject=identity.subject))


def _link(session: Session, identity: Identity, settings: OidcSettings, *, at: datetime) -> PersonRow:
    """Gives the account of a verified e-mail, from now on linked; a new one where the settings allow it."""
    email = identity.email
    if email is None or not settings.speaks_for(email) or len(identity.subject) > _MOST_SUBJECT_CHARS:
        raise _no_account()
    person = find_person(session, email)
    if person is None:
        if settings.default_role is None:
            raise _no_account()
        access = Access(identity.role or settings.default_role)
        person = add_person(session, NewPerson(email, _shown_name(identity.name) or _shown_name(email), access), at=at)
        _log.info("person_added", person_id=person.id, role=person.role, by="oidc")
    elif person.subject is not None:
        raise _no_account()
    person.subject = identity.subject
    return person


def _shown_name(name: str) -> str:
    return "".join(sign for sign in name if sign.isprintable()).strip()[:MOST_NAME_CHARS]


def _no_account() -> OidcError:
    _log.info("sign_in_refused", by="oidc")
    return OidcError("No account here belongs to this sign-in; ask an admin for one.")
