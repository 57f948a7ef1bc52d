"""Verdicts and what follows: the write-back, the reports, the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from lossnlp.assessment import Assessment
from serving.crm.demo import DemoCrm
from serving.crm.fields import FieldMap
from serving.crm.protocol import Fields
from serving.intake import Intake, parse_deal
from serving.metrics import Metrics
from serving.outbox import find_our_values
from serving.record import find_record
from serving.review.said import Said
from serving.review.verdict import VerdictError, VerdictLabels, labels_of, parse_labels
from serving.review.verdicts import Bench, find_held
from serving.review.waiting import VERDICTS_DIFFER, Sampling
from serving.store import Database, get_assessment, now
from serving.tables import BatchRow, LossRow, PersonRow, ReviewRow, VerdictRow
from serving.worker import Worker
from tests.serving.review.desk_world import People

DEAL = "OV-2133"
REASON = "lossnlp_primary_reason"
WORDS = "price was far too high"
BUDGET = VerdictLabels(reasons=("budget",))


class Desk:
    """One deal of the demo CRM, its worker, and the bench."""

    def __init__(self, database: Database, assessor: Any, *, agreement_rate: float = 0.0) -> None:
        self.database, self.assessor, self.crm = database, assessor, DemoCrm()
        self.sampling = Sampling(agreement_rate=agreement_rate)
        self.bench = Bench(assessor.taxonomy, "demo")
        self.worker = Worker(database, self.crm)

    def take(self, text: str = "price", assessor: Any = None) -> str:
        intake = Intake(assessor or self.assessor, self.database, Metrics(), crm="demo", sampling=self.sampling)
        return intake.take_deal(parse_deal({"id": DEAL, "text": text})).id

    def give(self, person: PersonRow, assessment_id: str, kind: Any = "accept", **said: Any) -> int:
        with self.database.writing() as session:
            verdict = self.bench.give(session, assessment_id, person, Said(kind, **said))
            session.commit()
            return verdict.id

    def undo(self, person: PersonRow, verdict_id: int) -> None:
        with self.database.writing() as session:
            self.bench.undo(session, verdict_id, person)
            session.commit()

    def fields(self) -> Fields:
        while self.worker.send_due():
            continue
        return self.crm.fetch_fields([DEAL])[DEAL]

    def review(self) -> ReviewRow:
        """The newest review, with its causes."""
        with self.database.reading() as session:
            return session.scalars(select(ReviewRow).order_by(ReviewRow.id.desc()).limit(1)).one()

    def loss(self) -> LossRow:
        with self.database.reading() as session:
            return session.get_one(LossRow, DEAL)


@pytest.fixture
def desk(database: Database, assessor: Any) -> Desk:
    return Desk(database, assessor)


@pytest.fixture
def pair(database: Database, assessor: Any) -> Desk:
    """A desk where two people judge each deal."""
    return Desk(database, assessor, agreement_rate=1.0)


def test_accept_releases_as_confirmed(desk: Desk, people: People) -> None:
    taken = desk.take()
    assert REASON not in desk.fields()
    desk.give(people.ana, taken)
    fields = desk.fields()
    assert (fields[REASON], fields["lossnlp_review_state"]) == ("price", "confirmed")


def test_accept_closes_review_and_counts(desk: Desk, people: People) -> None:
    verdict = desk.give(people.ana, desk.take())
    assert desk.review().state == "judged"
    assert (desk.loss().primary_reason, desk.loss().verdict_id) == ("price", verdict)


def test_change_replaces_our_own_value(desk: Desk, people: People) -> None:
    taken = desk.take("price was far too high")
    assert desk.fields()[REASON] == "price"
    desk.give(people.ana, taken, "change", labels=BUDGET)
    assert desk.fields()[REASON] == "budget"
    assert (desk.loss().primary_reason, desk.loss().read_reason) == ("budget", "price")


def test_change_never_replaces_a_persons(desk: Desk, people: People) -> None:
    desk.crm.set_by_person(DEAL, {REASON: "timing"})
    desk.give(people.ana, desk.take("price was far too high"), "change", labels=BUDGET)
    assert desk.fields()[REASON] == "timing"


def test_cannot_tell_stops_what_waits(desk: Desk, people: People) -> None:
    desk.give(people.ana, desk.take("price was far too high"), "cannot_tell")
    assert REASON not in desk.fields()
    assert desk.loss().primary_reason == "price"


def test_cannot_tell_empties_what_was_sent(desk: Desk, people: People) -> None:
    taken = desk.take("price was far too high")
    assert desk.fields()[REASON] == "price"
    desk.give(people.ana, taken, "cannot_tell")
    assert REASON not in desk.fields()


def test_undo_restores_what_held(desk: Desk, people: People) -> None:
    taken = desk.take("price was far too high")
    verdict = desk.give(people.ana, taken, "change", labels=BUDGET)
    assert desk.fields()[REASON] == "budget"
    desk.undo(people.ana, verdict)
    assert desk.fields()[REASON] == "price"
    assert (desk.loss().primary_reason, desk.loss().verdict_id) == ("price", None)


def test_undone_deal_waits_again(desk: Desk, people: People) -> None:
    verdict = desk.give(people.ana, desk.take())
    desk.undo(people.ana, verdict)
    assert desk.review().state == "waiting"
    assert REASON not in desk.fields()


def test_undo_is_its_givers(desk: Desk, people: People) -> None:
    verdict = desk.give(people.ana, desk.take())
    with pytest.raises(VerdictError, match="Only who gave"):
        desk.undo(people.ben, verdict)
    desk.undo(people.admin, verdict)


def test_undo_works_only_once(desk: Desk, people: People) -> None:
    verdict = desk.give(people.ana, desk.take())
    desk.undo(people.ana, verdict)
    with pytest.raises(VerdictError, match="not one that holds"):
        desk.undo(people.ana, verdict)


def test_verdict_outlives_a_newer_model(desk: Desk, people: People, make_assessor: Callable[[], Any]) -> None:
    desk.give(people.ana, desk.take(), "change", labels=BUDGET)
    newer = make_assessor()
    newer.model_version = "keywords-2"
    desk.take(assessor=newer)
    assert (desk.fields()[REASON], desk.loss().primary_reason) == ("budget", "budget")
    assert desk.review().state == "judged"


def test_verdict_taken_back_after_newer_model_waits_again(
    desk: Desk, people: People, make_assessor: Callable[[], Any]
) -> None:
    verdict_id = desk.give(people.ana, desk.take(WORDS), "change", labels=BUDGET)
    newer = make_assessor()
    newer.model_version = "keywords-2"
    newest = desk.take(WORDS, newer)
    desk.undo(people.ana, verdict_id)
    assert (desk.fields()[REASON], desk.loss().primary_reason) == ("price", "price")
    assert (desk.review().assessment_id, desk.review().state) == (newest, "waiting")


def test_a_model_may_replace_what_an_undo_restored(desk: Desk, people: People) -> None:
    desk.take(WORDS)
    desk.fields()
    verdict_id = desk.give(people.ana, desk.take(WORDS), "change", labels=BUDGET)
    desk.fields()
    desk.undo(people.ana, verdict_id)
    desk.fields()
    with desk.database.reading() as session:
        assert find_our_values(session, DEAL, crm="demo")[REASON] == ["price"]


def test_a_confirmed_value_is_a_persons_to_a_model(desk: Desk, people: People) -> None:
    desk.give(people.ana, desk.take(WORDS), "change", labels=BUDGET)
    desk.fields()
    with desk.database.reading() as session:
        assert find_our_values(session, DEAL, crm="demo")[REASON] == []


def test_what_waits_moves_to_a_newer_reading(pair: Desk, people: People, make_assessor: Callable[[], Any]) -> None:
    pair.give(people.ana, pair.take("price"))
    newer = make_assessor()
    newer.model_version = "keywords-2"
    newest = pair.take("price", newer)
    pair.give(people.ben, newest)
    assert (pair.review().assessment_id, pair.review().state) == (newest, "judged")


def test_a_batch_leaves_what_a_verdict_stopped(desk: Desk, people: People) -> None:
    desk.give(people.ana, desk.take(WORDS), "cannot_tell")
    intake = Intake(desk.assessor, desk.database, Metrics(), crm="demo")
    intake.take_deal(parse_deal({"id": DEAL, "text": WORDS}), batch_id=None)
    with desk.database.writing() as session:
        session.add(BatchRow(id="batch", crm="demo", created_at=now()))
        session.commit()
    intake.take_deal(parse_deal({"id": DEAL, "text": WORDS}), batch_id="batch")
    assert REASON not in desk.fields()


def test_a_verdict_outlives_a_new_owner(desk: Desk, people: People) -> None:
    desk.give(people.ana, desk.take(WORDS), "change", labels=BUDGET)
    intake = Intake(desk.assessor, desk.database, Metrics(), crm="demo", sampling=desk.sampling)
    intake.take_deal(parse_deal({"id": DEAL, "text": WORDS, "owner": "somebody else"}))
    assert (desk.fields()[REASON], desk.loss().primary_reason) == ("budget", "budget")


def test_newer_words_need_a_new_verdict(desk: Desk, people: People) -> None:
    older = desk.take()
    desk.take("budget")
    with pytest.raises(VerdictError, match="assessed anew"):
        desk.give(people.ana, older)
    assert desk.review().state == "waiting"


def test_second_person_is_awaited(pair: Desk, people: People) -> None:
    taken = pair.take()
    pair.give(people.ana, taken)
    assert pair.review().state == "waiting"
    pair.give(people.ben, taken)
    assert pair.review().state == "judged"


def test_two_who_differ_wait_again(pair: Desk, people: People) -> None:
    taken = pair.take()
    pair.give(people.ana, taken)
    pair.give(people.ben, taken, "change", labels=BUDGET)
    assert pair.review().state == "waiting"
    assert VERDICTS_DIFFER in {cause.cause for cause in pair.review().causes}


def test_comment_and_shown_are_kept(desk: Desk, people: People) -> None:
    verdict = desk.give(people.ana, desk.take(), comment=" said on the phone\x00 ", shown={"texts": "crm"}, seconds=7.5)
    with desk.database.reading() as session:
        row = session.get_one(VerdictRow, verdict)
        assert (row.comment, row.shown, row.seconds) == ("said on the phone", {"texts": "crm"}, 7.5)


def test_long_comment_is_refused(desk: Desk, people: People) -> None:
    with pytest.raises(VerdictError, match="2,000") as caught:
        desk.give(people.ana, desk.take(), comment="x" * 2_001)
    assert caught.value.field == "comment"


def test_change_needs_labels(desk: Desk, people: People) -> None:
    with pytest.raises(VerdictError, match="names the values"):
        desk.give(people.ana, desk.take(), "change")


def test_cannot_tell_holds_without_values(desk: Desk, people: People) -> None:
    taken = desk.take()
    verdict = desk.give(people.ana, taken, "cannot_tell")
    with desk.database.reading() as session:
        held = find_held(session, taken)
        assert held is not None
        assert (held.id, held.labels) == (verdict, None)


def test_accepted_labels_are_the_readings(desk: Desk, people: People) -> None:
    taken = desk.take()
    desk.give(people.ana, taken)
    with desk.database.reading() as session:
        held = find_held(session, taken)
        assert held is not None
        read = labels_of(Assessment.model_validate(get_assessment(session, taken).assessment))
        assert VerdictLabels.model_validate(held.labels) == read


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reasons": ["prize"]}, "'prize' is none of"),
        ({"reasons": ["unknown", "price"]}, "stands alone"),
        ({"reasons": ["price", "price"]}, "stands twice"),
        ({"reasons": ["price"], "meddpicc": {"champ": "gap"}}, "'champ' is none of"),
        ({"reasons": []}, "reasons"),
    ],
)
def test_wrong_labels_name_the_field(desk: Desk, values: dict[str, Any], message: str) -> None:
    with pytest.raises(VerdictError, match=message):
        parse_labels(values, desk.assessor.taxonomy)


def test_the_record_names_whose_verdict_it_was(desk: Desk, people: People) -> None:
    verdict_id = desk.give(people.ana, desk.take(), "change", labels=BUDGET)
    desk.fields()
    with desk.database.reading() as session:
        entries = list(find_record(session, FieldMap.plain(), deal_id=DEAL))
    entry = next(entry for entry in entries if entry.field == REASON and entry.after == "budget")
    assert entry.verdict == f"change by {people.ana.name} ({verdict_id})"
