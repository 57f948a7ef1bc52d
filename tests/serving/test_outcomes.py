"""What the CRM answers decides what counts as ours: sent, refused, or not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from serving.worker import UndoError, Worker

DEAL = "OV-2133"


class DeafCrm(DemoCrm):
    """A demo CRM that sets nothing at its next sending, and answers with the results it was told."""

    def __init__(self, *results: SendResult) -> None:
        super().__init__()
        self.next_results: list[SendResult] | None = list(results)

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        if self.next_results is None:
            return super().send_fields(changes)
        results, self.next_results = self.next_results, None
        return results


class CutOffCrm(DemoCrm):
    """A demo CRM whose first sending arrives and then fails."""

    sends = 0

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        results = super().send_fields(changes)
        self.sends += 1
        if self.sends == 1:
            raise CrmError("cut off")
        return results


class OtherCrm(DemoCrm):
    """A demo CRM under another name, which may hold no deals at all."""

    def __init__(self, name: str, *, is_empty: bool = False) -> None:
        super().__init__()
        self.name = name
        self._is_empty = is_empty

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        return {} if self._is_empty else super().fetch_fields(deal_ids)


def take(intake: Intake, text: str = "price was far too high") -> None:
    intake.take_deal(parse_deal({"id": DEAL, "text": text}))


def row_of(database: Database, write_back_id: int = 1) -> WriteBackRow:
    with database.reading() as session:
        row = outbox.get_write_back(session, write_back_id)
        assert row.attempts is not None
        return row


def fields(crm: DemoCrm) -> Fields:
    return crm.fetch_fields([DEAL])[DEAL]


def test_refused_value_is_not_ours(intake: Intake, database: Database, clock: Any) -> None:
    crm = DeafCrm(SendResult(DEAL, error="field_locked"))
    worker = Worker(database, crm, clock)
    take(intake)
    worker.send_due()
    crm.set_by_person(DEAL, {PRIMARY_REASON: "price"})
    take(intake, "the budget was cut in May")
    worker.send_due()
    assert fields(crm)[PRIMARY_REASON] == "price"
    assert row_of(database, 2).kept == {PRIMARY_REASON: "price"}


def test_refused_values_cannot_be_undone(intake: Intake, database: Database, clock: Any) -> None:
    crm = DeafCrm(SendResult(DEAL, error="field_locked"))
    take(intake)
    Worker(database, crm, clock).send_due()
    crm.set_by_person(DEAL, {PRIMARY_REASON: "price"})
    with pytest.raises(UndoError, match="left nothing"):
        Worker(database, crm, clock).undo(1)
    assert (row_of(database).state, row_of(database).attempts[0].outcome) == ("failed", "refused")


def test_undo_after_refusal_spares_persons_value(intake: Intake, database: Database, clock: Any) -> None:
    crm = DeafCrm(SendResult(DEAL, error="busy", is_retryable=True))
    worker = Worker(database, crm, clock)
    take(intake)
    worker.send_due()
    crm.set_by_person(DEAL, {PRIMARY_REASON: "price"})
    clock.move(outbox.RETRY_AFTER_S[0] + 1)
    worker.send_due()
    worker.undo(1)
    assert fields(crm) == {PRIMARY_REASON: "price"}


def test_value_of_unknown_outcome_is_ours(intake: Intake, database: Database, clock: Any) -> None:
    crm = CutOffCrm()
    renewing = FieldMap(get_default_taxonomy(), CrmWords(policy="if_ours"))
    worker = Worker(database, crm, clock, fields=renewing)
    take(intake)
    take(intake, "the budget was cut in May")
    worker.send_due()
    assert row_of(database).attempts[0].outcome == "unknown"
    clock.move(outbox.RETRY_AFTER_S[0] + 1)
    assert (worker.send_due(), worker.send_due()) == (1, 1)
    assert fields(crm)[PRIMARY_REASON] == "budget"


def test_value_in_another_crm_is_not_ours(intake: Intake, database: Database, crm: DemoCrm, clock: Any) -> None:
    take(intake)
    Worker(database, crm, clock).send_due()
    other = OtherCrm("other")
    other.set_by_person(DEAL, {PRIMARY_REASON: "price"})
    take(replace(intake, crm="other"), "the budget was cut in May")
    Worker(database, other, clock).send_due()
    assert fields(other)[PRIMARY_REASON] == "price"


def test_missing_result_is_tried_again(intake: Intake, database: Database, clock: Any) -> None:
    crm = DeafCrm()
    worker = Worker(database, crm, clock)
    take(intake)
    worker.send_due()
    assert row_of(database).state == "due"
    clock.move(outbox.RETRY_AFTER_S[0] + 1)
    worker.send_due()
    assert [attempt.outcome for attempt in row_of(database).attempts] == ["unknown", "sent"]
    assert fields(crm)[PRIMARY_REASON] == "price"


@pytest.mark.parametrize(("name", "message"), [("other", "LOSSNLP_CRM=demo"), ("demo", "does not return")])
def test_undo_needs_the_deal_there(
    intake: Intake, database: Database, crm: DemoCrm, clock: Any, name: str, message: str
) -> None:
    take(intake)
    Worker(database, crm, clock).send_due()
    with pytest.raises(UndoError, match=message):
        Worker(database, OtherCrm(name, is_empty=True), clock).undo(1)
    assert row_of(database).state == "sent"


def test_undo_without_result_can_be_repeated(intake: Intake, database: Database, clock: Any) -> None:
    crm = DeafCrm()
    crm.next_results = None
    worker = Worker(database, crm, clock)
    take(intake)
    worker.send_due()
    crm.next_results = []
    with pytest.raises(UndoError, match="try again"):
        worker.undo(1)
    assert row_of(database).state == "sent"
    worker.undo(1)
    assert fields(crm) == {}
