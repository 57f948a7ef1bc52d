"""A PostgreSQL that crashes and comes back, and a disk that is full: callers are told to come again, and nothing happens twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import OperationalError

from serving import inbox, outbox
from serving.app import create_app
from serving.crm.protocol import LostEvent
from serving.intake import Intake, parse_deal
from serving.metrics import Metrics
from serving.receiver import LEASE_S as EVENT_LEASE_S
from serving.receiver import Receiver
from serving.settings import Settings
from serving.store import Database
from serving.tables import AssessmentRow
from serving.worker import LEASE_S, Worker
from tests.serving.conftest import KEY, KeywordAssessor
from tests.serving.faults.counting_crm import CountingCrm, lost
from tests.serving.postgres_server import PostgresServer

NOTE = {"id": "D-1", "text": "the price was too high"}
CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
)


def client_of(settings: Settings, assessor: KeywordAssessor) -> TestClient:
    return TestClient(create_app(settings, assessor=assessor), headers={"Authorization": f"Bearer {KEY}"})


@pytest.fixture
def postgres_settings(own_postgres: PostgresServer, tmp_path: Path) -> Settings:
    key = SecretStr(KEY)
    return Settings(var_dir=tmp_path, api_key=key, crm="demo", database_url=own_postgres.url, audit_rate=0)


@pytest.fixture
def postgres(own_postgres: PostgresServer) -> Iterator[Database]:
    with closing(Database(own_postgres.url)) as opened:
        yield opened


def fill_up(database: Database) -> Any:
    """Lets the file grow no further; gives what makes room again."""

    def bound(connection: Any, pages: int = 1) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")  # never below what the file has

    event.listen(database.engine, "connect", lambda connection, _: bound(connection))
    database.engine.dispose()
    return lambda: event.listen(database.engine, "checkout", lambda connection, *_: bound(connection, 2**30))


@pytest.mark.postgres
def test_request_to_a_crashed_database_is_told_to_come_again(
    own_postgres: PostgresServer, postgres_settings: Settings, assessor: KeywordAssessor
) -> None:
    with client_of(postgres_settings, assessor) as client:
        own_postgres.stop()
        refused, is_ready = client.post("/v1/assessments", json=NOTE), client.get("/readyz")
        own_postgres.go_on()
        taken = client.post("/v1/assessments", json=NOTE)
    assert (refused.status_code, refused.headers["retry-after"], is_ready.status_code) == (503, "5", 503)
    assert "price" not in refused.text
    assert taken.status_code == 201


@pytest.mark.postgres
def test_deal_survives_a_cut_while_it_is_read(postgres_settings: Settings, postgres: Database) -> None:
    def cut() -> None:
        with postgres.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(CUT)

    note = NOTE | {"id": "cut-1"}
    with client_of(postgres_settings, KeywordAssessor(before_answer=cut)) as client:
        answers = [client.post("/v1/assessments", json=note) for _ in range(2)]
    assert {answer.status_code for answer in answers} <= {200, 201, 503}
    with postgres.reading() as session:
        assert session.scalar(select(func.count()).where(AssessmentRow.deal_id == "cut-1")) == 1


@pytest.mark.postgres
def test_crash_between_sending_and_settling_writes_once(
    own_postgres: PostgresServer, postgres: Database, tmp_path: Path, clock: Any
) -> None:
    crm = CountingCrm(tmp_path, on_sent=own_postgres.stop)
    Intake(KeywordAssessor(), postgres, Metrics(), crm="demo").take_deal(parse_deal(lost(3)))
    with pytest.raises(OperationalError):
        Worker(postgres, crm, clock).send_due()
    own_postgres.go_on()
    clock.move(LEASE_S + 1)
    while Worker(postgres, CountingCrm(tmp_path), clock).send_due():
        continue
    assert {times for (deal_id, _), times in crm.written.items() if deal_id == "D-3"} == {1}
    with postgres.reading() as session:
        assert "sending" not in outbox.count_by_state(session)


@pytest.mark.postgres
def test_event_waits_for_the_database_however_often(
    own_postgres: PostgresServer, postgres: Database, tmp_path: Path, clock: Any
) -> None:
    assessor = KeywordAssessor(before_answer=own_postgres.stop)
    receiver = Receiver(postgres, CountingCrm(tmp_path), Intake(assessor, postgres, Metrics(), crm="demo"), clock)
    with postgres.writing() as session:
        inbox.add_events(session, [LostEvent("away", "D-9")], crm="demo", door="deals", at=clock())
        session.commit()
    with pytest.raises(OperationalError):
        receiver.take_due()
    own_postgres.go_on()
    clock.move(EVENT_LEASE_S + 1)
    calm = Intake(KeywordAssessor(), postgres, Metrics(), crm="demo")
    Receiver(postgres, CountingCrm(tmp_path), calm, clock).take_due()
    with postgres.reading() as session:
        assert inbox.count_by_state(session) == {"taken": 1}


def test_full_disk_refuses_and_later_takes(settings: Settings, assessor: KeywordAssessor) -> None:
    app = create_app(settings, assessor=assessor)
    with TestClient(app, headers={"Authorization": f"Bearer {KEY}"}) as client:
        make_room = fill_up(app.state.database)
        refused = [client.post("/v1/assessments", json=NOTE | {"id": f"full-{n}"}) for n in range(15)]
        make_room()
        taken = [client.post("/v1/assessments", json=NOTE | {"id": f"full-{n}"}) for n in range(15)]
    n_refused = sum(answer.status_code == 503 for answer in refused)
    assert n_refused > 0
    assert sum(answer.status_code == 201 for answer in (*refused, *taken)) == 15
    assert {answer.status_code for answer in taken} <= {200, 201}


def test_full_disk_uses_up_no_tries_of_a_deal(database: Database, tmp_path: Path, clock: Any) -> None:
    class Full(Intake):
        def take_deal(self, *_: Any, **__: Any) -> Any:
            raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    full = Full(KeywordAssessor(), database, Metrics(), crm="demo")
    with database.writing() as session:
        inbox.add_events(session, [LostEvent("full", "D-9")], crm="demo", door="deals", at=clock())
        session.commit()
    for _ in range(9):
        Receiver(database, CountingCrm(tmp_path), full, clock).take_due()
        clock.move(max(inbox.RETRY_AFTER_S) + 1)
    with database.reading() as session:
        assert inbox.count_by_state(session) == {"due": 1}
