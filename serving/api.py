"""The routes of the published contract."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Security
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from lossnlp.errors import LossNlpError
from lossnlp.lines import find_deal_id
from lossnlp.taxonomy import Taxonomy
from serving import openapi, store
from serving.auth import KnownKey, require_key
from serving.body import parse_body, read_body
from serving.errors import CallerLeftError, OverloadError
from serving.intake import Intake, parse_deal
from serving.load.entrance import HEADERS, Entrance, read_caller
from serving.logs import describe_error
from serving.problems import FieldFault, ProblemError
from serving.store import Database
from serving.tables import WriteBackRow

_MAX_ID_CHARS = 200
_log = structlog.get_logger(__name__)


class WriteBackView(BaseModel):
    """How far the accepted values have come into the CRM: what was written and which values of a person were kept."""

    id: int
    state: str
    written: dict[str, Any]
    kept: dict[str, Any]


class TakenAssessment(Assessment):
    """An assessment with the id under which it is stored."""

    id: str


class StoredAssessment(TakenAssessment):
    """A stored assessment with its time and the state of its write-back."""

    created_at: datetime
    write_back: WriteBackView | None


class ItemError(BaseModel):
    """What is wrong with one item of a batch."""

    code: str
    message: str
    field: str | None


class FailedItem(BaseModel):
    """Stands in place of an item that could not be assessed."""

    deal_id: str | None
    error: ItemError


class BatchAnswer(BaseModel):
    """One answer an item, in the order of the request."""

    items: list[TakenAssessment | FailedItem]


async def get_intake(request: Request) -> Intake:
    """Gives the running app's intake."""
    intake: Intake = request.state.intake
    return intake


async def get_live_intake(request: Request) -> Intake:
    """Gives the running app's intake for a request about one deal."""
    return _as_far_as_allowed(request, await get_intake(request)).asked_by(read_caller(request))


async def get_bulk_intake(request: Request) -> Intake:
    """Gives the running app's intake for a request about many deals."""
    return _as_far_as_allowed(request, await get_intake(request)).asked_by(read_caller(request, is_bulk=True))


def _as_far_as_allowed(request: Request, intake: Intake) -> Intake:
    """Gives the intake that queues no write-back where the request's key may not have any written."""
    key: KnownKey = request.state.key
    return intake if key.may("write-back") else intake.for_crm(None)


async def get_entrance(request: Request) -> Entrance:
    """Gives the running app's entrance."""
    entrance: Entrance = request.app.state.entrance
    return entrance


async def get_database(request: Request) -> Database:
    """Gives the running app's database."""
    database: Database = request.app.state.database
    return database


Body = Annotated[bytes, Depends(read_body)]
IntakeDep = Annotated[Intake, Depends(get_intake)]
LiveIntake = Annotated[Intake, Depends(get_live_intake)]
BulkIntake = Annotated[Intake, Depends(get_bulk_intake)]
EntranceDep = Annotated[Entrance, Depends(get_entrance)]
DatabaseDep = Annotated[Database, Depends(get_database)]

MAY_CLASSIFY = Security(require_key, scopes=["classify"])
MAY_READ = Security(require_key, scopes=["read"])

v1 = APIRouter(prefix="/v1", tags=["assessments"])


@v1.post(
    "/assessments",
    status_code=201,
    dependencies=[MAY_CLASSIFY],
    response_model=TakenAssessment,
    responses={
        200: openapi.answer_example("Assessed before: the stored answer.", openapi.EXAMPLE_ANSWER)
        | openapi.stored_link(),
        201: openapi.answer_example("Assessed now.", openapi.EXAMPLE_ANSWER) | openapi.stored_link(),
        **openapi.problem_answers(400, 401, 403, 413, 415, 422, 500, 503),
    },
    openapi_extra=openapi.deal_body() | {"parameters": HEADERS},
)
async def create_assessment(request: Request, asked: LiveIntake, body: Body, entrance: EntranceDep) -> JSONResponse:
    """Gives the assessment of one closed-lost deal.

    The same deal, content and model give the same stored answer: 201 the first time, 200 from then on. What is accepted goes to the CRM
    where the key has the scope `write-back` too.
    """
    return await entrance.answer(request, asked, partial(_answer_one, body))


@v1.post(
    "/assessments:batch",
    dependencies=[MAY_CLASSIFY],
    response_model=BatchAnswer,
    responses={
        200: openapi.answer_example(
            "One answer an item, in the same order.", {"items": [openapi.EXAMPLE_ANSWER, openapi.EXAMPLE_ITEM_ERROR]}
        ),
        **openapi.problem_answers(400, 401, 403, 413, 415, 422, 500, 503),
    },
    openapi_extra=openapi.batch_body() | {"parameters": HEADERS},
)
async def create_assessments(request: Request, asked: BulkIntake, body: Body, entrance: EntranceDep) -> JSONResponse:
    """Gives the assessments of up to 500 deals; a bad one is answered in its place and fails no other.

    Where the time of the request is over before all are read, the rest is answered in its place too, with the code `overloaded`.
    Sent again, the request finds what it has got so far.
    """
    limit = request.app.state.settings.max_batch_items
    return await entrance.answer(request, asked, partial(_answer_many, body, limit))


@v1.get(
    "/assessments/{assessment_id}",
    dependencies=[MAY_READ],
    response_model=StoredAssessment,
    responses=openapi.problem_answers(401, 403, 404, 500),
)
def get_assessment(assessment_id: str, database: DatabaseDep) -> JSONResponse:
    """Gives a stored assessment, with the state of its write-back."""
    with database.reading() as session:
        row = store.get_assessment(session, assessment_id)
        view = _write_back_view(row.write_back).model_dump() if row.write_back else None
        return JSONResponse(
            {"id": row.id, **row.assessment, "created_at": row.created_at.isoformat(), "write_back": view}
        )


@v1.get(
    "/taxonomy",
    tags=["taxonomy"],
    dependencies=[MAY_READ],
    response_model=Taxonomy,
    responses=openapi.problem_answers(401, 403, 500),
)
def get_taxonomy(intake: IntakeDep) -> Taxonomy:
    """Gives the loss reasons, their groups and the MEDDPICC elements that the loaded model knows."""
    return intake.assessor.taxonomy


def _batch_items(body: object, *, limit: int) -> list[Any]:
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list):
        message = 'A batch is a JSON object with a list of deals: {"items": [...]}.'
    elif len(items) > limit:
        message = f"A batch holds at most {limit} items, this one has {len(items)}; send it in parts."
    else:
        return items
    raise ProblemError(422, message, errors=[FieldFault(field="items", message=message)])


def _answer_one(body: bytes, intake: Intake) -> JSONResponse:
    taken = intake.take_deal(parse_deal(parse_body(body)))
    location = {"Location": f"/v1/assessments/{taken.id}"}
    return JSONResponse(taken.answer, status_code=201 if taken.is_new else 200, headers=location)


def _answer_many(body: bytes, limit: int, intake: Intake) -> JSONResponse:
    """Gives the answers of a batch; as many deals stand in the line at a time as are classified together.

    Raises:
        OverloadError: Not even the first deal would be classified in time.
        CallerLeftError: Nobody waits any more.
    """
    items = _batch_items(parse_body(body), limit=limit)
    answers: list[dict[str, Any]] = []
    for start in range(0, len(items), intake.line.limits.deals):
        block = [(item, _try_parse(item)) for item in items[start : start + intake.line.limits.deals]]
        ahead = intake.reading_ahead(deal for _, deal in block if isinstance(deal, Deal))
        for item, deal in block:
            answers.append(_item_answer(item, deal, ahead, is_first=not answers))
    return JSONResponse({"items": answers})


def _try_parse(item: object) -> Deal | LossNlpError:
    try:
        return parse_deal(item)
    except LossNlpError as error:
        return error


def _item_answer(item: object, deal: Deal | LossNlpError, intake: Intake, *, is_first: bool) -> dict[str, Any]:
    """Gives the answer of one item, or the error that stands in its place."""
    if isinstance(deal, LossNlpError):
        return _failed_item(item, deal)
    try:
        return intake.take_deal(deal).answer
    except CallerLeftError:
        raise
    except LossNlpError as error:
        if is_first and isinstance(error, OverloadError):
            raise
        return _failed_item(item, error)
    except Exception as error:  # noqa: BLE001 (one item must not take its neighbours down)
        _log.error("item_failed", **describe_error(error))
        return _failed_item(item, LossNlpError("The service failed on this deal; its log tells why."))


def _failed_item(item: object, error: LossNlpError) -> dict[str, Any]:
    fault = ItemError(code=error.code, message=error.message, field=error.field)
    named = find_deal_id(item)
    return FailedItem(deal_id=named[:_MAX_ID_CHARS] if named else named, error=fault).model_dump()


def _write_back_view(row: WriteBackRow) -> WriteBackView:
    written = dict(row.after) if row.state == "sent" else {}
    return WriteBackView(id=row.id, state=row.state, written=written, kept=dict(row.kept))
