"""The pages of the win-back list: on screen, as CSV and as iCalendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from lossnlp.taxonomy import NOT_A_LOSS, Taxonomy
from serving.audit.exports import note_export
from serving.people.access import SignedIn, Viewer, sees_loss
from serving.problems import ProblemError
from serving.rendering import render_page
from serving.reports.winback_exports import write_calendar, write_csv
from serving.reports.winbacks import Wanted, WinbackList, open_winbacks
from serving.store import Database, now
from serving.tables import LossRow

router = APIRouter(include_in_schema=False)

MOST_EVENTS = 1_000
_PAGE = 25
_MOST_PAGES = 10_000
_FIELDS = ("due", "team", "reason")
_DUE = {"": "All", "overdue": "Overdue", "30": "Within 30 days", "90": "Within 90 days", "180": "Within 180 days"}
_PRIVATE = {"Cache-Control": "private, no-store"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """The filters of an address.

    Args:
        wanted: What they mean.
        values: As they were given.
        faults: What is wrong, by field.
        page: Which page, from 1.
    """

    wanted: Wanted
    values: Mapping[str, str]
    faults: Mapping[str, str]
    page: int = 1

    @property
    def due(self) -> str:
        """The time that the list is for, as it was given; empty, which is all, where that could not be read."""
        return "" if "due" in self.faults else self.values["due"]

    @property
    def query(self) -> str:
        """The filters as the query of an address; empty without any."""
        given = {name: value for name, value in self.values.items() if value and name not in self.faults}
        return f"?{urlencode(given)}" if given else ""


@router.get("/winbacks")
def show_winbacks(request: Request, viewer: SignedIn) -> Response:
    """Shows the list, a page at a time; a filter that cannot be read is told at its field and left out."""
    winbacks, taxonomy, today = _list_of(request), _taxonomy(request), now().date()
    asked, visible = _read_filters(request, taxonomy, today), sees_loss(viewer)
    database: Database = request.app.state.database
    with database.reading() as session:
        times = [_due_in(asked.wanted, due, today) for due in _DUE]
        counts = dict(zip(_DUE, winbacks.count_each(session, times, visible=visible), strict=True))
        total = counts[asked.due]
        page = slice(_PAGE * (asked.page - 1), _PAGE * asked.page)
        values = {
            "total": total,
            "entries": list(winbacks.find(session, asked.wanted, visible=visible, page=page)),
            "due": [{"value": due, "label": label, "count": counts[due]} for due, label in _DUE.items()],
            "teams": _find_teams(session, viewer),
            "pages": max(1, -(-total // _PAGE)),
        }
    reasons = [reason for reason in taxonomy.reasons if reason.code != NOT_A_LOSS]
    status = 422 if asked.faults else 200
    values |= {"asked": asked, "reasons": reasons, "today": today, "most_events": MOST_EVENTS}
    return render_page(request, "winbacks/list.html", viewer=viewer, status=status, **values)


@router.get("/winbacks.csv")
def download_csv(request: Request, viewer: SignedIn) -> Response:
    """Gives all of the list as CSV."""
    note_export(request, viewer)
    winbacks, asked = _list_of(request), _read_for_download(request)
    database: Database = request.app.state.database
    with database.reading() as session:
        lines = "".join(write_csv(winbacks.find(session, asked.wanted, visible=sees_loss(viewer))))
    headers = {"Content-Disposition": 'attachment; filename="winbacks.csv"', **_PRIVATE}
    # The mark at the start makes spreadsheets read UTF-8.
    return Response(lines.encode("utf-8-sig", "replace"), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/winbacks.ics")
def download_calendar(request: Request, viewer: SignedIn) -> Response:
    """Gives the list as a calendar, the soonest 1,000."""
    note_export(request, viewer)
    winbacks, asked = _list_of(request), _read_for_download(request)
    database: Database = request.app.state.database
    with database.reading() as session:
        found = winbacks.find(session, asked.wanted, visible=sees_loss(viewer), page=slice(0, MOST_EVENTS))
        calendar = write_calendar(found, at=now())
    headers = {"Content-Disposition": 'attachment; filename="winbacks.ics"', **_PRIVATE}
    return Response(calendar, media_type="text/calendar; charset=utf-8", headers=headers)


def _list_of(request: Request) -> WinbackList:
    return open_winbacks(_taxonomy(request), fiscal_year_starts=request.app.state.settings.fiscal_year_starts)


def _taxonomy(request: Request) -> Taxonomy:
    taxonomy: Taxonomy = request.state.intake.assessor.taxonomy
    return taxonomy


def _read_for_download(request: Request) -> _Asked:
    asked = _read_filters(request, _taxonomy(request), now().date())
    for message in asked.faults.values():
        raise ProblemError(422, message)
    return asked


def _read_filters(request: Request, taxonomy: Taxonomy, today: date) -> _Asked:
    given = request.query_params
    values = {name: given.get(name, "").strip() for name in _FIELDS}
    due, reason = values["due"], values["reason"]
    faults = {}
    if due not in _DUE:
        faults["due"] = f"Choose one of: {', '.join(_DUE.values())}."
    if reason and reason not in taxonomy.codes:
        faults["reason"] = "Choose a reason of the list."
    wanted = Wanted(team=values["team"] or None, reason=reason if reason and "reason" not in faults else None)
    number = given.get("page", "1")
    page = int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else 1
    return _Asked(_due_in(wanted, due, today), values, faults, page=min(max(page, 1), _MOST_PAGES))


def _due_in(wanted: Wanted, due: str, today: date) -> Wanted:
    """Gives what is wanted at a time; what is overdue is none of what comes within some days."""
    if due == "overdue":
        return replace(wanted, due_from=None, due_until=today - timedelta(days=1))
    if due in _DUE and due:
        return replace(wanted, due_from=today, due_until=today + timedelta(days=int(due)))
    return replace(wanted, due_from=None, due_until=None)


def _find_teams(session: Session, viewer: Viewer) -> list[str]:
    query = select(LossRow.team).where(LossRow.team.is_not(None), sees_loss(viewer)).distinct().order_by(LossRow.team)
    return [team for team in session.scalars(query) if team]
