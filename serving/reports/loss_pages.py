"""The pages of the loss review: an overview, a reason, gaps, differences, and for a rep their own deals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serving.people.access import SignedIn, Viewer
from serving.rendering import render_page
from serving.reports import coaching_sheets, loss_parts, loss_sheets
from serving.reports.cuts import CutError, parse_cut
from serving.reports.dimensions import DIMENSIONS
from serving.reports.loss_requests import LossViewer, get_reason, report_on, taxonomy_of, today
from serving.reports.own_deals import read_own_deals
from serving.reports.plots import MOST_LINES
from serving.reports.report import Report

router = APIRouter(include_in_schema=False)
router.include_router(loss_parts.router)

_MOST_ROWS = 12
_MOST_BESIDE_GAP = 3
_MOST_PAGES = 10_000


@router.get("/losses")
def show_overview(request: Request, viewer: SignedIn) -> Response:
    """Gives why deals were lost; a rep is led to their own deals, which nothing compares."""
    if viewer.role == "rep":
        return RedirectResponse("/losses/mine", 303)
    return report_page(request, viewer, "losses/overview.html", _overview)


@router.get("/losses/mine")
def show_own_deals(
    request: Request, viewer: SignedIn, page: Annotated[int, Query(ge=1, le=_MOST_PAGES)] = 1
) -> Response:
    """Gives a rep's own lost deals with questions; whoever sees reports is led to them."""
    if viewer.role != "rep":
        return RedirectResponse("/losses", 303)
    with request.app.state.database.reading() as session:
        deals, has_more = read_own_deals(session, viewer, taxonomy_of(request), page=page)
        return render_page(request, "losses/mine.html", viewer=viewer, deals=deals, page=page, has_more=has_more)


@router.get("/losses/gaps")
def show_gaps(request: Request, viewer: LossViewer) -> Response:
    """Gives what was missing, by stage at loss and beside the reasons."""
    return report_page(request, viewer, "losses/gaps.html", _gaps)


@router.get("/losses/differences")
def show_differences(request: Request, viewer: LossViewer) -> Response:
    """Gives where two sides tell a loss differently."""
    return report_page(request, viewer, "losses/differences.html", _differences)


@router.get("/losses/corrected")
def show_corrected(request: Request, viewer: LossViewer) -> Response:
    """Gives what takes longer to count, as part of the overview; without script as a page."""
    return report_page(request, viewer, "losses/corrected.html", _corrected)


@router.get("/losses/reasons/{code}")
def show_reason(request: Request, viewer: LossViewer, code: str) -> Response:
    """Gives one primary reason."""
    reason = get_reason(request, code)
    return report_page(request, viewer, "losses/reason.html", lambda report: _reason(report, code), reason=reason)


def _overview(report: Report) -> dict[str, Any]:
    by = report.scope.cut.by
    return {
        "reasons": loss_sheets.reasons_sheet(report),
        "endings": loss_sheets.endings_sheet(report),
        "trend": loss_sheets.trend_sheet(report, most=MOST_LINES),
        "groups": loss_sheets.groups_sheet(report, by=by, most=MOST_LINES).head(_MOST_ROWS) if by else None,
    }


def _corrected(report: Report) -> dict[str, Any]:
    return {"corrected": loss_sheets.corrected_sheet(report), "applying": loss_sheets.applying_sheet(report)}


def _reason(report: Report, code: str) -> dict[str, Any]:
    return {
        "trend": loss_sheets.reason_trend_sheet(report, code),
        "groups": loss_sheets.reason_groups_sheet(report, code).head(_MOST_ROWS),
        "gaps": coaching_sheets.reason_gaps_sheet(report, code),
    }


def _gaps(report: Report) -> dict[str, Any]:
    return {
        "gaps": coaching_sheets.gaps_sheet(report).head(_MOST_ROWS),
        "gap_reasons": coaching_sheets.gap_reasons_sheet(report, most=_MOST_BESIDE_GAP),
    }


def _differences(report: Report) -> dict[str, Any]:
    return {
        "differences": coaching_sheets.differences_sheet(report),
        "stated": coaching_sheets.stated_sheet(report).head(_MOST_ROWS),
        "external_only": coaching_sheets.external_only_sheet(report),
    }


def report_page(
    request: Request,
    viewer: Viewer,
    template: str,
    read: Callable[[Report], Mapping[str, Any]],
    *,
    beside: Collection[str] = (),
    **shown: Any,
) -> HTMLResponse:
    """Gives a page on the cut of its address; of one that cannot be read the form as it was filled in, and what to mend.

    Args:
        request: What asked.
        viewer: Who looks.
        template: Path under `serving/pages`.
        read: Gives what the template shows of a report that is enough; may raise CutError, too.
        beside: Query parameters that are no part of the cut; the form hands them on.
        shown: What the template shows whatever the cut is.
    """
    given, kept = dict(request.query_params), [pair for pair in request.query_params.multi_items() if pair[0] in beside]
    groupings = [(name, dimension.label) for name, dimension in DIMENSIONS.items()]
    form: dict[str, Any] = {
        "dimensions": DIMENSIONS,
        "groupings": groupings,
        "given": given,
        "kept": kept,
        "fault": None,
    }
    try:
        cut = parse_cut({name: value for name, value in given.items() if name not in beside}, today=today())
        form["given"] = {"since": cut.since, "until": cut.until, "by": cut.by, "minimum": cut.minimum, **cut.filters}
        with report_on(request, viewer, cut) as report:
            values = read(report) if report.is_enough else {}
            return render_page(request, template, viewer=viewer, form=form, report=report, **shown, **values)
    except CutError as error:
        form |= {"fault": error, "kept": [pair for pair in kept if pair[0] != error.field]}
        return render_page(request, template, viewer=viewer, status=422, form=form, report=None, **shown)
