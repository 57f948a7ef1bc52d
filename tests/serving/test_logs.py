"""The log: request id and deal id, never a customer's words."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from io import StringIO
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient

from serving.crm.demo import DemoCrm
from serving.logs import describe_error
from serving.settings import Settings
from serving.store import Database
from serving.worker import Worker

CANARY = "canary-sings-at-dawn"
Logged = Callable[[], list[dict[str, Any]]]
JSON = {"content-type": "application/json"}


@pytest.fixture
def logged(settings: Settings, set_up_logs: Callable[[Settings], None]) -> Logged:
    """The service's own log set-up; gives the lines logged so far."""
    written = StringIO()
    set_up_logs(settings.model_copy(update={"log_level": "debug"}))
    cast("logging.StreamHandler[StringIO]", logging.getLogger().handlers[0]).setStream(written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_no_text_reaches_the_log(client: TestClient, settings: Settings, logged: Logged) -> None:
    good = {"id": "OV-2133", "text": f"legal {CANARY}"}
    client.post("/v1/assessments", json=good)
    client.post("/v1/assessments", json={"id": "D-2", "text": f"explode {CANARY}"})
    client.post("/v1/assessments", content=f'{{"text": "{CANARY}"'.encode(), headers=JSON)
    client.post("/v1/assessments:batch", json={"items": [good, {"id": "D-3", "text": f"explode {CANARY}"}]})
    client.post("/v1/assessments", json={"id": "D-4", "text": "x", "closed_at": f"T{CANARY}"})
    client.get(f"/v1/{CANARY}?q={CANARY}")
    Worker(Database(settings.database_url), DemoCrm()).send_due()
    lines = logged()
    assert CANARY not in str(lines)
    assert {"deal_taken", "deal_failed", "unexpected_error", "item_failed"} <= {line["event"] for line in lines}


def test_request_line_is_json_with_id(client: TestClient, logged: Logged) -> None:
    client.post("/v1/assessments", json={"id": "D-1", "text": "price"}, headers={"X-Request-ID": "abc-1"})
    lines = logged()
    [request] = [line for line in lines if line["event"] == "request"]
    assert (request["request_id"], request["route"], request["status"]) == ("abc-1", "/v1/assessments", 201)
    assert [line["deal_id"] for line in lines if line["event"] == "deal_taken"] == ["D-1"]


def sing() -> None:
    raise KeyError(CANARY) from ValueError(CANARY)


def test_library_exceptions_lose_their_message(logged: Logged) -> None:
    try:
        sing()
    except KeyError:
        logging.getLogger("some.library").exception("it broke")
    [line] = [line for line in logged() if line["logger"] == "some.library"]
    assert (line["event"], line["error"]) == ("it broke", "KeyError")
    assert CANARY not in str(line)


def test_described_error_keeps_type_and_place() -> None:
    with pytest.raises(KeyError) as caught:
        sing()
    described = describe_error(caught.value)
    assert (described["error"], described["cause"]) == ("KeyError", "ValueError")
    assert "test_logs.py" in described["where"][-1]
    assert CANARY not in str(described)
