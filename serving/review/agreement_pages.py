"""The page that shows how much people agree."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from serving.people.access import Viewer, require_role
from serving.rendering import render_page
from serving.review.agreement import FEW, report_agreement
from serving.store import Database, now

router = APIRouter(include_in_schema=False)


@router.get("/review/agreement")
def show_agreement(request: Request, viewer: Annotated[Viewer, Depends(require_role("ops"))]) -> HTMLResponse:
    """Gives the agreement of the last twelve months."""
    database: Database = request.app.state.database
    with database.reading() as session:
        report = report_agreement(session, request.state.intake.assessor.taxonomy, at=now())
    return render_page(request, "review/agreement.html", viewer=viewer, report=report, few=FEW)
