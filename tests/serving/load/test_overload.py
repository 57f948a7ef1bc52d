"""Too many requests are told so early; who asks for one deal is served first; who has left costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx2
import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.errors import OverloadError
from serving.intake import Intake, parse_deal
from serving.load.caller import Caller
from serving.load.entrance import read_caller
from serving.load.line import Line
from serving.load.rounds import RoundLimits
from serving.metrics import Metrics
from serving.server import open_port, serving_beside
from serving.settings import Settings
from serving.store import Database
from tests.serving.conftest import KEY
from tests.serving.load.conftest import RoundAssessor, SecondsClock

HEADERS = {"Authorization": f"Bearer {KEY}"}
TEXT = "the price was too high"
Plugged = tuple[TestClient, RoundAssessor, Callable[..., Future[Any]]]


@pytest.fixture
def plugged(settings: Settings) -> Iterator[Plugged]:
    """The service with one reader and one place, both held by a request; gives what sends another one beside."""
    assessor = RoundAssessor()
    small = settings.model_copy(update={"max_waiting": 1, "rounds_at_once": 1, "round_window_ms": 0.0})
    with (
        TestClient(create_app(small, assessor=assessor), headers=HEADERS) as client,
        ThreadPoolExecutor(4) as pool,
    ):

        def send(deal_id: str, **headers: str) -> Future[Any]:
            return pool.submit(client.post, "/v1/assessments", json={"id": deal_id, "text": TEXT}, headers=headers)

        plug = send("plug")
        try:
            assert assessor.is_reading.wait(30)
            yield client, assessor, send
        finally:
            assessor.may_go_on.set()
        assert plug.result(30).status_code == 201


def await_metric(client: TestClient | httpx2.Client, line: str) -> None:
    """Returns when the metrics show the line; a test that waits in vain is ended by its event."""
    never = Event()
    for _ in range(600):
        if line in client.get("/metrics").text.splitlines():
            return
        never.wait(0.05)
    pytest.fail(f"the metrics never showed {line}")


def test_full_service_answers_503_at_once(plugged: Plugged) -> None:
    client, assessor, send = plugged
    refused = send("B").result(30)
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) >= 1
    assert assessor.calls == []
    await_metric(client, 'lossnlp_refused_total{cause="full",row="live"} 1.0')


def test_full_service_refuses_the_flat_form_too(plugged: Plugged) -> None:
    client, _, _ = plugged
    assert client.post("/v1/assessments:flat", json={"dealId": "B", "note": TEXT}).status_code == 503


def test_bulk_places_are_their_own(plugged: Plugged) -> None:
    client, assessor, send = plugged
    behind = send("B", Priority="u=6, i")
    await_metric(client, 'lossnlp_waiting_deals{row="bulk"} 1.0')
    assert client.post("/v1/assessments:batch", json={"items": []}).status_code == 503
    assessor.may_go_on.set()
    assert behind.result(30).status_code == 201


def test_full_service_answers_all_else(plugged: Plugged) -> None:
    client, _, _ = plugged
    assert client.get("/readyz").status_code == 200
    assert client.get("/v1/taxonomy").status_code == 200
    assert client.post("/doors/flow", json={"dealId": "B"}).json()["status"] == "queued"


def test_place_is_free_again_after_the_answer(plugged: Plugged) -> None:
    _, assessor, send = plugged
    assessor.may_go_on.set()
    sent = send("B").result(30)
    while sent.status_code == 503:  # the plug may be on its way out
        sent = send("B").result(30)
    assert sent.status_code == 201


def test_time_of_a_request_ends_in_the_line(settings: Settings) -> None:
    assessor = RoundAssessor()
    one_reader = settings.model_copy(update={"rounds_at_once": 1})
    with (
        TestClient(create_app(one_reader, assessor=assessor), headers=HEADERS) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        plug = pool.submit(client.post, "/v1/assessments", json={"id": "plug", "text": TEXT})
        assert assessor.is_reading.wait(30)
        late = client.post("/v1/assessments", json={"id": "B", "text": TEXT}, headers={"Request-Timeout": "0.05"})
        assessor.may_go_on.set()
        assert plug.result(30).status_code == 201
    assert (late.status_code, assessor.calls) == (503, ["plug"])
    assert late.json()["detail"].startswith("This request's time was over")


@pytest.mark.parametrize("told", ["0", "-1", "soon", "nan", "inf", "3601", ""])
def test_wrong_timeout_names_its_header(client: TestClient, told: str) -> None:
    answer = client.post("/v1/assessments", json={"id": "B", "text": TEXT}, headers={"Request-Timeout": told})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Request-Timeout"


@pytest.mark.parametrize(
    ("told", "row"),
    [("u=6", "bulk"), ("i, u=4", "bulk"), ("u=7;x, i", "bulk"), ("u=3", "live"), ("u=1, i", "live"), ("u=9", "live")],
)
def test_urgency_tells_the_row(client: TestClient, told: str, row: str) -> None:
    scope = {"type": "http", "headers": [(b"priority", told.encode())], "app": client.app}
    assert read_caller(Request(scope)).row == row


def test_installation_says_how_long_is_usual(client: TestClient) -> None:
    request = Request({"type": "http", "headers": [], "app": client.app})
    waits_s = [read_caller(request).remaining_s, read_caller(request, is_bulk=True).remaining_s]
    assert waits_s == pytest.approx([30, 300], rel=0.5)


def test_headers_are_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/assessments", "/v1/assessments:batch"):
        assert [one["name"] for one in described[path]["post"]["parameters"]] == ["Request-Timeout", "Priority"]
        assert "503" in described[path]["post"]["responses"]
    assert "503" in described["/v1/assessments:flat"]["post"]["responses"]


def test_deal_whose_client_has_gone_is_not_read(settings: Settings) -> None:
    assessor = RoundAssessor()
    app = create_app(settings.model_copy(update={"rounds_at_once": 1}), assessor=assessor)
    with (
        serving_beside(app, open_port("127.0.0.1", 0)) as url,
        httpx2.Client(base_url=url, headers=HEADERS, timeout=30) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        plug = pool.submit(client.post, "/v1/assessments", json={"id": "plug", "text": TEXT})
        assert assessor.is_reading.wait(30)
        with pytest.raises(httpx2.ReadTimeout):
            client.post("/v1/assessments", json={"id": "B", "text": TEXT}, timeout=0.1)
        await_metric(client, 'lossnlp_refused_total{cause="left",row="live"} 1.0')
        assessor.may_go_on.set()
        assert plug.result(30).status_code == 201
    assert assessor.calls == ["plug"]


def test_batch_is_read_in_rounds(settings: Settings) -> None:
    assessor = RoundAssessor()
    items = [{"id": f"D-{number}", "text": f"price, case {number}"} for number in range(7)]
    app = create_app(settings.model_copy(update={"round_deals": 4, "rounds_at_once": 1}), assessor=assessor)
    with TestClient(app, headers=HEADERS) as client:
        answers = client.post("/v1/assessments:batch", json={"items": items}).json()["items"]
        app.state.intake.line.close()
        shown = client.get("/metrics").text
    assert [answer["deal_id"] for answer in answers] == [item["id"] for item in items]
    assert sorted(deal_id for one in assessor.rounds for deal_id in one) == [item["id"] for item in items]
    assert 'lossnlp_wait_seconds_count{row="bulk"} 7.0' in shown
    assert "lossnlp_round_deals_sum 7.0" in shown


def test_batch_leaves_out_what_has_no_time(database: Database, seconds: SecondsClock) -> None:
    assessor = RoundAssessor(lambda: setattr(seconds, "at_s", seconds.at_s + 10))
    line = Line(RoundLimits(deals=1, at_once=1), clock=seconds)
    caller = Caller(is_bulk=True, patience_s=15, clock=seconds)
    intake = Intake(assessor, database, Metrics(), line=line, caller=caller)
    deals = [parse_deal({"id": name, "text": TEXT}) for name in "ABC"]
    ahead = intake.reading_ahead(deals)
    assert [ahead.take_deal(deal).is_new for deal in deals[:2]] == [True, True]
    with pytest.raises(OverloadError):
        ahead.take_deal(deals[2])
    assert intake.asked_by(Caller()).take_deal(deals[2]).is_new


def test_batch_that_finds_no_time_is_refused_whole(settings: Settings) -> None:
    assessor = RoundAssessor()
    with (
        TestClient(
            create_app(settings.model_copy(update={"rounds_at_once": 1}), assessor=assessor), headers=HEADERS
        ) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        plug = pool.submit(client.post, "/v1/assessments", json={"id": "plug", "text": TEXT})
        assert assessor.is_reading.wait(30)
        items = [{"id": name, "text": TEXT} for name in "AB"]
        headers = {"Request-Timeout": "0.05"}
        late = client.post("/v1/assessments:batch", json={"items": items}, headers=headers)
        assessor.may_go_on.set()
        plug.result(30)
    assert (late.status_code, assessor.calls) == (503, ["plug"])


def test_twins_of_a_batch_are_read_once(intake: Intake, assessor: Any) -> None:
    twins = [parse_deal({"id": "D", "text": TEXT})] * 2
    ahead = intake.reading_ahead(twins)
    assert [ahead.take_deal(deal).is_new for deal in twins] == [True, False]
    assert assessor.calls == ["D"]


def test_answered_deal_does_not_join_the_line(intake: Intake, assessor: Any) -> None:
    deal = parse_deal({"id": "D", "text": TEXT})
    intake.take_deal(deal)
    assert not intake.reading_ahead([deal]).take_deal(deal).is_new
    assert assessor.calls == ["D"]
