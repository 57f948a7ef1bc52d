"""What an operator sees of the service: readiness by part, and metrics of what waits."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.backlog import read_backlog
from serving.crm.demo import DemoCrm
from serving.intake import Intake, parse_deal
from serving.metrics import Metrics
from serving.poller import Poller
from serving.settings import Settings
from serving.store import Database, now
from serving.worker import Worker
from tests.serving.conftest import KEY

NOTE = {"id": "OV-2133", "text": "They said price was the problem."}


def values(shown: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in shown.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.fixture
def away(client: TestClient, settings: Settings) -> TestClient:
    """A client of a service whose database is gone."""
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()
    shutil.rmtree(file, ignore_errors=True)
    file.mkdir()
    client.app.state.database.engine.dispose()  # type: ignore[attr-defined]
    client.app.state.doors.database.engine.dispose()  # type: ignore[attr-defined]
    return client


def test_readiness_tells_its_parts(client: TestClient) -> None:
    told = {"status": "ready", "model": "keywords-1", "database": "ready", "queue": "open"}
    assert client.get("/readyz").json() == told


def test_readiness_names_the_database_that_is_away(away: TestClient) -> None:
    answer = away.get("/readyz")
    assert (answer.status_code, [fault["field"] for fault in answer.json()["errors"]]) == (503, ["database"])
    assert "is away" in answer.json()["detail"]


def test_readiness_names_an_old_database(client: TestClient, settings: Settings) -> None:
    with Database(settings.database_url).engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0009'")
    answer = client.get("/readyz").json()
    assert (answer["errors"][0]["field"], "lossnlp-serve migrate" in answer["detail"]) == ("database", True)


def test_readiness_names_the_model_that_is_not_there(settings: Settings, assessor: Any) -> None:
    client = TestClient(create_app(settings, assessor=assessor))  # not started
    assert [fault["field"] for fault in client.get("/readyz").json()["errors"]] == ["model"]


def test_full_queue_is_told_and_still_ready(settings: Settings, make_assessor: Any) -> None:
    told: list[str] = []
    assessor = make_assessor(before_answer=lambda: told.append(client.get("/readyz").json()["queue"]))
    one_place = settings.model_copy(update={"max_waiting": 1})
    with TestClient(create_app(one_place, assessor=assessor), headers={"Authorization": f"Bearer {KEY}"}) as client:
        client.post("/v1/assessments", json=NOTE)
        assert told == ["full"]
        assert client.get("/readyz").json()["queue"] == "open"


def test_metrics_outlive_the_database(away: TestClient) -> None:
    away.get("/healthz")
    shown = values(away.get("/metrics").text)
    assert shown["lossnlp_database_up"] == 0
    assert shown['lossnlp_http_requests_total{method="GET",route="/healthz",status="200"}'] == 1


def test_key_that_cannot_be_checked_is_no_fault_of_the_caller(away: TestClient) -> None:
    answer = away.get("/metrics", headers={"Authorization": "Bearer another"})
    assert (answer.status_code, "database is away" in answer.json()["detail"]) == (503, True)


def test_metrics_show_reviews_that_wait(client: TestClient) -> None:
    client.post("/v1/assessments", json={"id": "D-1", "text": "price"})
    shown = values(client.get("/metrics").text)
    assert shown["lossnlp_reviews_waiting"] == 1
    assert shown["lossnlp_review_oldest_seconds"] > 0
    assert (shown["lossnlp_database_up"], shown["lossnlp_database_look_seconds"] > 0) == (1, True)


def test_metrics_show_how_write_backs_went(client: TestClient, settings: Settings) -> None:
    client.post("/v1/assessments", json=NOTE)
    assert values(client.get("/metrics").text)["lossnlp_write_back_oldest_due_seconds"] > 0
    Worker(Database(settings.database_url), DemoCrm()).send_due()
    shown = values(client.get("/metrics").text)
    outcomes = {
        name: shown[f'lossnlp_write_back_attempts_last_hour{{outcome="{name}"}}']
        for name in ("sent", "refused", "unknown")
    }
    assert sum(outcomes.values()) == 1
    assert shown["lossnlp_write_back_oldest_due_seconds"] == 0


def test_attempts_are_forgotten_after_an_hour(intake: Intake, database: Database, crm: DemoCrm) -> None:
    intake.take_deal(parse_deal(NOTE))
    Worker(database, crm).send_due()
    with database.reading() as session:
        backlog = read_backlog(session, now())
        assert sum(backlog.attempts.values()) == 1
        assert backlog.write_back_due_at is None
        assert read_backlog(session, now() + timedelta(hours=2)).attempts == {}


def test_metrics_show_when_the_crm_was_polled(client: TestClient, settings: Settings) -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    Poller(Database(settings.database_url), DemoCrm(), clock=lambda: at).poll()
    assert values(client.get("/metrics").text)['lossnlp_polled_at_seconds{crm="demo"}'] == at.timestamp()


def test_names_are_those_that_are_shown(client: TestClient) -> None:
    client.post("/v1/assessments", json=NOTE)
    shown = {name.partition("{")[0] for name in values(client.get("/metrics").text)}
    assert {name for name in shown if not name.endswith("_created")} <= Metrics().names()
