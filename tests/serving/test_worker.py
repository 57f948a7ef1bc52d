"""Write-backs: sent once, tried again, never over a person's value, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from threading import Event
from typing import Any

import pytest

from lossnlp.taxonomy import get_default_taxonomy
from serving import outbox
from serving.crm.demo import DemoCrm
from serving.crm.fields import CrmWords, FieldMap
from serving.crm.protocol import CrmError, FieldChange, Fields, SendResult
from serving.crm.rules import PRIMARY_REASON
from serving.intake import Intake, parse_deal
from serving.store import Database
from serving.tables import WriteBackRow
from serving.worker import LEASE_S, UndoError, Worker

DEAL = "OV-2133"
PERSONS_DEAL = "OV-2098"


class FailingCrm(DemoCrm):
    """A demo CRM whose sending fails as often as told, before or after the values have arrived."""

    def __init__(self, *faults: BaseException, arrives: bool = False) -> None:
        super().__init__()
        self._faults = list(faults)
        self._arrives = arrives
        self.sends = 0

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        self.sends += 1
        if self._faults and not self._arrives:
            raise self._faults.pop(0)
        results = super().send_fields(changes)
        if self._faults:
            raise self._faults.pop(0)
        return results


class RefusingCrm(DemoCrm):
    """A demo CRM that refuses every change for good, with these words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        return [SendResult(change.deal_id, error=self._words) for change in changes]


def take(intake: Intake, text: str = "price was far too high", deal_id: str = DEAL) -> None:
    intake.take_deal(parse_deal({"id": deal_id, "text": text}))


def renewing(database: Database, crm: DemoCrm, clock: Any) -> Worker:
    """A worker that may replace what we wrote before."""
    return Worker(database, crm, clock, fields=FieldMap(get_default_taxonomy(), CrmWords(policy="if_ours")))


def row_of(database: Database, write_back_id: int = 1) -> WriteBackRow:
    with database.reading() as session:
        row = outbox.get_write_back(session, write_back_id)
        assert row.attempts is not None
        return row


def fields(crm: DemoCrm, deal_id: str = DEAL) -> Fields:
    return crm.fetch_fields([deal_id])[deal_id]


def test_accepted_values_reach_the_crm(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake)
    assert Worker(database, crm, clock).send_due() == 1
    assert fields(crm)[PRIMARY_REASON] == "price"
    assert row_of(database).state == "sent"


def test_nothing_due_sends_nothing(database: Database, crm: DemoCrm, clock: Any) -> None:
    assert Worker(database, crm, clock).send_due() == 0


def test_persons_value_survives(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake, deal_id=PERSONS_DEAL)
    Worker(database, crm, clock).send_due()
    assert fields(crm, PERSONS_DEAL)[PRIMARY_REASON] == "competitor"
    assert row_of(database).kept == {PRIMARY_REASON: "competitor"}
    assert fields(crm, PERSONS_DEAL)["lossnlp_winback"] == "open"


def test_own_value_is_brought_up_to_date(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = renewing(database, crm, clock)
    take(intake)
    worker.send_due()
    take(intake, "the budget was cut in May")
    worker.send_due()
    assert fields(crm)[PRIMARY_REASON] == "budget"


def test_own_older_value_stays_by_default(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = Worker(database, crm, clock)
    take(intake)
    worker.send_due()
    take(intake, "the budget was cut in May")
    worker.send_due()
    assert fields(crm)[PRIMARY_REASON] == "price"
    assert row_of(database, 2).kept == {}


def test_values_go_out_in_the_companys_words(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    words = CrmWords(fields={PRIMARY_REASON: "Reason__c"}, values={PRIMARY_REASON: {"price": "Too dear"}})
    take(intake)
    Worker(database, crm, clock, fields=FieldMap(get_default_taxonomy(), words)).send_due()
    assert fields(crm)["Reason__c"] == "Too dear"
    assert row_of(database).after["Reason__c"] == "Too dear"


def test_later_correction_by_person_survives(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = Worker(database, crm, clock)
    take(intake)
    worker.send_due()
    crm.set_by_person(DEAL, {PRIMARY_REASON: "timing"})
    take(intake, "the budget was cut in May")
    worker.send_due()
    assert fields(crm)[PRIMARY_REASON] == "timing"


def test_undo_restores_what_stood_before(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = Worker(database, crm, clock)
    before = fields(crm)
    take(intake)
    worker.send_due()
    worker.undo(1)
    assert fields(crm) == before
    assert row_of(database).state == "undone"


def test_undo_restores_our_earlier_value(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = renewing(database, crm, clock)
    take(intake)
    worker.send_due()
    take(intake, "the budget was cut in May")
    worker.send_due()
    worker.undo(2)
    assert fields(crm)[PRIMARY_REASON] == "price"


def test_undo_leaves_what_person_changed(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = Worker(database, crm, clock)
    take(intake)
    worker.send_due()
    crm.set_by_person(DEAL, {PRIMARY_REASON: "timing"})
    undone = worker.undo(1)
    assert undone.kept == {PRIMARY_REASON: "timing"}
    assert fields(crm) == {PRIMARY_REASON: "timing"}


def test_undo_happens_once(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = Worker(database, crm, clock)
    take(intake)
    worker.send_due()
    worker.undo(1)
    with pytest.raises(UndoError, match="undone"):
        worker.undo(1)


@pytest.mark.parametrize("arrives", [False, True])
def test_killed_worker_sends_again(intake: Intake, database: Database, clock: Any, arrives: bool) -> None:
    take(intake)
    crm = FailingCrm(KeyboardInterrupt(), arrives=arrives)
    with pytest.raises(KeyboardInterrupt):
        Worker(database, crm, clock).send_due()
    assert Worker(database, crm, clock).send_due() == 0
    clock.move(LEASE_S + 1)
    assert Worker(database, crm, clock).send_due() == 1
    assert fields(crm)[PRIMARY_REASON] == "price"
    assert [attempt.outcome for attempt in row_of(database).attempts] == [None, "sent"]


def test_undo_after_killed_worker_restores(intake: Intake, database: Database, clock: Any) -> None:
    take(intake)
    crm = FailingCrm(KeyboardInterrupt(), arrives=True)
    before = fields(crm)
    with pytest.raises(KeyboardInterrupt):
        Worker(database, crm, clock).send_due()
    clock.move(LEASE_S + 1)
    Worker(database, crm, clock).send_due()
    Worker(database, crm, clock).undo(1)
    assert fields(crm) == before


def test_failed_send_waits_then_retries(intake: Intake, database: Database, clock: Any) -> None:
    take(intake)
    crm = FailingCrm(CrmError("away"))
    worker = Worker(database, crm, clock)
    assert (worker.send_due(), worker.send_due()) == (1, 0)
    clock.move(outbox.RETRY_AFTER_S[0] + 1)
    worker.send_due()
    assert [attempt.error for attempt in row_of(database).attempts] == ["CrmError", None]
    assert row_of(database).state == "sent"


def test_a_crm_that_is_long_away_loses_nothing(intake: Intake, database: Database, clock: Any) -> None:
    take(intake)
    crm = FailingCrm(*[CrmError("away")] * 9)
    worker = Worker(database, crm, clock)
    for _ in range(10):
        worker.send_due()
        clock.move(max(outbox.RETRY_AFTER_S) + 1)
    assert row_of(database).state == "sent"
    assert fields(crm)[PRIMARY_REASON] == "price"


def test_a_long_refusal_is_cut_and_settled(intake: Intake, database: Database, clock: Any) -> None:
    take(intake)
    Worker(database, RefusingCrm("no such field: " + "x" * 900), clock).send_due()
    assert row_of(database).state == "failed"
    assert len(row_of(database).attempts[0].error or "") == 300


def test_undo_waits_for_the_later_write_back(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = renewing(database, crm, clock)
    take(intake)
    worker.send_due()
    take(intake, "the budget was cut in May")
    worker.send_due()
    with pytest.raises(UndoError, match="Write-back 2"):
        worker.undo(1)
    worker.undo(2)
    worker.undo(1)
    assert fields(crm).get(PRIMARY_REASON) is None


def test_deal_unknown_to_crm_fails(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake, deal_id="elsewhere-1")
    take(intake)
    Worker(database, crm, clock).send_due()
    assert [row_of(database, number).state for number in (1, 2)] == ["failed", "sent"]
    assert row_of(database).attempts[0].error == "deal_not_found"


def test_newer_value_waits_for_older(intake: Intake, database: Database, clock: Any) -> None:
    take(intake)
    take(intake, "the budget was cut in May")
    crm = FailingCrm(CrmError("away"))
    worker = renewing(database, crm, clock)
    assert (worker.send_due(), worker.send_due()) == (1, 0)
    clock.move(outbox.RETRY_AFTER_S[0] + 1)
    assert (worker.send_due(), worker.send_due()) == (1, 1)
    assert fields(crm)[PRIMARY_REASON] == "budget"


def test_late_worker_does_not_settle(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake)
    with database.writing() as session:
        [late] = outbox.claim_due(session, crm="demo", at=clock(), lease_s=LEASE_S)
        session.commit()
    clock.move(LEASE_S + 1)
    Worker(database, crm, clock).send_due()
    with database.writing() as session:
        outbox.settle(session, late, SendResult(DEAL, error="late"), at=clock())
        session.commit()
    assert row_of(database).state == "sent"


def test_two_claims_never_overlap(intake: Intake, database: Database, clock: Any) -> None:
    take(intake)
    take(intake, deal_id=PERSONS_DEAL)
    claimed: list[Any] = []
    for _ in range(2):
        with database.writing() as session:
            claimed.append(outbox.claim_due(session, crm="demo", at=clock(), lease_s=LEASE_S, limit=1))
            session.commit()
    assert {claim.deal_id for claims in claimed for claim in claims} == {DEAL, PERSONS_DEAL}


def test_value_no_longer_offered_leaves(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = renewing(database, crm, clock)
    take(intake)
    worker.send_due()
    take(intake, "perhaps the budget was cut")
    worker.send_due()
    assert fields(crm)[PRIMARY_REASON] == "budget"
    assert "lossnlp_winback" not in fields(crm)
    assert row_of(database, 2).before["lossnlp_winback"] == "open"


def test_answer_offering_nothing_clears_ours(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = renewing(database, crm, clock)
    take(intake)
    worker.send_due()
    crm.set_by_person(DEAL, {"lossnlp_winback": "closed"})
    take(intake, "timing")
    worker.send_due()
    assert fields(crm) == {"lossnlp_winback": "closed"}


def test_undo_brings_cleared_values_back(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    worker = renewing(database, crm, clock)
    take(intake)
    worker.send_due()
    before = fields(crm)
    take(intake, "timing")
    worker.send_due()
    worker.undo(2)
    assert fields(crm) == before


class LastSendCrm(DemoCrm):
    """A demo CRM that tells the worker to stop once it has been sent something."""

    def __init__(self, stop: Event) -> None:
        super().__init__()
        self._stop = stop

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        self._stop.set()
        return super().send_fields(changes)


class FaultyClock:
    """A clock that fails when it is first asked."""

    has_failed = False

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def __call__(self) -> datetime:
        if not self.has_failed:
            self.has_failed = True
            raise RuntimeError("first")
        at: datetime = self._clock()
        return at


def test_loop_outlives_fault_and_stops(intake: Intake, database: Database, clock: Any) -> None:
    take(intake)
    stop = Event()
    Worker(database, LastSendCrm(stop), FaultyClock(clock)).run(stop, poll_s=0)
    assert row_of(database).state == "sent"
