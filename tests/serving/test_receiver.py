"""Deals that a CRM tells of: kept once, taken in once, whatever goes wrong between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from serving import inbox, outbox
from serving.crm.demo import DemoCrm
from serving.crm.http import CrmCallError
from serving.crm.protocol import CrmError, LostEvent
from serving.intake import Intake, parse_deal
from serving.load.line import Line
from serving.load.rounds import RoundLimits
from serving.metrics import Metrics
from serving.receiver import LEASE_S, Receiver
from serving.store import Database
from serving.tables import BatchRow
from tests.serving.load.conftest import RoundAssessor


def lost(deal_id: str, text: str | None = "lost on price, not on budget") -> dict[str, Any]:
    documents = [{"id": "note", "kind": "rep_note", "text": text}] if text is not None else []
    return {"deal": {"id": deal_id, "closed_at": "2026-11-02"}, "documents": documents}


class StubbornCrm(DemoCrm):
    """A demo CRM that cannot be read a number of times."""

    def __init__(self, deals: Sequence[dict[str, Any]], failures: int) -> None:
        super().__init__(deals=deals)
        self.failures = failures

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        if self.failures:
            self.failures -= 1
            raise CrmError("The CRM is away.")
        return super().fetch_requests(deal_ids)


class UnreadableCrm(DemoCrm):
    """A demo CRM that answers with an error as long as one bad deal is asked for."""

    def __init__(self, deals: Sequence[dict[str, Any]]) -> None:
        super().__init__(deals=deals)

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        if "bad" in deal_ids:
            raise CrmCallError("The CRM answered 500.", status=500, is_retryable=True)
        return super().fetch_requests(deal_ids)


@pytest.fixture
def shop() -> DemoCrm:
    return DemoCrm(deals=[lost("a"), lost("b"), lost("silent", None)])


@pytest.fixture
def receiver(database: Database, shop: DemoCrm, intake: Intake, clock: Any) -> Receiver:
    return Receiver(database, shop, intake, clock)


def tell(receiver: Receiver, *events: tuple[str, str], batch_id: str | None = None) -> int:
    with receiver.database.writing() as session:
        told = [LostEvent(key, deal_id) for key, deal_id in events]
        new = inbox.add_events(session, told, crm="demo", door="deals", at=receiver.clock(), batch_id=batch_id)
        session.commit()
    return new


def states(receiver: Receiver) -> dict[str, str]:
    with receiver.database.reading() as session:
        return {row.key: row.state for row in inbox.find_events(session)}


def test_an_event_told_twice_comes_in_once(receiver: Receiver) -> None:
    assert tell(receiver, ("1", "a"), ("1", "a")) == 1
    assert tell(receiver, ("1", "a"), ("2", "b")) == 1


def test_a_told_deal_is_classified_and_queued(receiver: Receiver) -> None:
    tell(receiver, ("1", "a"))
    assert receiver.take_due() == 1
    assert states(receiver) == {"1": "taken"}
    with receiver.database.reading() as session:
        assert [row.deal_id for row in outbox.find_write_backs(session)] == ["a"]


def test_a_second_event_of_a_deal_writes_nothing_more(receiver: Receiver) -> None:
    tell(receiver, ("1", "a"), ("2", "a"))
    receiver.take_due()
    with receiver.database.reading() as session:
        assert len(outbox.find_write_backs(session)) == 1


def test_deals_without_text_or_that_are_gone_are_told_apart(receiver: Receiver) -> None:
    tell(receiver, ("1", "silent"), ("2", "nowhere"), ("3", "a"))
    receiver.take_due()
    assert states(receiver) == {"1": "silent", "2": "gone", "3": "taken"}


def test_claimed_deals_are_read_together(database: Database, shop: DemoCrm, clock: Any) -> None:
    assessor, line = RoundAssessor(), Line(RoundLimits(deals=2, window_s=30, at_once=1))
    receiver = Receiver(database, shop, Intake(assessor, database, Metrics(), crm="demo", line=line), clock)
    tell(receiver, ("1", "a"), ("2", "b"))
    receiver.take_due()
    assert assessor.rounds == [["a", "b"]]
    assert states(receiver) == {"1": "taken", "2": "taken"}


def test_a_deal_that_fails_leaves_its_neighbours_alone(receiver: Receiver, shop: DemoCrm) -> None:
    shop.add_deal(lost("bad", "explode now please"))
    tell(receiver, ("1", "bad"), ("2", "a"))
    receiver.take_due()
    assert states(receiver) == {"1": "due", "2": "taken"}


def test_no_text_of_a_deal_stands_in_a_recorded_cause(receiver: Receiver, shop: DemoCrm) -> None:
    shop.add_deal(lost("bad", "explode now please"))
    tell(receiver, ("1", "bad"))
    receiver.take_due()
    with receiver.database.reading() as session:
        assert inbox.find_events(session)[0].error == "RuntimeError"


def test_a_crm_that_is_away_is_asked_again_later(database: Database, intake: Intake, clock: Any) -> None:
    receiver = Receiver(database, StubbornCrm([lost("a")], failures=1), intake, clock)
    tell(receiver, ("1", "a"))
    receiver.take_due()
    assert (states(receiver), receiver.take_due()) == ({"1": "due"}, 0)
    clock.move(inbox.RETRY_AFTER_S[0])
    receiver.take_due()
    assert states(receiver) == {"1": "taken"}


def test_a_crm_that_is_long_away_loses_no_event(database: Database, intake: Intake, clock: Any) -> None:
    receiver = Receiver(database, StubbornCrm([lost("a")], failures=8), intake, clock)
    tell(receiver, ("1", "a"))
    for _ in range(9):
        receiver.take_due()
        clock.move(max(inbox.RETRY_AFTER_S) + 1)
    assert states(receiver) == {"1": "taken"}


def test_tries_of_a_deal_that_fails_come_to_an_end(database: Database, intake: Intake, clock: Any) -> None:
    receiver = Receiver(database, DemoCrm(deals=[lost("a", "explode")]), intake, clock)
    tell(receiver, ("1", "a"))
    for wait_s in (0, *inbox.RETRY_AFTER_S):
        clock.move(wait_s)
        receiver.take_due()
    assert states(receiver) == {"1": "failed"}


def test_a_deal_that_cannot_be_read_stops_no_other(database: Database, intake: Intake, clock: Any) -> None:
    receiver = Receiver(database, UnreadableCrm([lost("a"), lost("bad"), lost("c")]), intake, clock)
    tell(receiver, ("1", "a"), ("2", "bad"), ("3", "c"))
    receiver.take_due()
    assert states(receiver) == {"1": "taken", "2": "due", "3": "taken"}


def test_what_killed_its_worker_twice_is_taken_alone(receiver: Receiver, clock: Any) -> None:
    tell(receiver, ("1", "a"), ("2", "b"))
    for expected in (2, 2, 1):
        with receiver.database.writing() as session:
            claims = inbox.claim_events(session, crm="demo", at=clock(), lease_s=LEASE_S)
            session.commit()
        assert len(claims) == expected
        clock.move(LEASE_S + 1)


def test_an_event_that_found_no_text_can_be_told_again(receiver: Receiver) -> None:
    tell(receiver, ("1", "silent"))
    receiver.take_due()
    assert states(receiver) == {"1": "silent"}
    assert tell(receiver, ("1", "silent")) == 1
    assert states(receiver) == {"1": "due"}


def test_the_event_of_a_dead_worker_comes_back(receiver: Receiver, clock: Any) -> None:
    tell(receiver, ("1", "a"))
    with receiver.database.writing() as session:
        inbox.claim_events(session, crm="demo", at=clock(), lease_s=LEASE_S)
        session.commit()
    assert receiver.take_due() == 0
    clock.move(LEASE_S)
    assert receiver.take_due() == 1
    assert states(receiver) == {"1": "taken"}


def test_a_worker_that_lost_its_lease_settles_nothing(receiver: Receiver, clock: Any) -> None:
    tell(receiver, ("1", "a"))
    with receiver.database.writing() as session:
        [late] = inbox.claim_events(session, crm="demo", at=clock(), lease_s=LEASE_S)
        session.commit()
    clock.move(LEASE_S)
    receiver.take_due()
    with receiver.database.writing() as session:
        inbox.settle_event(session, late, "failed", at=clock())
        session.commit()
    assert states(receiver) == {"1": "taken"}


def test_a_backfill_writes_back_an_answer_from_before(receiver: Receiver, clock: Any) -> None:
    unconnected = Intake(receiver.intake.assessor, receiver.database, receiver.intake.metrics)
    unconnected.take_deal(parse_deal(lost("a")))
    with receiver.database.writing() as session:
        session.add(BatchRow(id="b" * 36, crm="demo", created_at=clock()))
        session.commit()
    tell(receiver, ("1", "a"), batch_id="b" * 36)
    receiver.take_due()
    with receiver.database.reading() as session:
        assert [row.batch_id for row in outbox.find_write_backs(session)] == ["b" * 36]
