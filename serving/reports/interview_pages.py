"""The pages of buyer interviews: the questions to take away, and a form to enter what a buyer answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy import select

from lossnlp.errors import InvalidDealError
from serving.errors import UnknownIdError
from serving.intake import Intake
from serving.load.entrance import read_caller
from serving.people.access import FromForm, SignedIn, Viewer, sees_loss
from serving.problems import ProblemError
from serving.rendering import render_page
from serving.reports.interview_accounts import compare
from serving.reports.interview_answers import InterviewError, parse_answers
from serving.reports.interview_questions import get_question_set, questions_as_csv, questions_as_json
from serving.reports.interviews import FindTexts, Interviews, find_interview
from serving.review.texts import Texts, TextSource
from serving.store import Database, now
from serving.tables import DealRow, InterviewRow, LossRow

router = APIRouter(include_in_schema=False)

_MOST_BYTES = 4 * 1024 * 1024
_MOST_FIELDS = 200
_FORM = "application/x-www-form-urlencoded"
# A buyer speaks more freely to somebody else than the person they turned down
_MAY_ENTER = ("ops", "manager", "leader", "admin")


async def read_answers(request: Request) -> dict[str, str]:
    """Gives the fields of the form; the body stays readable for who asks after us.

    Raises:
        ProblemError: 415 for another kind of body, 411 without its length, 413 when it is too large.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise ProblemError(415, f"Send the form with the header 'Content-Type: {_FORM}'.")
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal():
        raise ProblemError(411, "Send the form with the header 'Content-Length'.")
    if int(announced) > _MOST_BYTES:
        raise ProblemError(413, "The answers are too long; paste the part of the talk that is about the decision.")
    body = (await request.body()).decode("ascii", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise ProblemError(413, "The form has more fields than our page sends.") from None


def find_texts_of(request: Request) -> FindTexts:
    """Gives what finds the documents behind an assessment: those kept sealed, or those of the connected CRM."""
    source: TextSource = request.app.state.texts
    return source.find


Answered = Annotated[dict[str, str], Depends(read_answers)]
Finder = Annotated[FindTexts, Depends(find_texts_of)]


@router.get("/interviews/questions")
def show_questions(request: Request, viewer: SignedIn) -> Response:
    """Shows the questions as a page to print."""
    return render_page(request, "interviews/questions.html", viewer=viewer, asked=get_question_set())


@router.get("/interviews/questions.csv")
def download_questions_csv(_viewer: SignedIn) -> Response:
    """Gives the questions as CSV."""
    headers = {"Content-Disposition": 'attachment; filename="buyer-interview-questions.csv"'}
    return Response(questions_as_csv(get_question_set()), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/interviews/questions.json")
def download_questions_json(_viewer: SignedIn) -> JSONResponse:
    """Gives the questions as JSON."""
    return JSONResponse(questions_as_json(get_question_set()))


@router.get("/interviews/{deal_id:path}")
def show_interview(request: Request, deal_id: str, viewer: SignedIn) -> Response:
    """Shows the form of a deal, and what came of its last interview."""
    return _page(request, viewer, deal_id)


@router.post("/interviews/{deal_id:path}")
def enter_interview(request: Request, deal_id: str, form: Answered, viewer: FromForm, find_texts: Finder) -> Response:
    """Takes the answers in and leads back to the page; what cannot be taken comes back in the form, with what is wrong."""
    if viewer.role not in _MAY_ENTER:
        raise ProblemError(
            403, "Interviews are entered by operations, managers and leaders; hand the answers to one of them."
        )
    loss = _get_seen(request, viewer, deal_id)
    intake: Intake = request.state.intake.asked_by(read_caller(request))
    try:
        answers = parse_answers(form, get_question_set(), today=now().date())
        texts = find_texts(loss.assessment_id) if answers.has_words else Texts("none")
        if answers.has_words and not texts.documents and "alone" not in form:
            return _page(
                request, viewer, deal_id, form=form, alone_because=texts.why or "No other document is at hand."
            )
        interviews = Interviews(intake, get_question_set())
        interviews.take(deal_id, answers, person_id=viewer.person_id, others=texts.documents)
    except (InterviewError, InvalidDealError) as error:
        faults = {(error.field if isinstance(error, InterviewError) else None) or "pasted": error.message}
        return _page(request, viewer, deal_id, form=form, faults=faults)
    return RedirectResponse(f"/interviews/{quote(deal_id)}#accounts", 303)


def _page(
    request: Request,
    viewer: Viewer,
    deal_id: str,
    *,
    form: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
    alone_because: str = "",
) -> Response:
    """Gives the page, with what was entered where it could not be taken."""
    loss = _get_seen(request, viewer, deal_id)
    database: Database = request.app.state.database
    with database.reading() as session:
        last = find_interview(session, deal_id)
        deal = session.get_one(DealRow, deal_id)
        count = len(session.scalars(select(InterviewRow.id).where(InterviewRow.deal_id == deal_id)).all())
    taxonomy = request.state.intake.assessor.taxonomy
    return render_page(
        request,
        "interviews/deal.html",
        viewer=viewer,
        status=422 if faults or alone_because else 200,
        deal=deal,
        loss=loss,
        last=last,
        count=count,
        accounts=compare(last.reasons, taxonomy) if last else None,
        asked=get_question_set(),
        form=form or {},
        faults=faults or {},
        alone_because=alone_because,
        may_enter=viewer.role in _MAY_ENTER,
        today=now().date(),
    )


def _get_seen(request: Request, viewer: Viewer, deal_id: str) -> LossRow:
    """Gives a lost deal that the viewer may see.

    Raises:
        UnknownIdError: There is none, or they may not see it; which of both stays untold.
    """
    database: Database = request.app.state.database
    with database.reading() as session:
        loss = session.scalar(select(LossRow).where(LossRow.deal_id == deal_id, sees_loss(viewer)))
    if loss is None:
        raise UnknownIdError("No lost deal that you may see has this id.")
    return loss
