"""The page of the short list that is proposed for a CRM's drop-down, and its files to take away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from lossnlp.taxonomy import Taxonomy
from serving.audit.exports import note_export
from serving.crm.fields import read_words
from serving.people.access import Viewer
from serving.problems import ProblemError
from serving.reports.crosswalks import Crosswalk, crosswalk_files
from serving.reports.cuts import CutError, parse_cut
from serving.reports.loss_pages import report_page
from serving.reports.loss_requests import LossViewer, get_part, report_on, today
from serving.reports.report import Report
from serving.reports.top_five import TopFive, read_top_five
from serving.reports.top_five_sheets import entries_sheet, lost_sheet, overlaps_sheet
from serving.reports.top_five_wishes import APART, LOCK, NAMES, Wishes, parse_wishes

router = APIRouter(include_in_schema=False)

_KINDS = {"yaml": "application/yaml", "csv": "text/csv", "json": "application/json", "xml": "application/xml"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A box that a person may tick: the query parameter, its value, what it says, and whether it is ticked."""

    name: str
    value: str
    label: str
    is_ticked: bool


@router.get("/losses/top-five")
def show_top_five(request: Request, viewer: LossViewer) -> HTMLResponse:
    """Gives the list that is proposed for the losses of the cut, with what it loses."""

    def read(report: Report) -> dict[str, Any]:
        wishes = _wishes(request, report.taxonomy)
        top = read_top_five(report, wishes)
        query = urlencode(wishes.pairs)
        return {
            "top": top,
            "entries": entries_sheet(report, top),
            "lost": lost_sheet(report, top),
            "overlaps": overlaps_sheet(top),
            "choices": list(_choices(report, top, wishes)),
            "files": list(crosswalk_files(report, _crosswalk(request, report, top))),
            "asked": "&".join(part for part in (report.scope.cut.query, query) if part),
        }

    return report_page(request, viewer, "losses/top_five.html", read, beside=NAMES)


@router.get("/losses/top-five/tables/{name}.csv")
def export_sheet(request: Request, viewer: LossViewer, name: str) -> Response:
    """Gives one table as CSV."""
    return export_file(request, viewer, f"{name}.csv")


@router.get("/losses/top-five/files/{path:path}")
def export_file(request: Request, viewer: LossViewer, path: str) -> Response:
    """Gives one file of the list."""
    with _report_of(request, viewer) as report:
        if not report.is_enough:
            raise ProblemError(409, f"The list is held back: {report.too_few.because}.")
        try:
            top = read_top_five(report, _wishes(request, report.taxonomy))
        except CutError as error:
            raise ProblemError(422, error.message) from None
        text = get_part(crosswalk_files(report, _crosswalk(request, report, top)), path)
    note_export(request, viewer)
    kind = path.rpartition(".")[2]
    headers = {"Content-Disposition": f'attachment; filename="{path.rpartition("/")[2]}"'}
    # The mark at the start makes spreadsheets read UTF-8.
    encoded = text.encode("utf-8-sig" if kind == "csv" else "utf-8")
    return Response(encoded, media_type=f"{_KINDS[kind]}; charset=utf-8", headers=headers)


@contextmanager
def _report_of(request: Request, viewer: Viewer) -> Iterator[Report]:
    given = {name: value for name, value in request.query_params.items() if name not in NAMES}
    try:
        cut = parse_cut(given, today=today())
    except CutError as error:
        raise ProblemError(422, error.message) from None
    with report_on(request, viewer, cut) as report:
        yield report


def _wishes(request: Request, taxonomy: Taxonomy) -> Wishes:
    given = request.query_params
    return parse_wishes(given.getlist(LOCK), given.getlist(APART), taxonomy)


def _crosswalk(request: Request, report: Report, top: TopFive) -> Crosswalk:
    settings = request.app.state.settings
    return Crosswalk(report.taxonomy, top, read_words(settings.crm_words), settings.crm)


def _choices(report: Report, top: TopFive, wishes: Wishes) -> Iterator[Choice]:
    """Gives what can be asked for of this list: each entry as it is, and each two reasons in one apart."""
    for entry in top.entries:
        yield Choice(LOCK, ",".join(entry.codes), entry.label, entry.is_locked)
    merged = {frozenset(pair) for entry in top.entries if not entry.is_locked for pair in combinations(entry.codes, 2)}
    order = report.taxonomy.codes.index
    for pair in sorted(
        (sorted(pair, key=order) for pair in merged | wishes.apart), key=lambda pair: [*map(order, pair)]
    ):
        label = " and ".join(report.label(code) for code in pair)
        yield Choice(APART, ",".join(pair), label, frozenset(pair) in wishes.apart)
