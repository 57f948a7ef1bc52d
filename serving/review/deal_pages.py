"""The page of a deal that waits: what was read, its words, and the verdict of a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from serving.addresses import RowId
from serving.people.access import FromForm, Viewer, require_role
from serving.problems import ProblemError
from serving.rendering import render_page
from serving.review import meanings
from serving.review.claims import Hold, claim_review, find_next
from serving.review.crm_view import CrmView
from serving.review.deal_view import DealView, Stood, load_stood, primary_of, view_deal
from serving.review.desk import Desk, get_review
from serving.review.queue_view import QueueView, parse_view
from serving.review.reading_view import find_calibration
from serving.review.texts import Texts
from serving.review.verdict import VerdictError
from serving.review.verdict_form import Entered
from serving.review.verdicts import find_all_held
from serving.settings import MIB
from serving.tables import DealRow, ReviewRow, VerdictRow

router = APIRouter(include_in_schema=False)
Reviewer = Annotated[Viewer, Depends(require_role("ops"))]
_MOST_BYTES = MIB
_MOST_FIELDS = 1_000
_DONE = {"accept": "accepted as read", "change": "changed", "cannot_tell": "nobody can tell"}


async def read_form(request: Request) -> FormData:
    """Gives the form that was sent, names may repeat. The body stays readable for who asks after us.

    Raises:
        ProblemError: 413, it is larger than our page sends.
    """
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal() or int(announced) > _MOST_BYTES:
        raise ProblemError(413, "The form is larger than this page sends, or does not tell its length.")
    body = (await request.body()).decode("ascii", "replace")
    try:
        sent = parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise ProblemError(413, "The form has more fields than this page sends.") from None
    return FormData([*sent])


# Stands before `viewer: FromForm` in a route: that one reads the stream, and the body has to be kept by then.
Posted = Annotated[FormData, Depends(read_form)]


@dataclass(frozen=True, slots=True)
class Fault:
    """What cannot be taken: one sentence, and the field that it stands at."""

    message: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a person comes to a page.

    Args:
        given: The query of its address.
        entered: What they had entered before; None is as the deal stands.
        fault: Why it could not be taken; no message is none.
    """

    given: dict[str, str]
    entered: Entered | None = None
    fault: Fault = field(default_factory=lambda: Fault(""))


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """The verdict that the viewer gave a moment ago, and may take back."""

    id: int
    deal: str
    words: str


@router.get("/review/deals/{review_id}")
def show_deal(request: Request, review_id: RowId, viewer: Reviewer) -> HTMLResponse:
    """Gives the page of a deal, which the viewer holds while they look."""
    return _page(request, viewer, review_id, Arrival(dict(request.query_params)))


@router.get("/review/deals/{review_id}/crm")
def show_crm(request: Request, review_id: RowId, viewer: Reviewer) -> HTMLResponse:
    """Gives what the CRM holds of the deal and what would be written: a part of its page, or a page of its own."""
    desk = Desk.of(request)
    with desk.database.reading() as session:
        stood = load_stood(session, get_review(session, review_id), viewer.person_id, desk.assessor.taxonomy)
        assessment_id, is_blind = stood.row.id, stood.is_blind
    why = "Two people judge this deal apart; what stands in the CRM is shown after your verdict."
    crm = CrmView(why=why) if is_blind else desk.look_at_crm(assessment_id)
    template = "review/crm_part.html" if "hx-request" in request.headers else "review/crm.html"
    return render_page(request, template, viewer=viewer, crm=crm, review_id=review_id)


@router.post("/review/deals/{review_id}/verdict")
def give_verdict(request: Request, review_id: RowId, form: Posted, viewer: FromForm, _judge: Reviewer) -> Response:
    """Keeps a verdict and goes to the next deal; one that cannot be taken gives the page again with all that was entered."""
    desk, given = Desk.of(request), _view_of(form)
    try:
        verdict_id = desk.judge(viewer, review_id, form)
    except VerdictError as error:
        entered = Entered.of_form(form, desk.assessor.taxonomy)
        return _page(request, viewer, review_id, Arrival(given, entered, _fault(error)))
    view, _ = parse_view(given)
    with desk.database.writing() as session:
        next_id = find_next(session, viewer, view, after=review_id)
        session.commit()
    return _go(next_id, view, judged=verdict_id)


@router.post("/review/verdicts/{verdict_id}/undo")
def undo_verdict(request: Request, verdict_id: RowId, form: Posted, viewer: FromForm, _judge: Reviewer) -> Response:
    """Takes a verdict back and goes to its deal."""
    desk, given = Desk.of(request), _view_of(form)
    review_id = desk.find_review_of(verdict_id)
    try:
        desk.undo(viewer, verdict_id)
    except VerdictError as error:
        if review_id is None:
            return _go(None, QueueView())
        return _page(request, viewer, review_id, Arrival(given, fault=_fault(error)))
    return _go(review_id, parse_view(given)[0], undone=verdict_id)


def _page(request: Request, viewer: Viewer, review_id: int, arrival: Arrival) -> HTMLResponse:
    """Gives the page of a deal; the texts are fetched between two units of work."""
    desk = Desk.of(request)
    with desk.database.writing() as session:
        assessment_id = get_review(session, review_id).assessment_id
        hold = claim_review(session, viewer, review_id)
        session.commit()
    texts = desk.texts.find(assessment_id)
    with desk.database.reading() as session:
        stood = load_stood(session, get_review(session, review_id), viewer.person_id, desk.assessor.taxonomy)
        values = _values(desk, stood, texts, is_whole=arrival.given.get("whole") == "1")
        return render_page(
            request,
            "review/deal.html",
            viewer=viewer,
            status=422 if arrival.fault.message else 200,
            entered=arrival.entered or Entered.of_labels(stood.base),
            fault=arrival.fault,
            view=parse_view(arrival.given)[0],
            last=find_last_verdict(session, viewer, arrival.given.get("judged", "")),
            is_undone="undone" in arrival.given,
            **values,
            **_place(session, stood, hold, viewer),
        )


def _values(desk: Desk, stood: Stood, texts: Texts, *, is_whole: bool) -> dict[str, Any]:
    """Gives what the page shows of the deal itself."""
    taxonomy = desk.assessor.taxonomy
    calibration = find_calibration(desk.assessor, stood.row.model_version)
    deal: DealView = view_deal(stood, texts, taxonomy=taxonomy, calibration=calibration, is_whole=is_whole)
    return {
        "page": deal,
        "stood": stood,
        "reading": deal.reading,
        "taxonomy": taxonomy,
        "meanings": meanings,
        "has_crm": desk.settings.crm is not None,
        "verdicts": [(verdict, _DONE[verdict.kind], primary_of(verdict, taxonomy)) for verdict in stood.held],
    }


def _place(session: Session, stood: Stood, hold: Hold | None, viewer: Viewer) -> dict[str, Any]:
    """Gives who may judge the deal now, and where a newer assessment of it waits."""
    is_old = stood.review.state == "replaced"
    newer = select(ReviewRow.id).where(ReviewRow.deal_id == stood.row.deal_id, ReviewRow.state != "replaced")
    return {
        "hold": hold,
        "is_open": not is_old and (hold is None or hold.is_mine),
        "newer": session.scalar(newer.order_by(ReviewRow.id.desc())) if is_old else None,
        "is_given": any(verdict.person_id == viewer.person_id for verdict in stood.held),
    }


def find_last_verdict(session: Session, viewer: Viewer, given: str) -> LastVerdict | None:
    """Gives the viewer's verdict that an address names, None where it is none of theirs or holds no more."""
    verdict = session.get(VerdictRow, int(given)) if given.isdecimal() and len(given) < 10 else None
    if verdict is None or verdict.person_id != viewer.person_id:
        return None
    if verdict.id not in {held.id for held in find_all_held(session, verdict.assessment_id)}:
        return None
    deal = session.get_one(DealRow, verdict.deal_id)
    return LastVerdict(verdict.id, deal.account or deal.id, _DONE[verdict.kind])


def _fault(error: VerdictError) -> Fault:
    """Gives the fault without the name of the field, beside which it stands."""
    field = error.field or ""
    return Fault(error.message.removeprefix(f"{field}: "), field.partition(".")[0] if field else "")


def _view_of(form: FormData) -> dict[str, str]:
    """Gives the query of the view that the person came from, which their forms carry."""
    return dict(parse_qsl(str(form.get("view", ""))))


def _go(review_id: int | None, view: QueueView, **more: int) -> RedirectResponse:
    """Gives the way to a deal, or to the queue where there is none, with the view that the person looks at."""
    path = "/review" if review_id is None else f"/review/deals/{review_id}"
    query = "&".join(filter(None, (view.query, urlencode(more))))
    return RedirectResponse(f"{path}?{query}" if query else path, 303)
