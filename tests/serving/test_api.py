"""The routes as a client of the published contract sees them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving import openapi
from serving.app import create_app
from serving.crm.demo import DemoCrm
from serving.crm.protocol import FieldChange, SendResult
from serving.settings import Settings
from serving.store import Database
from serving.worker import Worker

NOTE = {"id": "D-1", "text": "Lost on price to Rostera", "closed_at": "2026-11-20"}
BAD_ITEMS = [
    ({"id": "empty", "text": ""}, "text"),
    ({"id": "blank", "text": " \u200b\n"}, "text"),
    ({"id": "nul-only", "text": "\x00\x00"}, "text"),
    ({"text": "no id"}, "id"),
    ({"id": "no-text"}, "text"),
    ({"deal": {"id": "kind"}, "documents": [{"id": "n", "kind": "fax", "text": "price"}]}, "documents.0.kind"),
    ({"deal": {"id": "none"}, "documents": []}, "documents"),
    ({"id": "N\x00L", "text": "price"}, "id"),
    ({"id": "long", "text": "x" * 2_000_001}, "text"),
    ({"id": 7, "text": "price"}, "id"),
    ("not an object", None),
    (None, None),
]


def test_created_assessment_answers_201(client: TestClient) -> None:
    response = client.post("/v1/assessments", json=NOTE)
    assert response.status_code == 201
    assert response.json()["reasons"][0]["code"] == "price"
    assert response.headers["location"] == f"/v1/assessments/{response.json()['id']}"


def test_repeat_answers_200_with_same_id(client: TestClient) -> None:
    first, second = client.post("/v1/assessments", json=NOTE), client.post("/v1/assessments", json=NOTE)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_long_form_is_read(client: TestClient) -> None:
    response = client.post("/v1/assessments", json=openapi.EXAMPLE_REQUEST)
    assert response.json()["deal_id"] == openapi.EXAMPLE_REQUEST["deal"]["id"]


def test_answer_is_committed_when_it_leaves(client: TestClient, settings: Settings) -> None:
    taken = client.post("/v1/assessments", json=NOTE).json()
    with Database(settings.database_url).reading() as session:
        assert session.connection().exec_driver_sql("SELECT id FROM assessments").scalar() == taken["id"]


def test_concurrent_twins_get_one_id(settings: Settings, make_assessor: Any, client: TestClient) -> None:
    app = create_app(settings, assessor=make_assessor(Barrier(2, timeout=30).wait))
    with TestClient(app, headers=dict(client.headers)) as twin, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: twin.post("/v1/assessments", json=NOTE), range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert answers[0].json() == answers[1].json()


def test_stored_assessment_is_given_again(client: TestClient) -> None:
    taken = client.post("/v1/assessments", json=NOTE).json()
    stored = client.get(f"/v1/assessments/{taken['id']}").json()
    assert {key: stored[key] for key in taken} == taken
    assert stored["write_back"]["state"] == "due"


def test_stored_assessment_tells_what_was_written(client: TestClient, settings: Settings) -> None:
    taken = client.post("/v1/assessments", json={**NOTE, "id": "OV-2098"}).json()
    Worker(Database(settings.database_url), DemoCrm()).send_due()
    write_back = client.get(f"/v1/assessments/{taken['id']}").json()["write_back"]
    assert write_back["state"] == "sent"
    assert write_back["written"]["lossnlp_winback"] == "open"
    assert write_back["kept"] == {"lossnlp_primary_reason": "competitor"}


class UnsureCrm(DemoCrm):
    """A demo CRM that never says what became of a change, and takes no second try."""

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        return [SendResult(change.deal_id, error="timeout", is_certain=False) for change in changes]


def test_failed_write_back_shows_nothing_written(client: TestClient, settings: Settings) -> None:
    taken = client.post("/v1/assessments", json={**NOTE, "id": "OV-2098"}).json()
    Worker(Database(settings.database_url), UnsureCrm()).send_due()
    write_back = client.get(f"/v1/assessments/{taken['id']}").json()["write_back"]
    assert (write_back["state"], write_back["written"]) == ("failed", {})


def test_bad_items_never_fail_neighbours(client: TestClient) -> None:
    good = [{"id": f"good-{number}", "text": "price"} for number in range(len(BAD_ITEMS))]
    items = [item for pair in zip(good, [item for item, _ in BAD_ITEMS], strict=True) for item in pair]
    answers = client.post("/v1/assessments:batch", json={"items": items}).json()["items"]
    assert [answer["deal_id"] for answer in answers[::2]] == [item["id"] for item in good]
    assert [answer["error"]["field"] for answer in answers[1::2]] == [field for _, field in BAD_ITEMS]
    assert {answer["error"]["code"] for answer in answers[1::2]} == {"invalid_deal"}


@pytest.mark.parametrize(("item", "field"), BAD_ITEMS)
def test_bad_deal_names_its_field(client: TestClient, item: Any, field: str | None) -> None:
    headers = {"content-type": "application/json"}
    response = client.post("/v1/assessments", content=json.dumps(item), headers=headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == (field or "")
    assert response.json()["errors"][0]["message"]


def test_failing_item_leaves_neighbours_alone(client: TestClient) -> None:
    items = [NOTE, {"id": "D-2", "text": "explode"}, {"id": "D-3", "text": "budget"}]
    answers = client.post("/v1/assessments:batch", json={"items": items}).json()["items"]
    assert [("error" in answer) for answer in answers] == [False, True, False]
    assert answers[1]["deal_id"] == "D-2"


def test_emoji_note_gets_an_answer(client: TestClient) -> None:
    response = client.post("/v1/assessments", json={"id": "D-9", "text": "😢😢💸"})
    assert response.status_code == 201
    assert response.json()["reasons"][0]["code"] == "unknown"


def test_lone_surrogates_do_no_harm(client: TestClient) -> None:
    body = rb'{"items": [{"id": "\ud800", "text": "price"}, {"id": "D-1", "text": "price \udfff too high"}]}'
    headers = {"content-type": "application/json"}
    answers = client.post("/v1/assessments:batch", content=body, headers=headers).json()["items"]
    assert (answers[0]["error"]["field"], answers[0]["deal_id"]) == ("id", None)
    assert answers[1]["deal_id"] == "D-1"


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({"id": "x" * 5_000}, "x" * 200),
        ({"deal": {"id": "D-2"}, "documents": []}, "D-2"),
        ({"deal": None, "id": "D-3"}, "D-3"),
        ({"deal": {}}, None),
    ],
)
def test_bad_item_answers_under_its_id(client: TestClient, item: Any, named: str | None) -> None:
    [answer] = client.post("/v1/assessments:batch", json={"items": [item]}).json()["items"]
    assert answer["error"]["code"] == "invalid_deal"
    assert answer["deal_id"] == named


def test_repeat_within_batch_has_one_id(client: TestClient) -> None:
    answers = client.post("/v1/assessments:batch", json={"items": [NOTE, NOTE]}).json()["items"]
    assert answers[0] == answers[1]


def test_full_batch_is_answered_in_order(client: TestClient) -> None:
    items = [{"id": f"D-{number}", "text": "price"} for number in range(500)]
    answers = client.post("/v1/assessments:batch", json={"items": items}).json()["items"]
    assert [answer["deal_id"] for answer in answers] == [item["id"] for item in items]


@pytest.mark.parametrize("body", [{"items": [NOTE] * 501}, {"items": "x"}, {}, []])
def test_wrong_batch_is_refused(client: TestClient, body: Any) -> None:
    response = client.post("/v1/assessments:batch", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "items"


def test_empty_batch_gives_empty_answer(client: TestClient) -> None:
    assert client.post("/v1/assessments:batch", json={"items": []}).json() == {"items": []}


def test_taxonomy_lists_every_reason(client: TestClient) -> None:
    taxonomy = client.get("/v1/taxonomy").json()
    assert len(taxonomy["reasons"]) == 18
    assert len(taxonomy["elements"]) == 8


def test_health_needs_no_key(client: TestClient) -> None:
    assert client.get("/healthz", headers={"Authorization": ""}).json() == {"status": "alive"}
    assert client.get("/readyz", headers={"Authorization": ""}).json()["status"] == "ready"


@pytest.fixture
def emptied(client: TestClient, settings: Settings) -> TestClient:
    """A client of a service whose database lost its migrations table."""
    database = Database(settings.database_url)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    database.close()
    return client


def test_not_ready_without_schema(emptied: TestClient) -> None:
    assert emptied.get("/readyz").status_code == 503
    assert emptied.get("/healthz").status_code == 200


def test_metrics_count_deals_and_requests(client: TestClient) -> None:
    client.post("/v1/assessments", json=NOTE)
    text = client.get("/metrics").text
    assert 'lossnlp_deals_total{outcome="new"} 1.0' in text
    assert 'lossnlp_http_requests_total{method="POST",route="/v1/assessments",status="201"} 1.0' in text
    assert 'lossnlp_write_backs{state="due"} 1.0' in text


def test_zero_character_in_address_is_refused(client: TestClient) -> None:
    assert client.get("/v1/assessments/%00").status_code == 400
