"""The routes of the doors: what a call has to look like, and what the CRM is answered."""

from __future__ import annotations

from typing import Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Request, Security
from fastapi.responses import JSONResponse, Response
from fastapi.security import SecurityScopes
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from serving import openapi
from serving.auth import Credentials, check_key, require_scopes
from serving.crm.protocol import Delivery
from serving.crm.salesforce_doors import ACK
from serving.door_settings import DoorName
from serving.doors import Doors, FlowCall, Kept
from serving.problems import ProblemError
from serving.settings import MIB, Settings

_JSON, _SOAP = "application/json", "text/xml"
_FAULTS = {
    400: "The call is let in, but its body cannot be read.",
    401: "The call does not prove who sends it.",
    404: "This door is shut: its CRM is not connected, or its secret is not set.",
    413: "The body is larger than a door reads.",
    415: "The body is not sent as this door needs it.",
    503: "The database is away: nothing was kept, and the call has to come again.",
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: openapi.problem_answers(status)[status] | {"description": words} for status, words in _FAULTS.items()
}


class FlowAnswer(BaseModel):
    """What a Salesforce Flow gets back: text in every field, always."""

    deal_id: str = Field(serialization_alias="dealId")
    status: Literal["queued", "known"] = Field(description="`known` where the event was told before.")


def _json_body(content: dict[str, Any]) -> dict[str, Any]:
    """Gives the description of a body; doors read it by hand, after the check of who sends it."""
    return {"requestBody": {"required": True, "content": {_JSON: content}}}


async def _require_key(request: Request, needed: SecurityScopes, credentials: Credentials) -> None:
    """Lets a call pass that carries an API key with the scopes needed.

    It waits for no threads and connections of those that classify.
    """
    doors: Doors = request.app.state.doors
    settings: Settings = request.app.state.settings
    key = await to_thread.run_sync(check_key, credentials, settings, doors.database, limiter=doors.limiter)
    request.state.key = key
    require_scopes(key, needed.scopes)


routes = APIRouter(prefix="/doors", tags=["doors"], responses=_PROBLEMS)


@routes.post("/hubspot")
async def take_hubspot(request: Request) -> JSONResponse:
    """Takes HubSpot's webhooks and workflow actions, signed with the app's client secret."""
    kept = await _take(request, "hubspot")
    return JSONResponse({"outputFields": {"status": kept.outcome}})  # what a custom workflow action has to be answered


@routes.post("/bottlecrm")
async def take_bottlecrm(request: Request) -> JSONResponse:
    """Takes BottleCRM's webhooks, signed with the webhook's secret."""
    kept = await _take(request, "bottlecrm")
    return JSONResponse({"status": kept.outcome})


@routes.post("/salesforce", response_class=Response, responses={200: {"content": {_SOAP: {}}}})
async def take_salesforce(request: Request) -> Response:
    """Takes Salesforce's Outbound Messages about opportunities; the Ack says that they are kept.

    Where a key is set for this door, the address has to end with it: `/doors/salesforce?key=...`.
    """
    await _take(request, "salesforce", media_type=_SOAP)
    return Response(ACK, media_type=_SOAP)


@routes.post(
    "/flow",
    operation_id="queueLostDeal",
    dependencies=[Security(_require_key, scopes=["write-back"])],
    response_model=FlowAnswer,
    responses=openapi.problem_answers(403),
    openapi_extra=_json_body({"schema": FlowCall.model_json_schema()}),
)
async def take_flow(request: Request) -> JSONResponse:
    """Takes one lost deal from a Salesforce Flow's HTTP callout, with an API key."""
    kept = await _take(request, "flow")
    return JSONResponse({"dealId": kept.deal_ids[0], "status": kept.outcome})


@routes.post(
    "/deals",
    openapi_extra=_json_body(
        {
            "schema": {"$ref": "#/components/schemas/LostDeals"},
            "example": {"id": "event-4711", "deals": [{"id": "D-17"}]},
        }
    ),
)
async def take_deals(request: Request) -> JSONResponse:
    """Takes lost deals of any CRM, signed with the shared secret.

    `X-Lossnlp-Timestamp` holds the unix time in seconds, `X-Lossnlp-Signature` holds `v1=` and, in hex, the HMAC-SHA256 of that time,
    a full stop and the raw body. A signature counts for 5 minutes before and after its time.
    """
    kept = await _take(request, "deals")
    return JSONResponse({"status": kept.outcome})


async def _take(request: Request, door: DoorName, *, media_type: str = _JSON) -> Kept:
    doors: Doors = request.app.state.doors
    if not doors.is_open(door):
        raise HTTPException(404)
    body = await _read_body(request, media_type=media_type, limit=doors.options.body_limit(door))
    query = request.scope["query_string"]
    target = request.scope["raw_path"] + (b"?" + query if query else b"")
    call = Delivery(request.method, target.decode("latin-1"), request.headers, body)
    return await to_thread.run_sync(doors.take, door, call, limiter=doors.limiter)


async def _read_body(request: Request, *, media_type: str, limit: int) -> bytes:
    """Gives the raw body, read no further than the limit.

    Raises:
        ProblemError: 415 when it is sent as something else, 413 when it is too large.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise ProblemError(415, f"Send the body with the header 'Content-Type: {media_type}'.")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ProblemError(415, "Send the body without compression; Content-Encoding is not supported.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise ProblemError(413, f"The body is larger than {limit / MIB:.3g} MiB, the most that a door reads.")
    return bytes(body)
