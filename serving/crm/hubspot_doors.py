"""HubSpot's doors: whether a webhook really comes from HubSpot, and which deals it tells of."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from serving.crm.protocol import CrmError, Delivery, LostEvent

_WINDOW_MS = 5 * 60 * 1000
_DECODED = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
_DEAL_TYPES = frozenset({"0-3", "deal", "deals"})
_GONE = ("deletion", "privacyDeletion", "merge")
_REOPENED = ("hs_is_closed_lost", {"false", ""})


def is_from_hubspot(
    delivery: Delivery, *, secret: str, public_url: str, at: datetime, versions: Collection[str] = ("v3", "v2")
) -> bool:
    """Says whether HubSpot has signed the call, with v3 or, for workflow actions, v2; never raises.

    Args:
        delivery: The call.
        secret: The app's client secret; an empty one signs nothing.
        public_url: Scheme and host, with a path where a proxy strips one, under which HubSpot calls us. What the server itself
            sees behind a proxy is not used.
        at: Now, with its time zone. A v3 signature counts for 5 minutes before and after; v2 knows no time.
        versions: Those that count. A call with a v3 signature is judged by that one alone.

    Source: HubSpot, "Validating requests" (webhooks).
    """
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    uri = public_url.rstrip("/") + delivery.target.partition("#")[0]
    if not secret:
        return False
    if "x-hubspot-signature-v3" in headers:
        return "v3" in versions and _has_v3(delivery, headers, secret=secret, uri=uri, at=at)
    if headers.get("x-hubspot-signature-version", "").lower() != "v2" or "v2" not in versions:
        return False
    expected = hashlib.sha256((secret + delivery.method + uri).encode("utf-8", "replace") + delivery.body).hexdigest()
    return _is_same(expected, headers.get("x-hubspot-signature", ""))


def read_deal_events(body: bytes, *, at: datetime) -> list[LostEvent]:
    """Gives the deals that a call tells of, each event once, in its order; other records and deletions are left out.

    Args:
        body: A webhook's array of events, or the object that a workflow sends: a custom action's, a record as its API gives
            it, or chosen properties with `hs_object_id` among them.
        at: Now: a deal that is lost again on another day is another event, even where the call says the same.

    Raises:
        CrmError: The body is not JSON of such a form.

    Source: HubSpot, "Webhooks API", "Custom workflow actions" and "Use webhooks in workflows".
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise CrmError("The call holds no JSON.") from None
    if isinstance(told, list):
        found = list(_read_webhook(told))
    elif isinstance(told, dict):
        found = list(_read_action(told, body, at))
    else:
        raise CrmError("The call holds neither events nor a record.")
    return list(dict.fromkeys(found))


def _has_v3(delivery: Delivery, headers: Mapping[str, str], *, secret: str, uri: str, at: datetime) -> bool:
    stamp = headers.get("x-hubspot-request-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 15):
        return False
    if abs(at.timestamp() * 1000 - int(stamp)) > _WINDOW_MS:
        return False
    signed = (delivery.method + _decoded(uri)).encode("utf-8", "replace") + delivery.body + stamp.encode()
    expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    return _is_same(expected, headers["x-hubspot-signature-v3"])


def _decoded(uri: str) -> str:
    """Gives the URI as HubSpot signs it: of the query only these twelve characters are decoded."""
    path, mark, query = uri.partition("?")
    return path + mark + _DECODED.sub(lambda found: chr(int(found[0][1:], 16)), query)


def _is_same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def _read_webhook(events: list[Any]) -> Iterator[LostEvent]:
    for event in events:
        if not isinstance(event, dict):
            raise CrmError("The call holds something else than events.")
        deal_id = _find_id(event.get("objectId"))
        if deal_id and _tells_of_deal(event):
            parts = (event.get(name, "") for name in ("subscriptionId", "objectId", "propertyName", "occurredAt"))
            yield LostEvent(":".join(map(str, parts)), deal_id)


def _tells_of_deal(event: Mapping[str, Any]) -> bool:
    record, _, act = str(event.get("subscriptionType", "")).partition(".")
    if record == "object":
        record = str(event.get("objectTypeId", ""))
    is_reopened = event.get("propertyName") == _REOPENED[0] and str(event.get("propertyValue")).lower() in _REOPENED[1]
    return record in _DEAL_TYPES and act not in _GONE and not is_reopened


def _read_action(told: Mapping[str, Any], body: bytes, at: datetime) -> Iterator[LostEvent]:
    """Gives the enrolled deal; a plain webhook of a workflow names no event, so its content and day stand for it."""
    record = _object_in(told, "object") or told
    kind = str(record.get("objectType") or record.get("objectTypeId") or "deal")
    properties = _object_in(record, "properties")
    named = [record.get(name) for name in ("objectId", "dealId", "id", "hs_object_id")]
    deal_id = next(filter(None, map(_find_id, [*named, properties.get("hs_object_id")])), None)
    if deal_id and kind.lower() in _DEAL_TYPES:
        callback = told.get("callbackId")
        yield LostEvent(f"action:{callback or f'{at:%Y-%m-%d}:{hashlib.sha256(body).hexdigest()}'}", deal_id)


def _object_in(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _find_id(value: object) -> str | None:
    """Gives an id as text; older bodies wrap a property's value into an object."""
    plain = value.get("value") if isinstance(value, dict) else value
    if isinstance(plain, bool) or not isinstance(plain, int | str):
        return None
    text = str(plain)
    return text if re.fullmatch(r"[0-9]{1,18}", text) else None
