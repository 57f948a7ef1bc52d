"""HubSpot's doors: signatures over the raw body, and the deals that a call tells of."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serving.crm.hubspot_doors import is_from_hubspot, read_deal_events
from serving.crm.protocol import CrmError, Delivery

# HubSpot, "Validating requests": the published example of v2.
SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"  # noqa: S105
URL = "https://www.example.com"
GET_SIGNATURE = "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"
POST_SIGNATURE = "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"
AT = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
BODY = '[{"note": "zu teuer für sie"}]'.encode()


def v2(method: str, body: bytes, signature: str) -> Delivery:
    headers = {"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": "v2"}
    return Delivery(method, "/webhook_uri", headers, body)


def v3(uri: str = URL + "/hooks/hubspot", *, target: str = "/hooks/hubspot", at: datetime = AT) -> Delivery:
    stamp = str(round(at.timestamp() * 1000))
    signed = hmac.new(SECRET.encode(), f"POST{uri}".encode() + BODY + stamp.encode(), hashlib.sha256)
    signature = base64.b64encode(signed.digest()).decode()
    return Delivery("POST", target, {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": stamp}, BODY)


def is_let_in(delivery: Delivery, **changes: Any) -> bool:
    return is_from_hubspot(delivery, **{"secret": SECRET, "public_url": URL, "at": AT, **changes})


def with_headers(delivery: Delivery, **headers: str) -> Delivery:
    return replace(
        delivery, headers={**delivery.headers, **{name.replace("_", "-"): said for name, said in headers.items()}}
    )


@pytest.mark.parametrize(
    "delivery", [v2("GET", b"", GET_SIGNATURE), v2("POST", b'{"example_field":"example_value"}', POST_SIGNATURE)]
)
def test_the_published_signatures_are_valid(delivery: Delivery) -> None:
    assert is_let_in(delivery)
    assert not is_let_in(replace(delivery, body=delivery.body + b" "))
    assert not is_let_in(delivery, versions=("v3",))


def test_a_signed_webhook_is_let_in() -> None:
    assert is_let_in(v3())
    assert is_let_in(v3(), public_url=URL + "/")


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_early_or_late_call_stays_out(seconds: int) -> None:
    late = AT + timedelta(seconds=seconds)
    assert not is_let_in(v3(), at=late)
    assert is_let_in(v3(at=late), at=late)
    assert is_let_in(v3(), at=AT + timedelta(seconds=seconds / 301 * 300))


def test_twelve_characters_of_the_query_are_decoded() -> None:
    target = "/hooks/a%2Fb?at=%3A%2f%3F%40%21%24%27%28%29%2A%2C%3B&kept=%20%26%3D%2B%25"
    signed = URL + "/hooks/a%2Fb?at=:/?@!$'()*,;&kept=%20%26%3D%2B%25"
    assert is_let_in(v3(signed, target=target))
    assert not is_let_in(v3(URL + target, target=target))


def test_only_the_configured_address_counts() -> None:
    behind_proxy = with_headers(v3("http://10.0.0.7:8000/hooks/hubspot"), Host="10.0.0.7:8000")
    assert not is_let_in(behind_proxy)


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1_0", "\u0661\u0662", "9" * 5000, "1e3"])
def test_an_odd_timestamp_stays_out(stamp: str) -> None:
    assert not is_let_in(with_headers(v3(), X_HubSpot_Request_Timestamp=stamp))


def test_a_wrong_v3_is_not_saved_by_v2() -> None:
    delivery = with_headers(v2("GET", b"", GET_SIGNATURE), X_HubSpot_Signature_v3="", X_HubSpot_Request_Timestamp="1")
    assert not is_let_in(delivery)


def test_header_names_may_be_spelled_anyhow() -> None:
    delivery = v3()
    assert is_let_in(replace(delivery, headers={name.upper(): said for name, said in delivery.headers.items()}))


@pytest.mark.parametrize("signature", ["", "ä", "\udcff", POST_SIGNATURE, GET_SIGNATURE.upper()])
def test_another_signature_stays_out(signature: str) -> None:
    assert not is_let_in(v2("GET", b"", signature))


def test_the_oldest_signature_stays_out() -> None:
    signature = hashlib.sha256(SECRET.encode() + BODY).hexdigest()
    headers = {"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": "v1"}
    assert not is_let_in(Delivery("POST", "/hooks/hubspot", headers, BODY))


def test_an_empty_secret_signs_nothing() -> None:
    signature = hashlib.sha256(b"GEThttps://www.example.com/webhook_uri").hexdigest()
    assert not is_let_in(v2("GET", b"", signature), secret="")


def event(**changes: Any) -> dict[str, Any]:
    told = {"eventId": 100, "subscriptionId": 7, "portalId": 33, "appId": 1, "occurredAt": 1795332600000}
    told |= {"subscriptionType": "deal.propertyChange", "attemptNumber": 0, "objectId": 123, "changeSource": "CRM"}
    return told | {"propertyName": "hs_is_closed_lost", "propertyValue": "true"} | changes


def events_of(*told: object) -> list[tuple[str, str]]:
    return [(found.key, found.deal_id) for found in read_deal_events(json.dumps(told).encode(), at=AT)]


def test_an_event_told_again_is_one() -> None:
    again = event(eventId=101, attemptNumber=3)
    assert events_of(event(), again) == [("7:123:hs_is_closed_lost:1795332600000", "123")]


def test_each_change_of_a_deal_is_an_event() -> None:
    keys = [
        key for key, _ in events_of(event(), event(occurredAt=1), event(propertyName="dealstage"), event(objectId=4))
    ]
    assert len(set(keys)) == 4


def test_generic_events_of_deals_count() -> None:
    generic = event(subscriptionType="object.propertyChange", objectTypeId="0-3")
    assert len(events_of(generic, event(subscriptionType="object.creation", objectTypeId="0-1", objectId=5))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"subscriptionType": "contact.propertyChange"},
        {"subscriptionType": "deal.deletion"},
        {"propertyValue": "false"},
        {"objectId": None},
        {"objectId": True},
        {"objectId": "12 OR 1=1"},
    ],
)
def test_what_is_no_lost_deal_is_left_out(changes: dict[str, Any]) -> None:
    assert events_of(event(**changes)) == []


def action_of(told: object) -> list[tuple[str, str]]:
    return [(found.key, found.deal_id) for found in read_deal_events(json.dumps(told).encode(), at=AT)]


def test_a_workflow_action_names_its_deal() -> None:
    told = {"callbackId": "ap-1-2-3", "origin": {"portalId": 33}, "context": {"source": "WORKFLOWS", "workflowId": 9}}
    told |= {"object": {"objectId": 123, "objectType": "DEAL", "properties": {}}, "inputFields": {}}
    assert action_of(told) == [("action:ap-1-2-3", "123")]
    assert action_of(told | {"object": {"objectId": 123, "objectType": "CONTACT"}}) == []


@pytest.mark.parametrize(
    "told",
    [
        {"id": "123", "properties": {"dealname": "x"}, "archived": False},
        {"objectId": 123, "objectTypeId": "0-3"},
        {"portalId": 33, "dealId": 123, "properties": {"dealname": {"value": "x"}}},
        {"hs_object_id": 123, "dealname": "x"},
        {"properties": {"hs_object_id": {"value": "123"}}},
    ],
)
def test_a_plain_workflow_webhook_names_its_deal(told: dict[str, Any]) -> None:
    [(key, deal_id)] = action_of(told)
    assert deal_id == "123"
    assert [(key, deal_id)] == action_of(told) != action_of(told | {"hs_lastmodifieddate": "later"})


def test_a_workflow_without_a_deal_tells_nothing() -> None:
    assert action_of({"dealname": "x"}) == action_of([]) == []


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b'"text"', b"[1]", b"[" * 100_000])
def test_what_is_no_call_is_refused(body: bytes) -> None:
    with pytest.raises(CrmError):
        read_deal_events(body, at=AT)
