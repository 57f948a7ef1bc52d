"""A clock that is set ahead or back takes no lease from a worker that sends, and holds nothing up for long."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from serving import inbox, outbox
from serving.crm.demo import DemoCrm
from serving.crm.protocol import LostEvent, LostPage
from serving.intake import Intake, parse_deal
from serving.leases import ClockWatch
from serving.poller import Poller
from serving.store import Database, now
from serving.worker import LEASE_S, Worker
from tests.serving.faults.counting_crm import CountingCrm, lost

DAY_S = 86_400


class Steady:
    """Seconds that only a test moves on."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def steady() -> Steady:
    return Steady()


def test_clock_set_ahead_takes_no_lease_over(
    intake: Intake, database: Database, clock: Any, steady: Steady, tmp_path: Path
) -> None:
    other = Worker(database, CountingCrm(tmp_path), clock, watch=ClockWatch(steady))
    other.send_due()

    def jump() -> None:
        clock.move(DAY_S)
        assert other.send_due() == 0

    intake.take_deal(parse_deal(lost(1)))
    crm = CountingCrm(tmp_path, on_sent=jump)
    Worker(database, crm, clock).send_due()
    assert set(crm.written.values()) == {1}


def test_dead_workers_lease_is_taken_over_a_lease_after_the_jump(
    intake: Intake, database: Database, clock: Any, steady: Steady, tmp_path: Path
) -> None:
    worker = Worker(database, CountingCrm(tmp_path), clock, watch=ClockWatch(steady))
    worker.send_due()
    intake.take_deal(parse_deal(lost(1)))
    with database.writing() as session:
        outbox.claim_due(session, crm="demo", at=clock(), lease_s=LEASE_S)
        session.commit()
    clock.move(DAY_S)
    assert worker.send_due() == 0
    clock.move(LEASE_S)
    steady.at_s += LEASE_S
    assert worker.send_due() == 1


def test_plain_waiting_is_no_jump(steady: Steady) -> None:
    watch, at = ClockWatch(steady), now()
    for hour in range(3):
        steady.at_s = hour * 3600.0
        assert watch.may_take_over(at + timedelta(hours=hour), lease_s=LEASE_S)


@pytest.mark.parametrize("back_s", [60, DAY_S])
def test_clock_set_back_holds_up_no_new_deal(
    intake: Intake, database: Database, clock: Any, tmp_path: Path, back_s: float
) -> None:
    intake.take_deal(parse_deal(lost(1)))
    with database.writing() as session:
        inbox.add_events(session, [LostEvent("e", "D-2")], crm="demo", door="deals", at=clock())
        session.commit()
    clock.at = now() - timedelta(seconds=back_s)
    assert Worker(database, CountingCrm(tmp_path), clock).send_due() == 1
    with database.reading() as session:
        assert inbox.has_due(session, crm="demo", at=clock())


def test_later_try_waits_six_hours_at_most(intake: Intake, database: Database, clock: Any, tmp_path: Path) -> None:
    intake.take_deal(parse_deal(lost(1)))

    def fail() -> None:
        raise ConnectionError

    Worker(database, CountingCrm(tmp_path, on_sent=fail), clock).send_due()
    clock.move(-DAY_S)
    assert Worker(database, CountingCrm(tmp_path), clock).send_due() == 1


def test_polls_made_while_the_clock_was_ahead_are_made_again(database: Database, clock: Any) -> None:
    asked: list[date] = []

    class ListingCrm(DemoCrm):
        def find_lost(self, since: Any = None, *, cursor: str | None = None) -> LostPage:  # noqa: ARG002
            asked.append(since.date())
            return LostPage(())

    crm, today = ListingCrm(), clock.at.date()
    poller = Poller(database, crm, clock)
    clock.move(30 * DAY_S)
    poller.poll()
    clock.move(-30 * DAY_S)
    poller.poll()
    assert asked[-1] == today - timedelta(days=7)


def test_all_workers_of_a_database_share_its_clock(database: Database) -> None:
    before = now()
    assert before - timedelta(seconds=5) < database.moment() < now() + timedelta(seconds=5)
    assert database.moment().utcoffset() == timedelta(0)
