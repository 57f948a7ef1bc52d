"""The doors: who is let in, what stands in the inbox afterwards, and what the CRM is answered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from anyio import CapacityLimiter, to_thread
from fastapi.testclient import TestClient

from serving import inbox
from serving.app import create_app
from serving.crm.protocol import Delivery
from serving.crm.signed_doors import sign
from serving.door_settings import DoorSettings
from serving.doors import Doors
from serving.metrics import Metrics
from serving.settings import Settings
from serving.store import Database

SECRET = "only-for-tests-and-32-characters!!"  # noqa: S105
URL = "https://lossnlp.example.com"
OTHER = SECRET[::-1]
KEY = "key-of-16-letters-or-more"
ORG = "00DHs0000000001AAA"
BOTTLE_EVENT, BOTTLE_DEAL = "0b8f1c7e-3c43-4a8e-9d8e-0d5a3a1c9f10", "5f0e2f4a-8d0b-4b57-8f3b-2f5b8f6a7c11"
JSON = {"content-type": "application/json"}
XML = {"content-type": "text/xml; charset=UTF-8"}
VARIABLES = {
    "PUBLIC_URL": URL,
    "HUBSPOT_SECRET": SECRET,
    "BOTTLECRM_SECRET": SECRET,
    "SALESFORCE_ORGANIZATION": ORG,
    "DEALS_SECRET": SECRET,
}
TWICE = pytest.mark.parametrize("minutes", [-6, 6])

Opener = Callable[..., TestClient]


@pytest.fixture
def open_client(settings: Settings, assessor: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Opens the app for a CRM, with every secret set; a classifier that is asked for anything leaves a trace."""
    with ExitStack() as stack:

        def open_it(crm: str | None, **changes: str) -> TestClient:
            for name, value in (VARIABLES | changes).items():
                monkeypatch.setenv(f"LOSSNLP_DOOR_{name}", value)
            app = create_app(settings.model_copy(update={"crm": crm}), assessor=assessor)
            return stack.enter_context(TestClient(app))

        yield open_it
        assert assessor.calls == []


def kept(client: TestClient) -> list[tuple[str, str]]:
    with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        return [(row.crm, row.deal_id) for row in inbox.find_events(session)]


@contextmanager
def classifying_everywhere(client: TestClient) -> Iterator[None]:
    """Holds every thread and every connection that requests about deals may have."""
    database: Database = client.app.state.database  # type: ignore[attr-defined]
    pool: Any = database.engine.pool
    assert client.portal
    limiter: CapacityLimiter = client.portal.call(_take_every_thread)
    with ExitStack() as held:
        held.callback(client.portal.call, setattr, limiter, "total_tokens", 40)
        while pool.overflow() < 10:  # the pool's own limit
            held.enter_context(database.engine.connect())
        yield


async def _take_every_thread() -> CapacityLimiter:
    limiter = to_thread.current_default_thread_limiter()
    limiter.total_tokens = 1
    limiter.acquire_on_behalf_of_nowait(limiter)
    return limiter


def moment(minutes: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def hubspot(client: TestClient, told: object, *, at: datetime | None = None, path: str = "/doors/hubspot") -> Any:
    body, stamp = json.dumps(told).encode(), str(round((at or moment()).timestamp() * 1000))
    signed = hmac.new(SECRET.encode(), f"POST{URL}{path}".encode() + body + stamp.encode(), hashlib.sha256)
    signature = base64.b64encode(signed.digest()).decode()
    headers = JSON | {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": stamp}
    return client.post(path, content=body, headers=headers)


def hubspot_v2(client: TestClient, told: object) -> Any:
    body = json.dumps(told).encode()
    signature = hashlib.sha256(f"{SECRET}POST{URL}/doors/hubspot".encode() + body).hexdigest()
    headers = JSON | {"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": "v2"}
    return client.post("/doors/hubspot", content=body, headers=headers)


def hubspot_event(deal: int = 123, **changes: Any) -> dict[str, Any]:
    told = {"subscriptionId": 7, "occurredAt": 1795332600000, "subscriptionType": "deal.propertyChange"}
    return told | {"objectId": deal, "propertyName": "hs_is_closed_lost", "propertyValue": "true"} | changes


def bottlecrm(client: TestClient, *, kind: str = "deal.lost", at: datetime | None = None) -> Any:
    body = json.dumps({"id": BOTTLE_EVENT, "event": kind, "data": {"id": BOTTLE_DEAL}}).encode()
    stamp = int((at or moment()).timestamp())
    digest = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return client.post(
        "/doors/bottlecrm", content=body, headers=JSON | {"X-BottleCRM-Signature": f"t={stamp},v1={digest}"}
    )


def outbound_message(org: str = ORG, start: str = "") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>{start}
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body>
<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{org}</OrganizationId>
<Notification><Id>04lHs0000000001IA0</Id><sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
<sf:Id>006Hs0000000001IAA</sf:Id></sObject></Notification></notifications></s:Body></s:Envelope>""".encode()


def tell_salesforce(client: TestClient, query: str = "", body: bytes = b"") -> Any:
    return client.post(f"/doors/salesforce{query}", content=body or outbound_message(), headers=XML)


def deals(client: TestClient, told: object, *, at: datetime | None = None, secret: str = SECRET) -> Any:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return client.post("/doors/deals", content=body, headers=JSON | sign(body, secret=secret, at=at or moment()))


def lost(*ids: str, event: str = "event-1") -> dict[str, Any]:
    return {"id": event, "deals": [{"id": deal_id} for deal_id in ids]}


def flow(client: TestClient, told: object, key: str = "test-key-that-is-long-enough") -> Any:
    return client.post("/doors/flow", json=told, headers={"Authorization": f"Bearer {key}"})


def test_hubspot_webhooks_are_queued_once(open_client: Opener) -> None:
    client = open_client("hubspot")
    told = [hubspot_event(123), hubspot_event(124), hubspot_event(123, attemptNumber=2)]
    assert [hubspot(client, told).json() for _ in range(2)] == [
        {"outputFields": {"status": "queued"}},
        {"outputFields": {"status": "known"}},
    ]
    assert kept(client) == [("hubspot", "123"), ("hubspot", "124")]


def test_hubspot_signs_path_and_query(open_client: Opener) -> None:
    client = open_client("hubspot")
    assert hubspot(client, [hubspot_event()], path="/doors/hubspot?tenant=a%20b").status_code == 200


@pytest.mark.parametrize("send", [hubspot, hubspot_v2])
def test_workflow_action_gets_output_fields(open_client: Opener, send: Callable[..., Any]) -> None:
    client = open_client("hubspot")
    answer = send(
        client, {"callbackId": "ap-1-2", "object": {"objectId": 123, "objectType": "DEAL"}, "inputFields": {}}
    )
    assert (answer.status_code, answer.json()) == (200, {"outputFields": {"status": "queued"}})
    assert kept(client) == [("hubspot", "123")]


def test_hubspot_array_needs_a_dated_signature(open_client: Opener) -> None:
    assert hubspot_v2(open_client("hubspot"), [hubspot_event()]).status_code == 401


@pytest.mark.parametrize("name", ["lossnlp_primary_reason", "our_loss_reason"])
def test_own_write_back_starts_no_loop(open_client: Opener, settings: Settings, tmp_path: Path, name: str) -> None:
    words = tmp_path / "words.yaml"
    words.write_text("fields: {lossnlp_primary_reason: our_loss_reason}", encoding="utf-8")
    client = open_client("hubspot")
    app = create_app(settings.model_copy(update={"crm": "hubspot", "crm_words": words}))
    client.app.state.doors = app.state.doors  # type: ignore[attr-defined]
    assert hubspot(client, [hubspot_event(propertyName=name)]).json() == {"outputFields": {"status": "ignored"}}
    assert kept(client) == []


def test_bottlecrm_lost_deal_is_queued_once(open_client: Opener) -> None:
    client = open_client("bottlecrm")
    assert [bottlecrm(client).json()["status"] for _ in range(2)] == ["queued", "known"]
    assert kept(client) == [("bottlecrm", BOTTLE_DEAL)]


def test_bottlecrm_update_is_no_lost_deal(open_client: Opener) -> None:
    client = open_client("bottlecrm")
    assert bottlecrm(client, kind="deal.updated").json() == {"status": "ignored"}
    assert kept(client) == []


def test_outbound_message_is_acknowledged_when_kept(open_client: Opener) -> None:
    client = open_client("salesforce")
    answers = [client.post("/doors/salesforce", content=outbound_message(), headers=XML) for _ in range(2)]
    path = ".//{http://soap.sforce.com/2005/09/outbound}Ack"
    assert [ET.fromstring(answer.content).findtext(path) for answer in answers] == ["true", "true"]  # noqa: S314
    assert answers[0].headers["content-type"].startswith("text/xml")
    assert kept(client) == [("salesforce", "006Hs0000000001IAA")]


@pytest.mark.parametrize("query", ["", "?key=", f"?key={KEY}x", f"?key={KEY}&key={KEY}", f"?other={KEY}", "?key=%ff"])
def test_salesforce_stays_out_without_the_key(open_client: Opener, query: str) -> None:
    client = open_client("salesforce", SALESFORCE_KEY=KEY)
    assert (tell_salesforce(client, query).status_code, kept(client)) == (401, [])


def test_key_is_looked_at_before_the_body(open_client: Opener) -> None:
    client = open_client("salesforce", SALESFORCE_KEY=KEY)
    assert tell_salesforce(client, body=b"<a/>").status_code == 401
    assert tell_salesforce(client, f"?key={KEY}", b"<a/>").status_code == 400


@pytest.mark.parametrize("key", [KEY, KEY[::-1]])
def test_salesforce_key_counts_while_it_is_changed(open_client: Opener, key: str) -> None:
    client = open_client("salesforce", SALESFORCE_KEY=f"{KEY} {KEY[::-1]}")
    assert tell_salesforce(client, f"?key={key}").status_code == 200


def test_salesforce_messages_are_never_large(open_client: Opener) -> None:
    client = open_client("salesforce")
    assert tell_salesforce(client, body=b" " * (128 * 1024 + 1)).status_code == 413
    assert tell_salesforce(client, body=b" " * 128 * 1024).status_code == 400


def test_no_ack_without_a_commit(open_client: Opener) -> None:
    client = open_client("salesforce")
    with client.app.state.database.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("DROP TABLE inbox")
    answer = client.post("/doors/salesforce", content=outbound_message(), headers=XML)
    assert (answer.status_code, b"Ack" in answer.content) == (503, False)


def test_foreign_organisation_gets_no_ack(open_client: Opener) -> None:
    client = open_client("salesforce")
    answer = client.post("/doors/salesforce", content=outbound_message("00DHs0000000002AAA"), headers=XML)
    assert (answer.status_code, kept(client)) == (401, [])


@pytest.mark.parametrize("body", [outbound_message(start='<!DOCTYPE a [<!ENTITY b "c">]>'), b"<a/>", b""])
def test_what_is_no_outbound_message_is_unreadable(open_client: Opener, body: bytes) -> None:
    assert open_client("salesforce").post("/doors/salesforce", content=body, headers=XML).status_code == 400


def test_flow_gets_flat_text_back(open_client: Opener) -> None:
    client, told = open_client("salesforce"), {"dealId": "006Hs0000000001IAA", "eventKey": "2026-11-22T07:30:00Z"}
    assert [flow(client, told).json() for _ in range(2)] == [
        {"dealId": "006Hs0000000001IAA", "status": "queued"},
        {"dealId": "006Hs0000000001IAA", "status": "known"},
    ]


@pytest.mark.parametrize("more", [{}, {"eventKey": None}, {"eventKey": ""}])
def test_flow_without_event_key_counts_every_call(open_client: Opener, more: dict[str, Any]) -> None:
    client = open_client("salesforce")
    assert [flow(client, {"dealId": "006"} | more).json()["status"] for _ in range(2)] == ["queued", "queued"]


def test_flow_needs_an_api_key(open_client: Opener) -> None:
    client = open_client("salesforce")
    assert (flow(client, {"dealId": "006"}, key="another").status_code, kept(client)) == (401, [])


def test_signed_deals_are_queued_for_the_connected_crm(open_client: Opener) -> None:
    client = open_client("demo")
    assert deals(client, lost("a", "b")).json() == {"status": "queued"}
    assert deals(client, lost("b", "c")).json() == {"status": "queued"}
    assert deals(client, lost("b", "c")).json() == {"status": "known"}
    assert kept(client) == [("demo", "a"), ("demo", "b"), ("demo", "c")]


@TWICE
@pytest.mark.parametrize(
    ("crm", "send"),
    [
        ("hubspot", lambda client, at: hubspot(client, [hubspot_event()], at=at)),
        ("bottlecrm", lambda client, at: bottlecrm(client, at=at)),
        ("demo", lambda client, at: deals(client, lost("a"), at=at)),
    ],
)
def test_early_and_late_calls_stay_out(open_client: Opener, crm: str, send: Callable[..., Any], minutes: int) -> None:
    client = open_client(crm)
    assert (send(client, moment(minutes)).status_code, kept(client)) == (401, [])
    assert send(client, moment(minutes * 0.75)).status_code == 200


@pytest.mark.parametrize("secrets", [f"{OTHER} {SECRET}", f"{SECRET} {OTHER}"])
@pytest.mark.parametrize(
    ("crm", "send"),
    [("hubspot", lambda client: hubspot(client, [hubspot_event()])), ("bottlecrm", bottlecrm)],
)
def test_vendor_secret_counts_while_it_is_changed(
    open_client: Opener, crm: str, send: Callable[..., Any], secrets: str
) -> None:
    assert send(open_client(crm, **{f"{crm.upper()}_SECRET": secrets})).status_code == 200


def test_both_secrets_sign_deals_and_no_third(open_client: Opener) -> None:
    client = open_client("demo", DEALS_SECRET=f"{SECRET} {OTHER}")
    answers = [deals(client, lost("a"), secret=secret) for secret in (SECRET, OTHER, f"{SECRET} {OTHER}")]
    assert [answer.status_code for answer in answers] == [200, 200, 401]


def test_refusals_do_not_say_which_check_failed(open_client: Opener) -> None:
    client = open_client("demo")
    answers = [
        client.post("/doors/deals", json=lost("a")),
        deals(client, lost("a"), at=moment(9)),
        deals(client, lost("a"), secret=SECRET[::-1]),
        client.post("/doors/deals", content=b"{", headers=JSON | sign(b"[", secret=SECRET, at=moment())),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["detail"] for answer in answers}) == 1


@pytest.mark.parametrize("crm", ["hubspot", "bottlecrm"])
def test_unsigned_vendor_calls_stay_out(open_client: Opener, crm: str) -> None:
    client = open_client(crm)
    assert (client.post(f"/doors/{crm}", json=[hubspot_event()]).status_code, kept(client)) == (401, [])


@pytest.mark.parametrize("told", [b"", b"{", b"\xff", [], {"id": "e", "deals": []}])
def test_unreadable_body_of_a_known_sender_is_400(open_client: Opener, told: object) -> None:
    client = open_client("demo")
    assert (deals(client, told).status_code, kept(client)) == (400, [])


def test_unreadable_field_is_named_without_its_value(open_client: Opener) -> None:
    detail = deals(open_client("demo"), lost("fine", "secret\nname")).json()["detail"]
    assert detail.startswith("Field 'deals.1.id'")
    assert "name" not in detail


@pytest.mark.parametrize("crm", [None, "demo", "tryton"])
@pytest.mark.parametrize("door", ["hubspot", "bottlecrm", "salesforce"])
def test_door_of_another_crm_is_not_there(open_client: Opener, crm: str | None, door: str) -> None:
    client = open_client(crm)
    answer, nowhere = client.post(f"/doors/{door}"), client.post("/nowhere")
    assert (answer.status_code, answer.json()["detail"]) == (404, nowhere.json()["detail"])


@pytest.mark.parametrize("door", ["hubspot", "bottlecrm", "salesforce", "deals"])
def test_door_without_its_secret_is_not_there(open_client: Opener, door: str) -> None:
    shut = {name: "" for name in VARIABLES if name != "PUBLIC_URL"}
    assert open_client(door if door != "deals" else "demo", **shut).post(f"/doors/{door}").status_code == 404


def test_without_a_crm_nothing_is_queued(open_client: Opener) -> None:
    client = open_client(None)
    assert [deals(client, lost("a")).status_code, flow(client, {"dealId": "a"}).status_code] == [404, 404]


@pytest.mark.parametrize("changes", [{"content-type": "text/plain"}, XML, JSON | {"content-encoding": "gzip"}])
def test_other_media_types_are_415(open_client: Opener, changes: dict[str, str]) -> None:
    assert open_client("demo").post("/doors/deals", content=b"{}", headers=changes).status_code == 415


def test_large_body_is_refused_before_its_signature(open_client: Opener) -> None:
    client = open_client("demo", MAX_BODY_BYTES="2048")
    assert deals(client, b" " * 2049).status_code == 413
    assert deals(client, b" " * 2048).status_code == 400


def test_calls_are_counted_by_door_and_outcome(open_client: Opener, settings: Settings) -> None:
    client = open_client("demo")
    for told in (lost("a"), lost("a"), {}):
        deals(client, told)
    deals(client, lost("a"), at=moment(9))
    assert settings.api_key
    headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
    shown = client.get("/metrics", headers=headers).text
    for outcome in ("queued", "known", "unreadable", "refused"):
        assert f'lossnlp_door_calls_total{{door="deals",outcome="{outcome}"}} 1.0' in shown


def test_metrics_show_what_waits_in_the_inbox(open_client: Opener) -> None:
    client = open_client("demo")
    deals(client, lost("a", "b"))
    headers = {"Authorization": "Bearer test-key-that-is-long-enough"}
    shown = client.get("/metrics", headers=headers).text
    assert 'lossnlp_inbox_events{state="due"} 2.0' in shown
    assert 'lossnlp_inbox_events{state="taken"} 0.0' in shown
    [waiting] = [line for line in shown.splitlines() if line.startswith("lossnlp_inbox_oldest_due_seconds")]
    assert float(waiting.split()[1]) > 0


def test_inbox_says_which_door_was_called(open_client: Opener) -> None:
    client = open_client("salesforce")
    flow(client, {"dealId": "006"})
    tell_salesforce(client)
    deals(client, lost("a"))
    with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        assert [row.door for row in inbox.find_events(session)] == ["flow", "salesforce", "deals"]


def test_doors_answer_while_everything_classifies(open_client: Opener) -> None:
    client = open_client("demo")
    with ThreadPoolExecutor(3) as pool, classifying_everywhere(client):
        told = pool.submit(deals, client, lost("a")), pool.submit(flow, client, {"dealId": "b"})
        answers = [future.result(60) for future in (*told, pool.submit(client.get, "/readyz"))]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


def test_twins_that_arrive_together_are_one(database: Database) -> None:
    body = json.dumps(lost("a", "b")).encode()
    call = Delivery("POST", "/doors/deals", sign(body, secret=SECRET, at=moment()), body)
    doors = Doors(DoorSettings.model_validate({"deals_secret": SECRET}), "demo", database, Metrics())
    together, outcomes = Barrier(4), []

    def tell() -> None:
        together.wait()
        outcomes.append(doors.take("deals", call).outcome)

    threads = [Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["known", "known", "known", "queued"]
