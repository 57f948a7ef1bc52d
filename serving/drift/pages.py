"""The page of drift: what the last look found, the weeks behind it, and how often people found the model right."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from serving.drift.accuracy import read_accuracy
from serving.drift.charts import accuracy_chart, weeks_chart
from serving.drift.findings import FEWEST
from serving.drift.looks import find_look, week_of
from serving.drift.settings import load_drift_settings
from serving.drift.weeks import read_weeks
from serving.drift.wording import describe
from serving.people.access import Viewer, require_role
from serving.problems import ProblemError
from serving.rendering import render_page
from serving.store import Database, now

router = APIRouter(prefix="/drift", include_in_schema=False)
DriftViewer = Annotated[Viewer, Depends(require_role("ops"))]


@router.get("")
def show_drift(request: Request, viewer: DriftViewer) -> HTMLResponse:
    """Gives what the newest look found; looking at it is no look of its own."""
    database: Database = request.app.state.database
    with database.reading() as session:
        look, months = find_look(session), read_accuracy(session, now().date())
    return render_page(
        request,
        "drift.html",
        viewer=viewer,
        look=look,
        lines=describe(look, request.state.intake.assessor.taxonomy) if look else (),
        months=months[::-1],
        false_alarms=load_drift_settings().false_alarms,
        few=FEWEST,
    )


@router.get("/charts/{name}")
def show_chart(request: Request, viewer: DriftViewer, name: str) -> HTMLResponse:  # noqa: ARG001 (only some may look)
    """Gives one chart as part of the page."""
    database: Database = request.app.state.database
    with database.reading() as session:
        if name == "weeks":
            chart = weeks_chart(read_weeks(session, week_of(now())))
        elif name == "accuracy":
            chart = accuracy_chart(read_accuracy(session, now().date()))
        else:
            raise ProblemError(404, "There is no such part; use one of: weeks, accuracy.")
    return HTMLResponse(chart or '<p class="quiet">There is too little to draw.</p>')
