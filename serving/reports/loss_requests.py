"""What a request for losses asks for: a report on the cut of its address, and the part of a table or chart by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from lossnlp.errors import TaxonomyError
from lossnlp.taxonomy import LossReason, Taxonomy
from serving.people.access import Viewer, require_role
from serving.problems import ProblemError
from serving.reports.cuts import Cut, CutError, parse_cut
from serving.reports.report import Report
from serving.store import now

LossViewer = Annotated[Viewer, Depends(require_role("ops", "manager", "leader"))]
T = TypeVar("T")


def today() -> date:
    """Gives this day, as UTC has it: what a window without an end reaches to."""
    return now().date()


def taxonomy_of(request: Request) -> Taxonomy:
    """Gives the labels that the running model knows."""
    taxonomy: Taxonomy = request.state.intake.assessor.taxonomy
    return taxonomy


@contextmanager
def report_on(request: Request, viewer: Viewer, cut: Cut) -> Iterator[Report]:
    """Gives the report on a cut, with its session open."""
    with request.app.state.database.reading() as session:
        yield Report.of_cut(session, viewer, cut, taxonomy_of(request))


@contextmanager
def report_of(request: Request, viewer: Viewer) -> Iterator[Report]:
    """Gives the report on the cut of the address, with its session open.

    Raises:
        ProblemError: 422, the address is no cut.
    """
    try:
        cut = parse_cut(request.query_params, today=today())
    except CutError as error:
        raise ProblemError(422, error.message) from None
    with report_on(request, viewer, cut) as report:
        yield report


def get_reason(request: Request, code: str) -> LossReason:
    """Gives the reason of a code.

    Raises:
        ProblemError: 404, the taxonomy has none of this code.
    """
    try:
        return taxonomy_of(request).get_reason(code)
    except TaxonomyError as error:
        raise ProblemError(404, error.message) from None


def get_part(parts: Mapping[str, T], name: str) -> T:
    """Gives the table or chart of a name.

    Raises:
        ProblemError: 404, there is none.
    """
    if name not in parts:
        raise ProblemError(404, f"There is no such part; use one of: {', '.join(parts)}.")
    return parts[name]
