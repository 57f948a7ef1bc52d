"""The pages of people, for admins: who may sign in and what they may see; every change is logged with who made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from serving.addresses import RowId
from serving.audit.chain import add_entry
from serving.audit.entries import Act, Entry
from serving.people.access import FromForm, SignedIn, Viewer, require_role
from serving.people.accounts import (
    ROLES,
    Access,
    NewPerson,
    add_person,
    change_access,
    disable_person,
    enable_person,
    find_people,
    get_person,
)
from serving.people.forms import FormFields
from serving.people.passwords import MIN_CHARS, AccountError
from serving.rendering import render_page
from serving.store import Database, now
from serving.tables import PersonRow

_PAGE = 100
_MEANINGS = {
    "rep": "sees their own deals",
    "ops": "reviews deals and sees all",
    "manager": "sees the deals of their teams",
    "leader": "sees all reports",
    "admin": "does everything, also this page",
}
_EMPTY = dict.fromkeys(("email", "name", "role", "teams", "owner"), "")
_log = structlog.get_logger(__name__)

router = APIRouter(prefix="/people", include_in_schema=False, dependencies=[Depends(require_role("admin"))])


@dataclass(frozen=True, slots=True)
class _Refused:
    """A form that was not taken: why, and what it held."""

    fault: AccountError | None = None
    typed: dict[str, str] = field(default_factory=dict)


@router.get("")
def show_people(
    request: Request,
    viewer: SignedIn,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    kept: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Shows who is there, a hundred a page, and the form for one more; `kept` is who was just changed."""
    return _list(request, viewer, page=page, kept=kept)


@router.post("")
def add(request: Request, fields: FormFields, viewer: FromForm) -> Response:
    """Makes an account."""
    database: Database = request.app.state.database
    new = NewPerson(fields.get("email", ""), fields.get("name", ""), _access(fields), fields.get("password") or None)
    try:
        with database.writing() as session:
            person = add_person(session, new, at=now())
            _audit(session, viewer, "person_add", f"person {person.id}: {person.role}")
            session.commit()
    except AccountError as error:
        return _list(request, viewer, refused=_Refused(error, fields))
    _log.info("person_added", person_id=person.id, role=person.role, by=viewer.person_id)
    return _kept(person.id)


@router.get("/{person_id}")
def show_person(request: Request, person_id: RowId, viewer: SignedIn) -> Response:
    """Shows one person and what may be changed."""
    database: Database = request.app.state.database
    with database.reading() as session:
        return _person(request, viewer, get_person(session, person_id))


@router.post("/{person_id}")
def change(request: Request, person_id: RowId, fields: FormFields, viewer: FromForm) -> Response:
    """Gives a person another role, other teams or another owner."""
    database: Database = request.app.state.database
    access = _access(fields)
    with database.writing() as session:
        person = get_person(session, person_id)
        before = Access(person.role, tuple(person.teams), person.owner)  # type: ignore[arg-type]
        try:
            change_access(session, person, access)
        except AccountError as error:
            session.rollback()
            return _person(request, viewer, person, refused=_Refused(error, fields))
        _audit(session, viewer, "person_change", f"person {person_id}: {_told(before, person)}")
        session.commit()
    _log.info("person_changed", person_id=person_id, by=viewer.person_id, **_changes(before, person))
    return _kept(person_id)


@router.post("/{person_id}/disable")
def disable(request: Request, person_id: RowId, viewer: FromForm) -> Response:
    """Keeps a person from signing in."""
    database: Database = request.app.state.database
    with database.writing() as session:
        person = get_person(session, person_id)
        try:
            disable_person(session, person, at=now())
        except AccountError as error:
            session.rollback()
            return _person(request, viewer, person, refused=_Refused(error))
        _audit(session, viewer, "person_disable", f"person {person_id}")
        session.commit()
    _log.info("person_disabled", person_id=person_id, by=viewer.person_id)
    return _kept(person_id)


@router.post("/{person_id}/enable")
def enable(request: Request, person_id: RowId, viewer: FromForm) -> Response:
    """Lets a disabled person sign in again."""
    database: Database = request.app.state.database
    with database.writing() as session:
        enable_person(get_person(session, person_id))
        _audit(session, viewer, "person_enable", f"person {person_id}")
        session.commit()
    _log.info("person_enabled", person_id=person_id, by=viewer.person_id)
    return _kept(person_id)


def _access(fields: dict[str, str]) -> Access:
    teams = tuple(team.strip() for team in fields.get("teams", "").split(",") if team.strip())
    return Access(fields.get("role", ""), teams, fields.get("owner") or None)  # type: ignore[arg-type]


def _changes(before: Access, person: PersonRow) -> dict[str, object]:
    """Gives what changed, for the log; of teams and owner only that they did, since those are a company's names."""
    changes: dict[str, object] = {"has_new_teams": list(before.teams) != person.teams}
    changes["has_new_owner"] = before.owner != person.owner
    return changes | ({"before": before.role, "after": person.role} if before.role != person.role else {})


def _told(before: Access, person: PersonRow) -> str:
    """Gives what changed, for the audit log: roles by name, of teams and owner only that they did."""
    told = [f"role {before.role} to {person.role}"] if before.role != person.role else []
    told += ["teams"] if list(before.teams) != person.teams else []
    return ", ".join(told + (["owner"] if before.owner != person.owner else [])) or "nothing"


def _audit(session: Session, viewer: Viewer, act: Act, target: str) -> None:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    add_entry(session, Entry(f"person {viewer.person_id}", act, target, request_id=request_id))


def _kept(person_id: int) -> Response:
    return RedirectResponse(f"/people?kept={person_id}", 303)


def _list(
    request: Request,
    viewer: Viewer,
    *,
    page: int = 1,
    kept: int | None = None,
    refused: _Refused = _Refused(),
) -> Response:
    database: Database = request.app.state.database
    with database.reading() as session:
        rows = find_people(session, limit=_PAGE + 1, offset=_PAGE * (page - 1))
        shown = session.get(PersonRow, kept) if kept is not None else None
    return render_page(
        request,
        "people/people.html",
        viewer=viewer,
        status=422 if refused.fault else 200,
        people=rows[:_PAGE],
        page=page,
        has_more=len(rows) > _PAGE,
        kept=shown,
        typed=_EMPTY | refused.typed,
        fault=refused.fault,
        roles={role: _MEANINGS[role] for role in ROLES},
        min_chars=MIN_CHARS,
    )


def _person(
    request: Request,
    viewer: Viewer,
    person: PersonRow,
    *,
    refused: _Refused = _Refused(),
) -> Response:
    stored = {"role": person.role, "teams": ", ".join(person.teams), "owner": person.owner or ""}
    return render_page(
        request,
        "people/person.html",
        viewer=viewer,
        status=422 if refused.fault else 200,
        person=person,
        typed=stored | refused.typed,
        fault=refused.fault,
        roles={role: _MEANINGS[role] for role in ROLES},
    )
