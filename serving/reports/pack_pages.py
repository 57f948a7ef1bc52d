"""The pages of the monthly loss review: the review itself, the choice of month and team, and a rep's agreement to be named."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serving.audit.exports import note_export
from serving.people.access import FromForm, Viewer, require_role
from serving.people.forms import FormFields
from serving.rendering import render_page
from serving.reports.cuts import CutError
from serving.reports.loss_requests import taxonomy_of, today
from serving.reports.pack import Asked, render_pack
from serving.reports.pack_files import PackMaker, file_name
from serving.reports.pack_month import Month, parse_month
from serving.reports.story_consents import give_consent, withdraw_consent
from serving.store import Database, now

router = APIRouter(include_in_schema=False)

PackViewer = Annotated[Viewer, Depends(require_role("manager", "leader"))]
_HEADERS = {
    # The page loads nothing at all; its styles stand in it
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "private, no-store",
}
_MOST_PAGES = 10_000


@router.get("/losses/pack")
def show_pack(request: Request, viewer: PackViewer) -> Response:
    """Gives the review of a month as one file to read or keep; without a month the form that asks for one."""
    maker = _maker(request)
    teams = maker.find_teams(viewer=viewer)
    given = {name: request.query_params.get(name, "").strip() for name in ("month", "team")}
    try:
        asked = _read_asked(given, teams)
    except CutError as error:
        return _choice(request, viewer, given, teams=teams, fault=error)
    if asked is None:
        given["month"] = str(Month.of(today()).back(1))
        return _choice(request, viewer, given, teams=teams)
    note_export(request, viewer)
    page = render_pack(maker.make(asked, viewer=viewer))
    disposition = f'inline; filename="{file_name(asked.month, asked.team)}"'
    return HTMLResponse(page, headers={**_HEADERS, "Content-Disposition": disposition})


def _read_asked(given: dict[str, str], teams: list[str]) -> Asked | None:
    """Gives what is asked for, None where nothing is.

    Raises:
        CutError: The month or the team cannot be used; names it.
    """
    if not any(given.values()):
        return None
    month = parse_month(given["month"], today=today())
    team = given["team"] or None
    if team is not None and team not in teams:
        raise CutError("'team' is none that you see deals of; choose one of the list.", field="team")
    return Asked(month, team, today())


def _choice(
    request: Request, viewer: Viewer, given: dict[str, str], *, teams: list[str], fault: CutError | None = None
) -> HTMLResponse:
    status = 422 if fault else 200
    return render_page(request, "pack/choose.html", viewer=viewer, status=status, given=given, teams=teams, fault=fault)


def _maker(request: Request) -> PackMaker:
    state = request.app.state
    year: int = state.settings.fiscal_year_starts
    return PackMaker(state.database, taxonomy_of(request), getattr(state, "texts", None), year)


@router.post("/deals/{deal_id:path}/story-consent")
def agree_to_story(request: Request, deal_id: str, form: FormFields, viewer: FromForm) -> RedirectResponse:
    """Notes that a rep's deal may be told under their name, and leads back to their deals."""
    database: Database = request.app.state.database
    with database.writing() as session:
        give_consent(session, viewer, deal_id, at=now())
        session.commit()
    return _back(form)


@router.post("/deals/{deal_id:path}/story-consent/withdraw")
def withdraw_from_story(request: Request, deal_id: str, form: FormFields, viewer: FromForm) -> RedirectResponse:
    """Takes a rep's agreement back, and leads back to their deals."""
    database: Database = request.app.state.database
    with database.writing() as session:
        withdraw_consent(session, viewer, deal_id)
        session.commit()
    return _back(form)


def _back(form: dict[str, str]) -> RedirectResponse:
    page = form.get("page", "1")
    number = int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1
    query = urlencode({"page": min(max(number, 1), _MOST_PAGES)})
    return RedirectResponse(f"/losses/mine?{query}", 303)
