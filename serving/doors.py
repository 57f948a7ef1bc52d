"""The doors: a CRM's word that a deal was lost, checked over the raw body and kept in the inbox before it is answered.

Nothing is fetched or classified here; the receiver does that later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal
from uuid import uuid4

import structlog
from anyio import CapacityLimiter
from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy.exc import IntegrityError

from serving import inbox
from serving.crm.bottlecrm_doors import SIGNATURE_HEADER, WrongSignatureError, read_lost_deals
from serving.crm.fields import read_words
from serving.crm.hubspot_doors import is_from_hubspot, read_deal_events
from serving.crm.protocol import CrmError, Delivery, LostEvent
from serving.crm.salesforce_doors import WrongOrganizationError, has_key, read_outbound_message
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
from serving.settings import Settings
from serving.store import Database, now

Outcome = Literal["queued", "known", "ignored"]

_OURS = "lossnlp_"
_THREADS = 4
_TRIES = 3
_REFUSED = (UnsignedCallError, WrongOrganizationError, WrongSignatureError)
_ANY_CRM = ("flow", "deals")
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
        database: Where the inbox stands, over connections that nothing else uses: a door waits for none that a classifying request holds.
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
        kept = Kept(self._keep(events, door), tuple(dict.fromkeys(event.deal_id for event in events)))
        self.metrics.count_door_call(door, kept.outcome)
        _log.info("door_called", door=door, outcome=kept.outcome, deals=len(kept.deal_ids))
        return kept

    def _keep(self, events: Sequence[LostEvent], door: DoorName) -> Outcome:
        """Gives what became of the events; where a twin of the call commits meanwhile, the inbox is looked at again."""
        if not events:
            return "ignored"
        for _ in range(_TRIES - 1):
            try:
                return self._commit(events, door)
            except IntegrityError:
                continue
        return self._commit(events, door)

    def _commit(self, events: Sequence[LostEvent], door: DoorName) -> Outcome:
        with self.database.writing() as session:
            new = inbox.add_events(session, events, crm=self.crm or "", door=door, at=self.clock())
            session.commit()
        return "queued" if new else "known"


def open_doors(settings: Settings, database: Database, metrics: Metrics) -> Doors:
    """Gives the doors that settings and environment describe.

    Args:
        settings: What the installation has set.
        database: Where the inbox stands, for the doors alone.
        metrics: Where calls are counted.

    Raises:
        ConfigurationError: A setting of the doors or the mapping file cannot be used.
    """
    renamed = frozenset(name for name in read_words(settings.crm_words).fields.values() if name)
    return Doors(load_door_settings(), settings.crm, database, metrics, renamed)


def _read_hubspot(doors: Doors, call: Delivery) -> Sequence[LostEvent]:
    """Gives the events that are no echo of a write-back of ours. An array counts with v3 alone: v2 knows no time."""
    options, versions = doors.options, ("v3",) if call.body.lstrip()[:1] == b"[" else ("v3", "v2")
    url, at = options.public_url or "", doors.clock()
    if not any(
        is_from_hubspot(call, secret=secret, public_url=url, at=at, versions=versions)
        for secret in reveal(options.hubspot_secret)
    ):
        raise UnsignedCallError("The call is not signed by HubSpot.")
    return [event for event in read_deal_events(call.body, at=at) if not _is_own_echo(event, doors.renamed_fields)]


def _is_own_echo(event: LostEvent, renamed: frozenset[str]) -> bool:
    """Says whether HubSpot tells of a change of one of our fields; its key names the property that changed."""
    return any(part.startswith(_OURS) or part in renamed for part in event.key.split(":"))


def _read_bottlecrm(doors: Doors, call: Delivery) -> Sequence[LostEvent]:
    signature, at = call.headers.get(SIGNATURE_HEADER, ""), doors.clock()
    secrets = reveal(doors.options.bottlecrm_secret)
    return _read_with_any(secrets, lambda secret: read_lost_deals(call.body, signature, secret=secret, at=at))


def _read_salesforce(doors: Doors, call: Delivery) -> Sequence[LostEvent]:
    keys = reveal(doors.options.salesforce_key)
    if keys and not any(has_key(call.target, key=key) for key in keys):
        raise UnsignedCallError("The address does not end with the key of this door.")
    return read_outbound_message(call.body, organization_id=doors.options.salesforce_organization or "")


def _read_deals(doors: Doors, call: Delivery) -> Sequence[LostEvent]:
    secrets, at = reveal(doors.options.deals_secret), doors.clock()
    return _read_with_any(secrets, lambda secret: read_signed_deals(call, secret=secret, at=at))


def _read_with_any(secrets: Iterable[str], read: Callable[[str], Sequence[LostEvent]]) -> Sequence[LostEvent]:
    """Gives what a call tells under the first of the secrets that has signed it.

    Raises:
        UnsignedCallError: None of them has.
        CrmError: One of them has, but the body cannot be read.
    """
    for secret in secrets:
        try:
            return read(secret)
        except _REFUSED:
            continue
    raise UnsignedCallError("The call is signed with no secret of this door.")


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
