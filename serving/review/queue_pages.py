"""The pages of the queue: what waits, the way to the next deal, and claims on deals that are open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from lossnlp.errors import TaxonomyError
from lossnlp.taxonomy import Taxonomy
from serving.addresses import RowId
from serving.people.access import FromForm, Viewer, require_role
from serving.people.forms import FormFields
from serving.rendering import render_page
from serving.review.causes import cause_in_words
from serving.review.claims import claim_review, find_next, release_review
from serving.review.deal_pages import find_last_verdict
from serving.review.queue import PAGE_SIZE, Asked, Waiting, count_by, find_page, is_all_held
from serving.review.queue_view import ORDERS, Facet, QueueView, parse_view
from serving.review.saved_filters import SavedFilterError, delete_filter, find_saved, save_filter
from serving.store import Database
from serving.tables import AssessmentRow, SavedFilterRow
from serving.taxonomy_change.walks import find_kin

_MUST_JUDGE = Depends(require_role("ops"))
_FACETS: tuple[Facet, ...] = ("reason", "cause", "team", "model")
Reviewer = Annotated[Viewer, _MUST_JUDGE]
Emptiness = Literal["filtered", "held", "none_yet", "done"]

router = APIRouter(include_in_schema=False, dependencies=[_MUST_JUDGE])


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page of the queue shows.

    Args:
        view: Order and filters, on a page that there is.
        at: The moment.
        lines: The deals of the page.
        counts: How many wait by each value of a filter.
        total: How many the view holds on all its pages.
        saved: The viewer's saved filters.
        emptiness: Why nothing stands here; None where something does.
    """

    view: QueueView
    at: datetime
    lines: list[Waiting]
    counts: dict[Facet, dict[str, int]]
    total: int
    saved: list[SavedFilterRow]
    emptiness: Emptiness | None

    @property
    def pages(self) -> int:
        """How many pages there are, 1 or more."""
        return _pages(self.total)


@router.get("/review")
def show_queue(request: Request, viewer: Reviewer) -> HTMLResponse:
    """Gives the queue as the query of the address asks for it."""
    return _page(request, viewer, dict(request.query_params))


@router.get("/review/next")
def go_to_next(request: Request, viewer: Reviewer) -> RedirectResponse:
    """Claims the next deal of the view and goes there; to the queue where none is free."""
    view, _ = parse_view(request.query_params)
    after = request.query_params.get("after", "")
    with _database(request).writing() as session:
        known = int(after) if after.isdecimal() and len(after) < 10 else None
        review_id = find_next(session, viewer, view, after=known)
        session.commit()
    return _go("/review" if review_id is None else f"/review/deals/{review_id}", view)


@router.post("/review/filters")
def keep_filter(request: Request, form: FormFields, viewer: FromForm) -> Response:
    """Saves the view under a name and shows it; the page says why where it cannot be saved."""
    given, name = dict(parse_qsl(form.get("query", ""))), form.get("name", "")
    view, _ = parse_view(given)
    try:
        with _database(request).writing() as session:
            save_filter(session, viewer, name, view)
            session.commit()
    except SavedFilterError as error:
        return _page(request, viewer, given, name=name, fault=error.message)
    return _go("/review", view)


@router.post("/review/filters/{filter_id}/delete")
def drop_filter(request: Request, filter_id: RowId, form: FormFields, viewer: FromForm) -> RedirectResponse:
    """Deletes a saved view and shows the one that the person looks at."""
    with _database(request).writing() as session:
        delete_filter(session, viewer, filter_id)
        session.commit()
    return _go("/review", parse_view(dict(parse_qsl(form.get("query", ""))))[0])


@router.post("/review/{review_id}/claim")
def claim(request: Request, review_id: RowId, viewer: FromForm) -> JSONResponse:
    """Gives who holds the deal from now on, and until when: the viewer unless another does; nulls where nobody can."""
    with _database(request).writing() as session:
        hold = claim_review(session, viewer, review_id)
        session.commit()
    if hold is None:
        return JSONResponse({"name": None, "until_at": None, "is_mine": False})
    return JSONResponse({"name": hold.name, "until_at": hold.until_at.isoformat(), "is_mine": hold.is_mine})


@router.post("/review/{review_id}/release", status_code=204)
def release(request: Request, review_id: RowId, form: FormFields, viewer: FromForm) -> None:
    """Lets go of a deal that the viewer holds; with `until_at` only of that claim, not of a later one."""
    with _database(request).writing() as session:
        release_review(session, viewer, review_id, until_at=_moment(form.get("until_at", "")))
        session.commit()


def _page(
    request: Request, viewer: Viewer, given: dict[str, str], *, name: str = "", fault: str | None = None
) -> HTMLResponse:
    view, faults = parse_view(given)
    with _database(request).reading() as session:
        shown = _load(session, viewer, view)
        last = find_last_verdict(session, viewer, given.get("judged", ""))
    return render_page(
        request,
        "review/queue.html",
        viewer=viewer,
        status=422 if fault else 200,
        shown=shown,
        view=shown.view,
        last=last,
        given=given,
        faults=faults,
        name=name,
        name_fault=fault,
        **_words(request.state.intake.assessor.taxonomy),
    )


def _words(taxonomy: Taxonomy) -> dict[str, Any]:
    """Gives what templates say things with."""

    def reason_label(code: str) -> str:
        try:
            return taxonomy.get_reason(code).label
        except TaxonomyError:  # a deal that an older model has read
            return code.replace("_", " ").capitalize()

    return {"orders": ORDERS, "reason_label": reason_label, "cause_in_words": cause_in_words, "age": age_in_words}


def _load(session: Session, viewer: Viewer, view: QueueView) -> Shown:
    asked = Asked.by(viewer, view)
    counts = {facet: count_by(session, asked, facet) for facet in _FACETS}
    kin = find_kin(session, view.reason) if view.reason else None
    total = sum(number for code, number in counts["reason"].items() if kin is None or code in kin)
    asked = Asked.by(viewer, view.at_page(min(view.page, _pages(total))), asked.at)
    return Shown(
        view=asked.view,
        at=asked.at,
        lines=find_page(session, asked) if total else [],
        counts=counts,
        total=total,
        saved=find_saved(session, viewer),
        emptiness=None if total else _emptiness(session, asked),
    )


def _emptiness(session: Session, asked: Asked) -> Emptiness:
    if is_all_held(session, asked):
        return "held"
    if asked.view.is_filtered:
        return "filtered"
    return "none_yet" if session.scalar(select(AssessmentRow.id).limit(1)) is None else "done"


def age_in_words(since: datetime, at: datetime) -> str:
    """Gives for how long something has waited, in whole days, under one in hours."""
    hours = int((at - since).total_seconds() // 3600)
    number, unit = (hours // 24, "day") if hours >= 24 else (hours, "hour")
    return f"{number} {unit}{'' if number == 1 else 's'}" if number > 0 else "under an hour"


def _pages(total: int) -> int:
    return max(1, -(-total // PAGE_SIZE))


def _moment(text: str) -> datetime | None:
    """Gives the moment that a page names, None where it names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _go(path: str, view: QueueView) -> RedirectResponse:
    return RedirectResponse(f"{path}?{view.query}" if view.query else path, 303)


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database
