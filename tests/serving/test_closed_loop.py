"""The closed loop: a lost deal comes in and its reason goes back."""

from __future__ import annotations

from datetime import date
from threading import Event, Thread
from typing import Any

import pytest

from serving.closed_loop import ClosedLoop
from serving.crm.demo import DemoCrm
from serving.crm.rules import PRIMARY_REASON
from serving.intake import Intake
from serving.poller import Poller
from serving.receiver import Receiver
from serving.reports.winback_notices import Reminders
from serving.reports.winbacks import open_winbacks
from serving.store import Database
from serving.worker import Worker

LOST = {
    "deal": {"id": "A-1", "closed_at": "2026-11-02"},
    "documents": [{"id": "note", "kind": "rep_note", "text": "price was far too high"}],
}


@pytest.fixture
def lost() -> DemoCrm:
    return DemoCrm(deals=[LOST])


@pytest.fixture
def closed_loop(intake: Intake, database: Database, lost: DemoCrm, clock: Any) -> ClosedLoop:
    poller = Poller(database, lost, clock, since_on=date(2026, 11, 1))
    reminders = Reminders(database, open_winbacks(intake.assessor.taxonomy), [])
    return ClosedLoop(poller, Receiver(database, lost, intake, clock), Worker(database, lost, clock), (reminders.run,))


def reason(crm: DemoCrm) -> object:
    return crm.fetch_fields(["A-1"])["A-1"].get(PRIMARY_REASON)


def test_a_polled_deal_gets_its_reason(closed_loop: ClosedLoop, lost: DemoCrm) -> None:
    closed_loop.run_once()
    assert reason(lost) == "price"


def test_without_polling_nothing_is_found(closed_loop: ClosedLoop, lost: DemoCrm) -> None:
    closed_loop.run_once(poll=False)
    assert reason(lost) is None


def test_a_second_round_writes_nothing_more(closed_loop: ClosedLoop, lost: DemoCrm) -> None:
    closed_loop.run_once()
    lost.set_by_person("A-1", {PRIMARY_REASON: None})
    closed_loop.run_once()
    assert reason(lost) is None


def test_the_loops_end_when_told(closed_loop: ClosedLoop) -> None:
    stop = Event()
    stop.set()
    loops = Thread(target=closed_loop.run, args=(stop,), kwargs={"poll_every_s": None})
    loops.start()
    loops.join(30)
    assert not loops.is_alive()
