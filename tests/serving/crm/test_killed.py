"""A backfill that is killed again and again loses nothing, doubles nothing and touches no person's value."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from serving.backfill import Backfill
from serving.crm.fields import FieldMap
from serving.crm.rules import PRIMARY_REASON
from serving.intake import Intake
from serving.metrics import Metrics
from serving.receiver import Receiver
from serving.record import find_record
from serving.schema import migrate
from serving.store import Database
from serving.tables import InboxRow
from serving.worker import LEASE_S, Worker
from tests.serving.conftest import KeywordAssessor
from tests.serving.crm.hubspot_world import HubSpotWorld, hubspot_world
from tests.serving.crm.served import hubspot_line, served
from tests.serving.crm.worlds import SeenDeal

DEALS, PERSONS, KILLS = 300, 30, 100
MOST_CALLS = 14
ANSWERED = 0.7
ROOT = Path(__file__).parents[3]


class DeadlyCrm:
    """Stands in front of a CRM: counts how often a deal's reason is written, and kills who calls.

    Args:
        app: The CRM.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app
        self._prey: int | None = None
        self._calls_left = 0
        self._is_answered = False
        self.written: Counter[str] = Counter()

    def kill(self, process_id: int, *, at_call: int, is_answered: bool) -> None:
        """Kills a process at its call of this number from now on: before the call does anything, or when it has done all."""
        self._prey, self._calls_left, self._is_answered = process_id, at_call, is_answered

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._calls_left -= 1
        is_due = self._prey is not None and self._calls_left == 0
        if is_due and not self._is_answered:
            self._strike()
            start_response("503 Service Unavailable", [])
            return []
        answer = list(self._count(environ, start_response))
        if is_due:
            self._strike()
        return answer

    def _count(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith("/deals/batch/update"):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body)
            changes = json.loads(body)["inputs"]
            self.written.update(change["id"] for change in changes if PRIMARY_REASON in change["properties"])
        return self._app(environ, start_response)

    def _strike(self) -> None:
        if self._prey is not None:
            os.kill(self._prey, signal.SIGKILL)
        self._prey = None


@pytest.fixture
def account() -> Iterator[HubSpotWorld]:
    """An account with lost deals; a tenth of them already has a person's reason."""
    with hubspot_world() as opened:
        opened.crm.set_up(FieldMap.plain().specs())
        for number in range(DEALS):
            deal_id = opened.add_lost(SeenDeal(f"deal {number}", note="price was far too high"))
            if number < PERSONS:
                opened.set_by_person(deal_id, {PRIMARY_REASON: "timing"})
        yield opened


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/lossnlp.sqlite3"
    migrate(url)
    opened = Database(url)
    yield opened
    opened.close()


class Victim:
    """A process that goes on with a batch, once for each time it is told to."""

    def __init__(self, database: Database, crm_url: str, batch_id: str) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.serving.crm.backfill_process",
            str(database.engine.url),
            crm_url,
            batch_id,
        ]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def run(self, *, ahead_s: float, doom: Callable[[int], None] | None = None) -> str:
        """Gives `done` or `killed`; `doom` is told the id of the process before its first call."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._tell(f"{ahead_s}")
        child = int(self._process.stdout.readline())
        if doom is not None:
            doom(child)
        self._tell("go")
        return self._process.stdout.readline().strip()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.communicate(timeout=30)


@pytest.mark.slow
def test_killed_backfill_writes_every_value_once(account: HubSpotWorld, database: Database) -> None:
    crm = DeadlyCrm(account.fake)
    moments = random.Random(20)
    with served(crm) as url, hubspot_line(url) as line:
        intake = Intake(KeywordAssessor(), database, Metrics(), crm="hubspot")
        backfill = Backfill(Receiver(database, line.crm, intake), Worker(database, line.crm))
        batch_id = backfill.begin(None)
        victim = Victim(database, url, batch_id)
        ends = [
            victim.run(
                ahead_s=number * 5 * LEASE_S,
                doom=partial(crm.kill, at_call=moments.randint(1, MOST_CALLS), is_answered=moments.random() < ANSWERED),
            )
            for number in range(KILLS)
        ]
        n_before_the_last = len(crm.written)
        assert victim.run(ahead_s=(KILLS + 1) * 5 * LEASE_S) == "done"
        victim.close()
    assert ends.count("killed") > KILLS / 2
    assert n_before_the_last > 0
    deals = account.fake.records["deals"]
    assert Counter(deal[PRIMARY_REASON] for deal in deals.values()) == {"price": DEALS - PERSONS, "timing": PERSONS}
    assert set(crm.written.values()) == {1}
    assert len(crm.written) == DEALS - PERSONS
    assert backfill.progress(batch_id).write_backs == {"sent": DEALS}
    _require_complete_record(database)


def _require_complete_record(database: Database) -> None:
    with database.reading() as session:
        states = Counter(session.scalars(select(InboxRow.state)))
        record = [entry for entry in find_record(session, FieldMap.plain()) if entry.field == PRIMARY_REASON]
    assert states == {"taken": DEALS}
    assert len({entry.deal_id for entry in record}) == DEALS
    assert len({entry.deal_id for entry in record if entry.act == "kept"}) == PERSONS
