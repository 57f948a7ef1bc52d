"""BottleCRM's door: whether a webhook really comes from BottleCRM, and which deal was lost."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import datetime

from serving.crm.protocol import CrmError, LostEvent

SIGNATURE_HEADER = "X-BottleCRM-Signature"
_WINDOW_S = 5 * 60
_SIGNATURE = re.compile(r"t=(?P<at>[0-9]{1,15}),v1=(?P<digest>[0-9a-f]{64})", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class WrongSignatureError(CrmError):
    """Says that a call is not signed by BottleCRM, or was signed too long ago."""

    code = "wrong_signature"


def read_lost_deals(body: bytes, signature: str, *, secret: str, at: datetime) -> tuple[LostEvent, ...]:
    """Gives the deals that a webhook tells were lost, none where it tells of something else.

    A webhook holds neither notes nor custom fields; the deal is to be fetched.

    Args:
        body: The raw bytes.
        signature: Of the header `X-BottleCRM-Signature`.
        secret: Of the webhook, as BottleCRM showed it once; an empty one signs nothing.
        at: Now, with its time zone. A signature counts for 5 minutes before and after.

    Raises:
        WrongSignatureError: The signature is missing, wrong, early or late; nothing of the body was read.
        CrmError: The body is none of BottleCRM's.

    Source: BottleCRM 1.35, `webhooks/tasks.py` (signature) and `webhooks/emit.py` (body).
    """
    if not _is_signed(body, signature, secret=secret, at=at):
        raise WrongSignatureError("The call is not signed by BottleCRM.")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise CrmError("The call holds no JSON.") from None
    return tuple(_read(told))


def _is_signed(body: bytes, signature: str, *, secret: str, at: datetime) -> bool:
    """Says whether the secret has signed time and body; compared in constant time."""
    found = _SIGNATURE.fullmatch(signature)
    if not secret or found is None or abs(at.timestamp() - int(found["at"])) > _WINDOW_S:
        return False
    signed = found["at"].encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, found["digest"])


def _read(told: object) -> Iterator[LostEvent]:
    if not isinstance(told, dict):
        raise CrmError("The call holds no event.")
    if told.get("event") != "deal.lost":
        return
    data = told.get("data")
    deal_id = data.get("id") if isinstance(data, dict) else None
    if not (_is_id(told.get("id")) and _is_id(deal_id)):
        raise CrmError("The event names no deal.")
    yield LostEvent(key=told["id"], deal_id=str(deal_id))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None
