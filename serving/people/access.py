"""Who is looking: the signed-in viewer of a request, what their role may do, and which deals they may see."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, false, true

from serving.people.expiry import is_worth_noting, note_use
from serving.problems import ProblemError
from serving.secret_values import digest_secret
from serving.store import Database, now
from serving.tables import LossRow, SessionRow

Role = Literal["rep", "ops", "manager", "leader", "admin"]
COOKIE = "lossnlp_session"
FORM_FIELD = "form_token"
FORM_HEADER = "x-form-token"
_SEES_ALL = ("ops", "leader", "admin")


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person behind a request.

    Args:
        person_id: Of their account.
        name: As pages show it.
        role: What they may do: `ops` judge, `manager` see their teams, `leader` see all reports, `rep` see their own deals,
            `admin` everything.
        teams: The teams that a manager sees.
        owner: What the CRM calls a rep as the owner of deals; None sees none.
        form_token: What each form of theirs carries.
    """

    person_id: int
    name: str
    role: Role
    teams: tuple[str, ...] = ()
    owner: str | None = None
    form_token: str = ""


class SignInNeeded(Exception):  # noqa: N818 (it is a turn of the way, not an error)
    """Says that nobody is signed in; pages answer with the way to the sign-in form.

    Args:
        back_to: Where to go afterwards: path and query.
    """

    def __init__(self, back_to: str) -> None:
        super().__init__()
        self.back_to = back_to

    @property
    def location(self) -> str:
        """The address of the sign-in form."""
        return f"/sign-in?next={quote(self.back_to, safe='')}"


def find_viewer(request: Request) -> Viewer | None:
    """Gives who is signed in with the request's cookie, None where nobody is."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    database: Database = request.app.state.database
    at = now()
    with database.reading() as session:
        row = session.get(SessionRow, digest_secret(token))
        if row is None or row.expires_at <= at or row.person.disabled_at is not None:
            return None
        viewer, is_to_note = viewer_of(row), is_worth_noting(row, at)
    if is_to_note:
        note_use(database, digest_secret(token), at=at)
    request.state.viewer = viewer
    return viewer


def viewer_of(row: SessionRow) -> Viewer:
    """Gives the viewer of a session."""
    person = row.person
    return Viewer(person.id, person.name, person.role, tuple(person.teams), person.owner, row.form_token)  # type: ignore[arg-type]


def require_viewer(request: Request) -> Viewer:
    """Gives who is signed in.

    Raises:
        SignInNeeded: Nobody is.
    """
    viewer = find_viewer(request)
    if viewer is None:
        raise SignInNeeded(_page_of(request))
    return viewer


async def require_form(request: Request, viewer: Annotated[Viewer, Depends(require_viewer)]) -> Viewer:
    """Gives who sent a form, having checked that one of their own pages did.

    Raises:
        SignInNeeded: Nobody is signed in.
        ProblemError: 403, the form's token is missing or another's.
    """
    offered = request.headers.get(FORM_HEADER) or str((await request.form()).get(FORM_FIELD, ""))
    if not hmac.compare_digest(offered.encode(), viewer.form_token.encode()):
        raise ProblemError(403, "This form is out of date; load the page again and repeat what you did.")
    return viewer


def _page_of(request: Request) -> str:
    """Gives the page that a person is on: for a part loaded into a page that page."""
    if request.method != "GET":
        return "/review"
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query


SignedIn = Annotated[Viewer, Depends(require_viewer)]
FromForm = Annotated[Viewer, Depends(require_form)]


def require_role(*roles: Role) -> Callable[[Viewer], Viewer]:
    """Gives the dependency that lets these roles pass, and admins."""

    def check(viewer: SignedIn) -> Viewer:
        if viewer.role not in (*roles, "admin"):
            raise ProblemError(403, f"This page is for {' and '.join(roles)}; ask an admin for the role.")
        return viewer

    return check


def sees_loss(viewer: Viewer) -> ColumnElement[bool]:
    """Gives the condition on losses that this viewer may see: a manager's teams, a rep's own deals, or all."""
    if viewer.role in _SEES_ALL:
        return true()
    if viewer.role == "manager" and viewer.teams:
        return LossRow.team.in_(viewer.teams)
    if viewer.role == "rep" and viewer.owner:
        return LossRow.owner == viewer.owner
    return false()
