"""Labels that are likely wrong, as training has listed them, on a page with the way to their deals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import Field, ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lossnlp.deal import Frozen
from lossnlp.errors import LossNlpError
from serving.people.access import Viewer, require_role
from serving.rendering import render_page
from serving.tables import ReviewRow

router = APIRouter(include_in_schema=False)
Reviewer = Annotated[Viewer, Depends(require_role("ops"))]
PAGE_ROWS = 100
MOST_ROWS = 5_000


class LabelErrorsError(LossNlpError):
    """Says why a list of suspicious labels cannot be read."""

    code = "bad_label_errors"


class Suspicion(Frozen):
    """A label that is likely wrong: what it says, what a reading that never saw it says, and how well that supports it (0 to 1)."""

    id: Annotated[str, Field(max_length=200)]
    field: Annotated[str, Field(max_length=100)]
    given: Annotated[str, Field(max_length=100)]
    suggested: Annotated[str, Field(max_length=100)]
    quality: Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Listed:
    """A suspicion with the review of its deal; None where the deal is none of this installation."""

    suspicion: Suspicion
    review_id: int | None


def read_label_errors(path: Path) -> list[Suspicion]:
    """Gives the suspicions of a file in its order, the first 5,000.

    Raises:
        LabelErrorsError: The file or a line of it cannot be read; names the line and the field.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            return [_read_line(line, number) for number, line in islice(enumerate(lines, start=1), MOST_ROWS)]
    except (OSError, UnicodeDecodeError):
        message = (
            "The file that LOSSNLP_LABEL_ERRORS names cannot be read; write it with `python -m training.label_errors`."
        )
        raise LabelErrorsError(message, field="LOSSNLP_LABEL_ERRORS") from None


def find_reviews(session: Session, deal_ids: Sequence[str]) -> Mapping[str, int]:
    """Gives the newest review of each of these deals that has one."""
    query = select(ReviewRow.deal_id, func.max(ReviewRow.id)).where(ReviewRow.deal_id.in_(deal_ids))
    return dict(session.execute(query.group_by(ReviewRow.deal_id)).all())


@router.get("/review/label-errors")
def show_label_errors(
    request: Request, viewer: Reviewer, page: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 1
) -> HTMLResponse:
    """Gives the page of labels that are likely wrong, worst first."""
    path: Path | None = request.app.state.settings.label_errors
    fault = ""
    try:
        found = read_label_errors(path) if path is not None else []
    except LabelErrorsError as error:
        found, fault = [], error.message
    shown = found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    with request.app.state.database.reading() as session:
        reviews = find_reviews(session, [one.id for one in shown])
    return render_page(
        request,
        "review/label_errors.html",
        viewer=viewer,
        listed=[Listed(one, reviews.get(one.id)) for one in shown],
        total=len(found),
        is_set=path is not None,
        fault=fault,
        page=page,
        has_more=len(found) > page * PAGE_ROWS,
    )


def _read_line(line: str, number: int) -> Suspicion:
    try:
        return Suspicion.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"]) or "line"
        message = (
            f"Line {number}, field '{field}': {fault['msg']}; write the file with `python -m training.label_errors`."
        )
        raise LabelErrorsError(message, field=field) from None
