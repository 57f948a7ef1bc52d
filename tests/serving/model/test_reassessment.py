"""Old deals on the model in service: planned, read anew, and never against what a person has said."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from lossnlp.taxonomy import get_default_taxonomy
from serving.intake import Intake, parse_deal
from serving.metrics import Metrics
from serving.model.reassessment import Reassessment
from serving.review.seal import Seal
from serving.review.texts import TextSource
from serving.review.verdicts import Bench, Said
from serving.store import Database, now
from serving.tables import AssessmentRow, BatchRow, LossRow, PersonRow, WriteBackRow

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
