"""The doors: a CRM's word that a deal was lost, checked over the raw body and kept in the inbox before it is answered.

Nothing is fetched or classified here; the receiver does that later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from serving import inbox, openapi
from serving.auth import require_key
from serving.crm.bottlecrm_doors import SIGNATURE_HEADER, WrongSignatureError, read_lost_deals
from serving.crm.fields import read_words
from serving.crm.hubspot_doors import is_from_hubspot, read_deal_events
from serving.crm.protocol import CrmError, Delivery, LostEvent
from serving.crm.salesforce_doors import ACK, WrongOrganizationError, read_outbound_message
from serving.crm.signed_doors import (
    MAX_EVENT_ID,
    DealId,
    UnsignedCallError,
    lost_event,
    read_model,
    read_signed_deals,
)
from serving.door_settings import DoorName, DoorSettings, load_door_settings, reveal
from serving.metrics import Metrics
from serving.problems import ProblemError
from serving.settings import MIB, Settings
from serving.store import Database, now

Outcome = Literal["queued", "known", "ignored"]

_OURS = "lossnlp_"
_THREADS = 4
_TRIES = 3
_REFUSED = (UnsignedCallError, WrongOrganizationError, WrongSignatureError)
_ANY_CRM = ("flow", "deals")
_JSON, _SOAP = "application/json", "text/xml"
_log = structlog.get_logger(__name__)


class FlowCall(BaseModel):
    """What a Salesforce Flow sends."""

    deal_id: DealId = Field(alias="dealId", description="Id of the opportunity.")
    event_key: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)] = Field(
        default="",
        alias="eventKey",
        pattern=r"^[!-~]*$",
        max_length=MAX_EVENT_ID,
        description="The same when the event is told again, without blanks. Without it every call is an event of its own.",
    )


class FlowAnswer(BaseModel):
    """What a Salesforce Flow gets back: text in every field, always."""

    deal_id: str = Field(serialization_alias="dealId")
    status: Literal["queued", "known"] = Field(description="`known` where the event was told before.")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a call told, and what became of it.

    Args:
        outcome: `queued` when something of it is new, `known` when nothing is, `ignored` when it tells of no lost deal.
        deal_ids: The deals it tells of.
    """

    outcome: Outcome
    deal_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors of one installation.

    Args:
        options: Secrets and public address.
        crm: Name of the connected CRM, whose deals the events are about; None keeps every door shut.
        database: Where the inbox stands.
        metrics: Where calls are counted.
        renamed_fields: The company's own names of our fields.
        clock: Gives the moment; tests hand in their own.
        limiter: Bounds the threads of the doors. They are none of those that classify, so a door answers while all of these are busy.
    """

    options: DoorSettings
    crm: str | None
    database: Database
    metrics: Metrics
    renamed_fields: frozenset[str] = frozenset()
    clock: Callable[[], datetime] = now
    limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_THREADS))

    def is_open(self, door: DoorName) -> bool:
        """Says whether callers can be let in here: a vendor's door belongs to the connected CRM alone."""
        return self.crm is not None and (door in _ANY_CRM or door == self.crm) and self.options.has_proof(door)

    def take(self, door: DoorName, call: Delivery) -> Kept:
        """Gives what became of a call; its events are committed when this returns.

        Raises:
            ProblemError: 401 where the caller proves nothing, 400 where the body cannot be read.
        """
        try:
            events = _READERS[door](self, call)
        except _REFUSED:
            self.metrics.count_door_call(door, "refused")
            detail = "The call does not prove who sends it; check secret, address and clock on both sides."
            raise ProblemError(401, detail, headers={"WWW-Authenticate": "Signature"}) from None
        except CrmError as error:
            self.metrics.count_door_call(door, "unreadable")
            raise ProblemError(400, error.message) from None
        kept = Kept(self._keep(events), tuple(dict.fromkeys(event.deal_id for event in events)))
        self.metrics.count_door_call(door, kept.outcome)
        _log.info("door_called", door=door, outcome=kept.outcome, deals=len(kept.deal_ids))
        return kept

    def _keep(self, events: Sequence[LostEvent]) -> Outcome:
        """Gives what became of the events; where a twin of the call commits meanwhile, the inbox is looked at again."""
        if not events:
            return "ignored"
        for _ in range(_TRIES - 1):
            try:
                return self._commit(events)
            except IntegrityError:
                continue
        return self._commit(events)

    def _commit(self, events: Sequence[LostEvent]) -> Outcome:
        with self.database.writing() as session:
            new = inbox.add_events(session, events, crm=self.crm or "", door="webhook", at=self.clock())
            session.commit()
        return "queued" if new else "known"


def open_doors(settings: Settings, database: Database, metrics: Metrics) -> Doors:
    """Gives the doors that settings and environment describe.

    Raises:
        ConfigurationError: A setting of the doors or the mapping file cannot be used.
    """
    renamed = frozenset(name for name in read_words(settings.crm_words).fields.values() if name)
    return Doors(load_door_settings(), settings.crm, database, metrics, renamed)


def _read_hubspot(doors: Doors, call: Delivery) -> Sequence[LostEvent]:
    """Gives the events that are no echo of a write-back of ours. An array counts with v3 alone: v2 knows no time."""
    options, versions = doors.options, ("v3",) if call.body.lstrip()[:1] == b"[" else ("v3", "v2")
    secret, url = reveal(options.hubspot_secret), options.public_url or ""
    if not is_from_hubspot(call, secret=secret, public_url=url, at=doors.clock(), versions=versions):
        raise UnsignedCallError("The call is not signed by HubSpot.")
    return [
        event
        for event in read_deal_events(call.body, at=doors.clock())
        if not _is_own_echo(event, doors.renamed_fields)
    ]


def _is_own_echo(event: LostEvent, renamed: frozenset[str]) -> bool:
    """Says whether HubSpot tells of a change of one of our fields; its key names the property that changed."""
    return any(part.startswith(_OURS) or part in renamed for part in event.key.split(":"))


def _read_bottlecrm(doors: Doors, call: Delivery) -> Sequence[LostEvent]:
    signature, secret = call.headers.get(SIGNATURE_HEADER, ""), reveal(doors.options.bottlecrm_secret)
    return read_lost_deals(call.body, signature, secret=secret, at=doors.clock())


def _read_salesforce(doors: Doors, call: Delivery) -> Sequence[LostEvent]:
    return read_outbound_message(call.body, organization_id=doors.options.salesforce_organization or "")


def _read_deals(doors: Doors, call: Delivery) -> Sequence[LostEvent]:
    return read_signed_deals(call, secret=reveal(doors.options.deals_secret), at=doors.clock())


def _read_flow(_doors: Doors, call: Delivery) -> Sequence[LostEvent]:
    told = read_model(FlowCall, call.body)
    return [lost_event("flow", told.event_key or str(uuid4()), told.deal_id)]


_READERS: dict[DoorName, Callable[[Doors, Delivery], Sequence[LostEvent]]] = {
    "hubspot": _read_hubspot,
    "bottlecrm": _read_bottlecrm,
    "salesforce": _read_salesforce,
    "flow": _read_flow,
    "deals": _read_deals,
}

_FAULTS = {
    400: "The call is let in, but its body cannot be read.",
    401: "The call does not prove who sends it.",
    404: "This door is shut: its CRM is not connected, or its secret is not set.",
    413: "The body is larger than a door reads.",
    415: "The body is not sent as this door needs it.",
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: openapi.problem_answers(status)[status] | {"description": words} for status, words in _FAULTS.items()
}


def _json_body(content: dict[str, Any]) -> dict[str, Any]:
    """Gives the description of a body; doors read it by hand, after the check of who sends it."""
    return {"requestBody": {"required": True, "content": {_JSON: content}}}


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
    """Takes Salesforce's Outbound Messages about opportunities; the Ack says that they are kept."""
    await _take(request, "salesforce", media_type=_SOAP)
    return Response(ACK, media_type=_SOAP)


@routes.post(
    "/flow",
    operation_id="queueLostDeal",
    dependencies=[Depends(require_key)],
    response_model=FlowAnswer,
    openapi_extra=_json_body({"schema": FlowCall.model_json_schema()}),
)
async def take_flow(request: Request) -> JSONResponse:
    """Takes one lost deal from a Salesforce Flow's HTTP callout, with an API key."""
    kept = await _take(request, "flow")
    return JSONResponse({"dealId": kept.deal_ids[0], "status": kept.outcome})


@routes.post("/deals", openapi_extra=_json_body({"example": {"id": "event-4711", "deals": [{"id": "D-17"}]}}))
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
    body = await _read_body(request, media_type=media_type, limit=doors.options.max_body_bytes)
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
