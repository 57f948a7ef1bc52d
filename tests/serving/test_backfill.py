"""Backfills: shown before, applied as one batch, resumable, taken back."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from serving import inbox
from serving.backfill import Backfill, PlannedDeal, Progress
from serving.backfill_report import write_csv, write_page
from serving.crm.demo import DemoCrm
from serving.crm.protocol import LostEvent
from serving.crm.rules import PRIMARY_REASON
from serving.errors import UnknownIdError
from serving.intake import Intake
from serving.receiver import Receiver
from serving.store import Database
from serving.worker import Worker

TEXTS = {"A-1": "price was far too high", "A-2": "the budget was cut in May", "A-3": "timing perhaps, next year"}


def request(deal_id: str, text: str | None) -> dict[str, Any]:
    documents = [] if text is None else [{"id": "note", "kind": "rep_note", "text": text}]
    return {"deal": {"id": deal_id, "closed_at": "2026-11-02"}, "documents": documents}


@pytest.fixture
def lost() -> DemoCrm:
    """A CRM with three deals that say why, and one that says nothing."""
    return DemoCrm(deals=[*(request(*item) for item in TEXTS.items()), request("A-4", None)])


@pytest.fixture
def backfill(intake: Intake, database: Database, lost: DemoCrm, clock: Any) -> Backfill:
    return Backfill(Receiver(database, lost, intake, clock), Worker(database, lost, clock))


def apply(backfill: Backfill) -> tuple[str, Progress]:
    batch_id = backfill.begin(None)
    return batch_id, list(backfill.steps(batch_id))[-1]


def reasons(crm: DemoCrm) -> dict[str, object]:
    return {deal_id: crm.fetch_fields([deal_id])[deal_id].get(PRIMARY_REASON) for deal_id in TEXTS}


def test_a_plan_writes_nothing(backfill: Backfill, lost: DemoCrm) -> None:
    planned = {deal.deal_id: deal for deal in backfill.plan(None)}
    assert set(planned) == {*TEXTS, "A-4"}
    assert reasons(lost) == dict.fromkeys(TEXTS)
    assert backfill.worker.send_due() == 0


def test_a_plan_names_every_value(backfill: Backfill) -> None:
    planned = {deal.deal_id: deal for deal in backfill.plan(None)}
    value = next(value for value in planned["A-1"].values if value.field == PRIMARY_REASON)
    assert (value.before, value.after, value.act, value.evidence) == (None, "price", "write", "price")
    assert planned["A-4"].silence == "no text"


def test_a_plan_keeps_what_a_person_set(backfill: Backfill, lost: DemoCrm) -> None:
    lost.set_by_person("A-1", {PRIMARY_REASON: "timing"})
    planned = {deal.deal_id: deal for deal in backfill.plan(None)}
    value = next(value for value in planned["A-1"].values if value.field == PRIMARY_REASON)
    assert (value.act, value.after) == ("keep", "timing")


def test_applying_writes_what_was_planned(backfill: Backfill, lost: DemoCrm) -> None:
    planned = {
        deal.deal_id: {value.field: value.after for value in deal.values} for deal in backfill.plan(None) if deal.values
    }
    apply(backfill)
    assert {deal_id: lost.fetch_fields([deal_id])[deal_id] for deal_id in TEXTS} == planned


def test_a_batch_ends_when_all_is_done(backfill: Backfill) -> None:
    batch_id, progress = apply(backfill)
    assert progress.is_done
    assert progress.deals == {"taken": 3, "silent": 1}
    assert progress.write_backs == {"sent": 3}
    assert backfill.find_silent(batch_id) == [("A-4", "silent", None)]


def test_a_stopped_batch_goes_on(backfill: Backfill, lost: DemoCrm) -> None:
    batch_id = backfill.begin(None)
    steps = backfill.steps(batch_id)
    next(steps)
    steps.close()
    assert list(backfill.steps(batch_id))[-1].is_done
    assert reasons(lost) == {"A-1": "price", "A-2": "budget", "A-3": "timing"}


def test_applying_twice_changes_nothing_more(backfill: Backfill, lost: DemoCrm) -> None:
    apply(backfill)
    before = reasons(lost)
    _, progress = apply(backfill)
    assert progress.write_backs == {}
    assert reasons(lost) == before


def test_undoing_a_batch_puts_everything_back(backfill: Backfill, lost: DemoCrm) -> None:
    batch_id, _ = apply(backfill)
    undone = backfill.undo(batch_id)
    assert set(undone.put_back) == set(TEXTS)
    assert not undone.left
    assert not undone.failed
    assert all(not lost.fetch_fields([deal_id])[deal_id] for deal_id in TEXTS)


def test_undoing_leaves_and_names_what_a_person_set(backfill: Backfill, lost: DemoCrm) -> None:
    batch_id, _ = apply(backfill)
    lost.set_by_person("A-2", {PRIMARY_REASON: "timing"})
    undone = backfill.undo(batch_id)
    assert undone.left == {"A-2": {PRIMARY_REASON: "timing"}}
    assert reasons(lost) == {"A-1": None, "A-2": "timing", "A-3": None}


def test_undoing_twice_does_nothing_more(backfill: Backfill) -> None:
    batch_id, _ = apply(backfill)
    backfill.undo(batch_id)
    assert not backfill.undo(batch_id).put_back


def test_an_unknown_batch_is_named(backfill: Backfill) -> None:
    with pytest.raises(UnknownIdError, match="No batch"):
        backfill.progress("no-such-batch")


def test_answers_from_before_are_written_back(backfill: Backfill, lost: DemoCrm) -> None:
    early = replace(backfill, receiver=replace(backfill.receiver, intake=backfill.receiver.intake.for_crm(None)))
    apply(early)
    assert reasons(lost) == dict.fromkeys(TEXTS)
    apply(backfill)
    assert reasons(lost)["A-1"] == "price"


def test_the_report_holds_every_value(backfill: Backfill, tmp_path: Path) -> None:
    deals = list(backfill.plan(None))
    write_csv(deals, tmp_path / "plan.csv")
    with (tmp_path / "plan.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(deal.values) or 1 for deal in deals)
    assert {"deal_id": "A-4", "what": "no text"}.items() <= rows[-1].items()


def test_the_page_escapes_what_deals_say(tmp_path: Path) -> None:
    deal = PlannedDeal("<b>A-1</b>", silence="no text")
    at = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    write_page([deal], tmp_path / "plan.html", crm="demo", since=None, at=at)
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;A-1" in page
    assert "http" not in page


def test_a_deal_planned_first_is_still_written_when_a_door_tells_of_it(backfill: Backfill, lost: DemoCrm) -> None:
    list(backfill.plan(None))
    with backfill.worker.database.writing() as session:
        inbox.add_events(session, [LostEvent("1", "A-1")], crm="demo", door="deals", at=backfill.worker.clock())
        session.commit()
    backfill.receiver.take_due()
    backfill.worker.send_due()
    assert reasons(lost)["A-1"] == "price"


def test_undoing_stops_what_was_not_written_yet(backfill: Backfill, lost: DemoCrm) -> None:
    batch_id = backfill.begin(None)
    next(backfill.steps(batch_id))
    backfill.receiver.take_due()
    backfill.undo(batch_id)
    assert backfill.worker.send_due() == 0
    assert backfill.progress(batch_id).is_done
    assert reasons(lost) == dict.fromkeys(TEXTS)


def test_an_undone_batch_can_be_applied_anew(backfill: Backfill, lost: DemoCrm) -> None:
    batch_id, _ = apply(backfill)
    backfill.undo(batch_id)
    apply(backfill)
    assert reasons(lost)["A-1"] == "price"


def test_one_deal_that_fails_does_not_end_the_plan(backfill: Backfill, lost: DemoCrm) -> None:
    lost.add_deal(request("A-5", "explode"))
    planned = {deal.deal_id: deal.silence for deal in backfill.plan(None)}
    assert planned == {"A-1": "", "A-2": "", "A-3": "", "A-4": "no text", "A-5": "failed"}


def test_our_own_word_is_no_stated_reason(backfill: Backfill) -> None:
    apply(backfill)
    told = {"deal": {"id": "A-1", "stated_reason": "price"}, "documents": []}
    assert "stated_reason" not in backfill.receiver.without_our_words(told)["deal"]
    other = {"deal": {"id": "A-1", "stated_reason": "Timing"}, "documents": []}
    assert backfill.receiver.without_our_words(other) == other
