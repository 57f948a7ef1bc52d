"""Parts of the loss review that are loaded by themselves: charts, tables as CSV files, and the values that filters offer."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from serving.audit.exports import note_export
from serving.people.access import Viewer, sees_loss
from serving.rendering import render_page
from serving.reports import coaching_sheets, loss_sheets
from serving.reports.dimensions import DIMENSIONS
from serving.reports.loss_charts import CHARTS, REASON_CHARTS
from serving.reports.loss_requests import LossViewer, get_part, get_reason, report_of
from serving.reports.report import Report
from serving.reports.sheets import Column, Row, Sheet, csv_of

router = APIRouter(include_in_schema=False)

_MOST_VALUES = 100
_SHEETS: dict[str, Callable[[Report], Sheet]] = {
    "reasons": loss_sheets.reasons_sheet,
    "endings": loss_sheets.endings_sheet,
    "trend": loss_sheets.trend_sheet,
    "groups": lambda report: loss_sheets.groups_sheet(report, by=report.scope.cut.by or "segment"),
    "applying": loss_sheets.applying_sheet,
    "corrected": loss_sheets.corrected_sheet,
    "gaps": coaching_sheets.gaps_sheet,
    "gap-reasons": coaching_sheets.gap_reasons_sheet,
    "differences": coaching_sheets.differences_sheet,
    "stated": coaching_sheets.stated_sheet,
    "external-only": coaching_sheets.external_only_sheet,
}
_REASON_SHEETS: dict[str, Callable[[Report, str], Sheet]] = {
    "trend": loss_sheets.reason_trend_sheet,
    "groups": loss_sheets.reason_groups_sheet,
    "gaps": coaching_sheets.reason_gaps_sheet,
}


@router.get("/losses/charts/{name}")
def show_chart(request: Request, viewer: LossViewer, name: str) -> HTMLResponse:
    """Gives one chart as part of a page."""
    draw = get_part(CHARTS, name)
    with report_of(request, viewer) as report:
        return _drawn(draw(report) if report.is_enough else None)


@router.get("/losses/reasons/{code}/charts/{name}")
def show_reason_chart(request: Request, viewer: LossViewer, code: str, name: str) -> HTMLResponse:
    """Gives one chart of a reason as part of a page."""
    get_reason(request, code)
    draw = get_part(REASON_CHARTS, name)
    with report_of(request, viewer) as report:
        return _drawn(draw(report, code) if report.is_enough else None)


@router.get("/losses/tables/{name}.csv")
def export_sheet(request: Request, viewer: LossViewer, name: str) -> Response:
    """Gives one table as CSV."""
    build = get_part(_SHEETS, name)
    note_export(request, viewer)
    with report_of(request, viewer) as report:
        return _csv(build(report) if report.is_enough else _held(report), name)


@router.get("/losses/reasons/{code}/tables/{name}.csv")
def export_reason_sheet(request: Request, viewer: LossViewer, code: str, name: str) -> Response:
    """Gives one table of a reason as CSV."""
    get_reason(request, code)
    build = get_part(_REASON_SHEETS, name)
    note_export(request, viewer)
    with report_of(request, viewer) as report:
        return _csv(build(report, code) if report.is_enough else _held(report), f"{code}-{name}")


@router.get("/losses/values")
def show_values(request: Request, viewer: LossViewer) -> HTMLResponse:
    """Gives the part of the form that offers the values there are, the most frequent first."""
    open_ended = [name for name, dimension in DIMENSIONS.items() if not dimension.values]
    with request.app.state.database.reading() as session:
        values = {name: _values(session, viewer, name) for name in open_ended}
    return render_page(request, "losses/values.html", viewer=viewer, values=values)


def _values(session: Session, viewer: Viewer, name: str) -> list[str]:
    value = DIMENSIONS[name].column().label("axis_0")
    query = select(value).where(sees_loss(viewer)).group_by("axis_0").order_by(func.count().desc(), "axis_0")
    return list(session.scalars(query.limit(_MOST_VALUES)))


def _drawn(chart: Markup | None) -> HTMLResponse:
    return HTMLResponse(chart or '<p class="quiet">There is too little to draw.</p>')


def _held(report: Report) -> Sheet:
    """Gives what stands in place of a table about too few deals."""
    return Sheet("held", "Held back", (Column("held_back", "Held back"),), (Row((str(report.too_few),)),))


def _csv(sheet: Sheet, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="losses-{name}.csv"'}
    # The mark at the start makes spreadsheets read UTF-8.
    return Response(csv_of(sheet).encode("utf-8-sig", "replace"), media_type="text/csv; charset=utf-8", headers=headers)
