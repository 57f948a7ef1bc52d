"""Old deals on the model in service: planned, read anew, and never against what a person has said."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select

from lossnlp.taxonomy import get_default_taxonomy
from serving.crm.demo import DemoCrm
from serving.crm.fields import CrmWords, FieldMap
from serving.crm.rules import PRIMARY_REASON
from serving.intake import Intake, parse_deal
from serving.metrics import Metrics
from serving.model.reassessment import Reassessment
from serving.review.said import Said
from serving.review.seal import Seal
from serving.review.texts import TextSource
from serving.review.verdict import VerdictError
from serving.review.verdicts import Bench
from serving.store import Database, now
from serving.tables import AssessmentRow, BatchRow, LossRow, PersonRow, ReviewRow, WriteBackRow
from serving.worker import UndoError, Worker

SINCE = date(2026, 11, 1)
DEALS = {"A": ("the price was too high", "2026-11-05"), "B": ("no budget was left this year", "2026-11-06")}


@pytest.fixture
def seal() -> Seal:
    return Seal(Fernet.generate_key().decode())


@pytest.fixture
def old(assessor: Any, database: Database, seal: Seal) -> Intake:
    """An intake that has read the deals, and one lost before, with the model before."""
    intake = Intake(assessor, database, Metrics(), seal=seal)
    for deal_id, (text, closed_at) in {**DEALS, "Z": ("price and more", "2026-10-01")}.items():
        intake.take_deal(parse_deal({"id": deal_id, "text": text, "closed_at": closed_at}))
    return intake


def reassessment(old: Intake, make_assessor: type[Any], *, crm: str | None = None) -> Reassessment:
    """With a model that takes every budget for a price."""
    newer = make_assessor()
    newer.model_version, read = "keywords-2", newer.assess

    def assess(deal: Any) -> Any:
        text = deal.documents[0].text.replace("budget", "price ")
        return read(deal.model_copy(update={"documents": (deal.documents[0].model_copy(update={"text": text}),)}))

    newer.assess = assess
    intake = Intake(newer, old.database, Metrics(), crm=crm, seal=old.seal)
    return Reassessment(intake, TextSource(old.database, lambda: None, old.seal).find)


def read_by(database: Database) -> dict[str, tuple[str, str]]:
    with database.reading() as session:
        return {row.deal_id: (row.model_version, row.primary_reason) for row in session.scalars(select(LossRow))}


def test_plan_tells_differences_and_keeps_nothing(old: Intake, make_assessor: type[Any], database: Database) -> None:
    before = read_by(database)
    plan = {deal.deal_id: deal for deal in reassessment(old, make_assessor).plan(SINCE)}
    assert [(value.field, value.before, value.after) for value in plan["B"].values] == [
        ("primary_reason", "budget", "price")
    ]
    assert plan["A"].values == ()
    assert sorted(plan) == ["A", "B"]
    assert read_by(database) == before


def test_apply_keeps_new_answers_beside_the_old(old: Intake, make_assessor: type[Any], database: Database) -> None:
    assert len(list(reassessment(old, make_assessor).apply(SINCE))) == 2
    assert read_by(database) == {
        "A": ("keywords-2", "price"),
        "B": ("keywords-2", "price"),
        "Z": ("keywords-1", "price"),
    }
    with database.reading() as session:
        versions = session.scalars(select(AssessmentRow.model_version).where(AssessmentRow.deal_id == "B"))
        assert sorted(versions) == ["keywords-1", "keywords-2"]


def test_stopped_half_way_it_goes_on(old: Intake, make_assessor: type[Any]) -> None:
    again = reassessment(old, make_assessor)
    next(again.apply(SINCE))
    assert [deal.deal_id for deal in again.apply(SINCE)] == ["B"]
    assert list(again.apply(SINCE)) == []


def test_verdict_holds(old: Intake, make_assessor: type[Any], database: Database) -> None:
    with database.writing() as session:
        person = PersonRow(email="ana@example.com", name="Ana", role="ops", created_at=now())
        session.add(person)
        session.flush()
        row = session.scalars(select(AssessmentRow).where(AssessmentRow.deal_id == "B")).one()
        Bench(get_default_taxonomy()).give(session, row.id, person, Said("accept"))
        session.commit()
    found = {deal.deal_id: deal for deal in reassessment(old, make_assessor).apply(SINCE)}
    assert (found["B"].values, found["B"].silence) == ((), "a person's verdict holds")
    assert read_by(database)["B"] == ("keywords-2", "budget")


@pytest.fixture
def rolled_back(old: Intake, make_assessor: type[Any]) -> Reassessment:
    """Of the model before, after a newer one has read the deals and was taken out of service."""
    list(reassessment(old, make_assessor).apply(SINCE))
    return rolled_back_to(old)


def rolled_back_to(intake: Intake) -> Reassessment:
    return Reassessment(intake, TextSource(intake.database, lambda: None, intake.seal).find)


def test_after_a_rollback_the_older_answer_counts_again(rolled_back: Reassessment, database: Database) -> None:
    told = {deal.deal_id: deal for deal in rolled_back.apply(SINCE)}
    assert [(one.field, one.before, one.after) for one in told["B"].values] == [("primary_reason", "price", "budget")]
    assert {deal_id: read for deal_id, read in read_by(database).items() if deal_id in DEALS} == {
        "A": ("keywords-1", "price"),
        "B": ("keywords-1", "budget"),
    }
    assert list(rolled_back.apply(SINCE)) == []
    with database.reading() as session:
        assert session.scalar(select(func.count(AssessmentRow.id))) == 5


def test_after_a_rollback_the_older_answer_is_judged(rolled_back: Reassessment, database: Database) -> None:
    list(rolled_back.apply(SINCE))
    with database.writing() as session:
        person = PersonRow(email="ana@example.com", name="Ana", role="ops", created_at=now())
        session.add(person)
        session.flush()
        rows = session.scalars(select(AssessmentRow).filter_by(deal_id="B").order_by(AssessmentRow.created_at)).all()
        Bench(get_default_taxonomy()).give(session, rows[0].id, person, Said("accept"))
        with pytest.raises(VerdictError, match="assessed anew"):
            Bench(get_default_taxonomy()).give(session, rows[1].id, person, Said("accept"))


def test_after_a_rollback_the_older_answer_waits_again(
    old: Intake, make_assessor: type[Any], database: Database
) -> None:
    deal = parse_deal({"id": "R", "text": "no budget", "closed_at": "2026-11-07"})  # too short to be accepted
    old.take_deal(deal)
    list(reassessment(old, make_assessor).apply(SINCE))
    list(rolled_back_to(old).apply(SINCE))
    with database.reading() as session:
        rows = session.scalars(select(ReviewRow).filter_by(deal_id="R").order_by(ReviewRow.id))
        assert [(row.model_version, row.state) for row in rows] == [
            ("keywords-1", "waiting"),
            ("keywords-2", "replaced"),
        ]


def test_after_a_rollback_the_older_values_go_to_the_crm(
    old: Intake, make_assessor: type[Any], database: Database
) -> None:
    crm = DemoCrm(deals=[{"deal": {"id": deal_id}, "documents": []} for deal_id in DEALS])
    fields = FieldMap(get_default_taxonomy(), CrmWords(policy="if_ours"))
    worker, seen, intake = Worker(database, crm, fields=fields), [], old.for_crm("demo")

    def see() -> None:
        worker.send_due()
        seen.append(crm.fetch_fields(["B"])["B"][PRIMARY_REASON])

    intake.take_deal(parse_deal({"id": "B", "text": DEALS["B"][0], "closed_at": DEALS["B"][1]}))
    see()
    for one in (reassessment(old, make_assessor, crm="demo"), rolled_back_to(intake)):
        list(one.apply(SINCE))
        see()
    with database.reading() as session:
        ours, newer = session.scalars(select(WriteBackRow.id).filter_by(deal_id="B").order_by(WriteBackRow.id))
    with pytest.raises(UndoError, match=f"Write-back {ours} of the same deal came after"):
        worker.undo(newer)
    worker.undo(ours)
    see()
    assert seen == ["budget", "price", "budget", "price"]


def test_after_a_rollback_what_was_not_sent_yet_never_is(
    old: Intake, make_assessor: type[Any], database: Database
) -> None:
    crm = DemoCrm(deals=[{"deal": {"id": deal_id}, "documents": []} for deal_id in DEALS])
    list(reassessment(old, make_assessor, crm="demo").apply(SINCE))
    list(rolled_back_to(old.for_crm("demo")).apply(SINCE))
    Worker(database, crm).send_due()
    assert crm.fetch_fields(["B"])["B"][PRIMARY_REASON] == "budget"


def test_write_backs_are_one_batch(old: Intake, make_assessor: type[Any], database: Database) -> None:
    list(reassessment(old, make_assessor, crm="demo").apply(SINCE))
    with database.reading() as session:
        [batch] = session.scalars(select(BatchRow))
        assert {row.batch_id for row in session.scalars(select(WriteBackRow))} == {batch.id}
        assert batch.is_listed


def test_deal_without_its_words_is_left_and_told(old: Intake, make_assessor: type[Any], database: Database) -> None:
    wordless = Reassessment(reassessment(old, make_assessor).intake, TextSource(database, lambda: None).find)
    assert {deal.silence.partition(":")[0] for deal in wordless.apply(SINCE)} == {"The documents cannot be shown"}
    assert read_by(database)["B"] == ("keywords-1", "budget")
