"""The door for any CRM: whether a call is signed with our shared secret, and which lost deals it tells of."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.crm.protocol import CrmError, Delivery, LostEvent

TIMESTAMP_HEADER = "X-Lossnlp-Timestamp"
SIGNATURE_HEADER = "X-Lossnlp-Signature"
_WINDOW_S = 5 * 60
_STAMP = re.compile(r"[0-9]{1,15}", re.ASCII)
Told = TypeVar("Told", bound=BaseModel)
_SIGNATURE = re.compile(r"v1=(?P<digest>[0-9a-f]{64})", re.ASCII)

# A key of the inbox holds 300 characters: door, event and deal. An event id without blanks keeps the three apart.
MAX_EVENT_ID = 90
DealId = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]


class UnsignedCallError(CrmError):
    """Says that a call is not signed with the shared secret, or was signed too long ago or too far ahead."""

    code = "unsigned_call"


class LostDeal(BaseModel):
    """A deal that was lost.

    Args:
        id: The CRM's id of the deal.
    """

    model_config = ConfigDict(frozen=True)

    id: DealId


class LostDeals(BaseModel):
    """The body of a call.

    Args:
        id: Of the event: the same when it is told again, another for every other event. Printable ASCII without blanks.
        deals: The deals that were lost.
    """

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(pattern=r"^[!-~]+$", max_length=MAX_EVENT_ID)]
    deals: Annotated[tuple[LostDeal, ...], Field(min_length=1, max_length=1000)]


def sign(body: bytes, *, secret: str, at: datetime) -> dict[str, str]:
    """Gives the two headers that sign a body.

    Args:
        body: The raw bytes as they are sent.
        secret: The shared secret.
        at: The moment of sending, with its time zone; the signature counts for 5 minutes before and after.
    """
    stamp = str(int(at.timestamp()))
    return {TIMESTAMP_HEADER: stamp, SIGNATURE_HEADER: f"v1={_digest(body, secret=secret, stamp=stamp)}"}


def read_signed_deals(delivery: Delivery, *, secret: str, at: datetime) -> tuple[LostEvent, ...]:
    """Gives the deals that a signed call tells were lost.

    Args:
        delivery: The call.
        secret: The shared secret; an empty one signs nothing.
        at: Now, with its time zone.

    Raises:
        UnsignedCallError: The signature is missing, wrong, early or late; nothing of the body was read.
        CrmError: The body is not of the published form; names the field.
    """
    if not _is_signed(delivery, secret=secret, at=at):
        raise UnsignedCallError("The call is not signed with the shared secret.")
    told = read_model(LostDeals, delivery.body)
    return tuple(lost_event("deals", told.id, deal.id) for deal in told.deals)


def read_model(model: type[Told], body: bytes) -> Told:
    """Gives the body as the model.

    Raises:
        CrmError: Not JSON of its form; names the field, never its value.
    """
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if not fault["loc"]:
        raise CrmError("The body is not a JSON object of the described form.")
    raise CrmError(f"Field '{'.'.join(map(str, fault['loc']))}': {fault['msg']}.")


def lost_event(door: str, event_id: str, deal_id: str) -> LostEvent:
    """Gives the event under a key that no other door, event or deal shares."""
    return LostEvent(f"{door} {event_id} {deal_id}", deal_id)


def _is_signed(delivery: Delivery, *, secret: str, at: datetime) -> bool:
    """Says whether the secret has signed time and body; compared in constant time."""
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    stamp = headers.get(TIMESTAMP_HEADER.lower(), "")
    signature = _SIGNATURE.fullmatch(headers.get(SIGNATURE_HEADER.lower(), ""))
    if not secret or signature is None or not _STAMP.fullmatch(stamp):
        return False
    if abs(at.timestamp() - int(stamp)) > _WINDOW_S:
        return False
    return hmac.compare_digest(_digest(delivery.body, secret=secret, stamp=stamp), signature["digest"])


def _digest(body: bytes, *, secret: str, stamp: str) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
