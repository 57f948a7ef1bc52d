"""One path for every deal: seen once, kept once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Lock
from typing import Any

import pytest
from sqlalchemy import func, select

from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError
from serving.intake import Intake, content_digest, parse_deal
from serving.load.line import Line
from serving.load.rounds import RoundLimits
from serving.metrics import Metrics
from serving.store import Database
from serving.tables import AssessmentRow, DealRow, LossRow, WriteBackRow

NOTE = {"id": "D-1", "text": "Lost to Rostera, legal was slow", "closed_at": "2026-11-20"}


def count(database: Database, table: type[Any]) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_repeat_gives_the_stored_answer(intake: Intake, assessor: Any) -> None:
    first, second = intake.take_deal(parse_deal(NOTE)), intake.take_deal(parse_deal(NOTE))
    assert (first.id, first.answer) == (second.id, second.answer)
    assert (first.is_new, second.is_new) == (True, False)
    assert assessor.calls == ["D-1"]


def test_changed_content_gives_new_answer(intake: Intake) -> None:
    first = intake.take_deal(parse_deal(NOTE))
    second = intake.take_deal(parse_deal({**NOTE, "text": "It was the price after all"}))
    assert second.is_new
    assert second.id != first.id


def test_deal_without_close_day_keeps_its_month(intake: Intake, database: Database) -> None:
    undated = {name: value for name, value in NOTE.items() if name != "closed_at"}
    first = intake.take_deal(parse_deal(undated))
    with database.writing() as session:
        row = session.get_one(AssessmentRow, first.id)
        row.created_at -= timedelta(days=40)
        session.commit()
        first_read_on = row.created_at.date()
    intake.take_deal(parse_deal({**undated, "text": "It was the price after all"}))
    with database.reading() as session:
        assert session.get_one(LossRow, "D-1").lost_on == first_read_on


def test_other_model_gives_new_answer(intake: Intake, database: Database, make_assessor: Callable[[], Any]) -> None:
    first = intake.take_deal(parse_deal(NOTE))
    newer = make_assessor()
    newer.model_version = "keywords-2"
    second = Intake(newer, database, Metrics()).take_deal(parse_deal(NOTE))
    assert second.is_new
    assert second.id != first.id


def test_concurrent_twins_share_one_row(database: Database, make_assessor: Callable[..., Any]) -> None:
    assessor = make_assessor(Barrier(2, timeout=30).wait)
    intake = Intake(assessor, database, Metrics(), crm="demo", line=Line(RoundLimits(at_once=2)))
    with ThreadPoolExecutor(2) as pool:
        twins = list(pool.map(intake.take_deal, [parse_deal(NOTE), parse_deal(NOTE)]))
    assert twins[0].id == twins[1].id
    assert sorted(twin.is_new for twin in twins) == [False, True]
    assert (count(database, AssessmentRow), count(database, WriteBackRow)) == (1, 1)


def test_concurrent_versions_both_stand(database: Database, make_assessor: Callable[..., Any]) -> None:
    assessor = make_assessor(Barrier(2, timeout=30).wait)
    intake = Intake(assessor, database, Metrics(), line=Line(RoundLimits(at_once=2)))
    other = {**NOTE, "text": "the budget was cut in spring"}
    with ThreadPoolExecutor(2) as pool:
        taken = list(pool.map(intake.take_deal, [parse_deal(NOTE), parse_deal(other)]))
    assert [one.is_new for one in taken] == [True, True]
    assert (count(database, AssessmentRow), count(database, DealRow)) == (2, 1)


def test_no_connection_held_while_classifying(database: Database, make_assessor: Callable[..., Any]) -> None:
    held: list[int] = []
    assessor = make_assessor(lambda: held.append(database.engine.pool.checkedout()))  # type: ignore[attr-defined]
    Intake(assessor, database, Metrics()).take_deal(parse_deal(NOTE))
    assert held == [0]


def test_no_more_are_classified_at_once(database: Database, make_assessor: Callable[..., Any]) -> None:
    reading, found_free = Lock(), list[bool]()

    def read_alone() -> None:
        found_free.append(reading.acquire(blocking=False))
        reading.release()

    intake = Intake(make_assessor(read_alone), database, Metrics(), line=Line(RoundLimits(at_once=1)))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda number: intake.take_deal(parse_deal({**NOTE, "id": f"D-{number}"})), range(3)))
    assert found_free == [True] * 3


def test_failed_deal_gives_its_place_back(database: Database, assessor: Any) -> None:
    intake = Intake(assessor, database, Metrics(), line=Line(RoundLimits(at_once=1)))
    with pytest.raises(RuntimeError):
        intake.take_deal(parse_deal({"id": "D-2", "text": "explode"}))
    assert intake.take_deal(parse_deal(NOTE)).is_new


def test_intake_for_a_crm_shares_the_line(intake: Intake) -> None:
    assert intake.for_crm(None).line is intake.line


def test_nothing_stored_when_classifying_fails(intake: Intake, database: Database) -> None:
    with pytest.raises(RuntimeError):
        intake.take_deal(parse_deal({"id": "D-2", "text": "explode"}))
    assert count(database, DealRow) == 0


def test_write_back_queued_with_answer(intake: Intake, database: Database) -> None:
    taken = intake.take_deal(parse_deal(NOTE))
    with database.reading() as session:
        row = session.scalars(select(WriteBackRow)).one()
        assert (row.assessment_id, row.state) == (taken.id, "due")
        assert row.planned["lossnlp_primary_reason"] == "competitor"


def test_thin_note_queues_no_write_back(intake: Intake, database: Database) -> None:
    intake.take_deal(parse_deal({"id": "D-3", "text": "timing"}))
    assert count(database, WriteBackRow) == 0


def test_without_crm_nothing_is_queued(database: Database, assessor: Any) -> None:
    Intake(assessor, database, Metrics()).take_deal(parse_deal(NOTE))
    assert count(database, WriteBackRow) == 0


def test_stored_deal_holds_no_text(intake: Intake, database: Database) -> None:
    intake.take_deal(parse_deal({"id": "D-4", "text": "legal took ages, a canary sang in the room"}))
    with database.reading() as session:
        kept = session.scalars(select(AssessmentRow.assessment)).one()
    assert "canary" not in str(kept)


def test_nul_in_fields_is_storable(intake: Intake) -> None:
    request = {
        "deal": {"id": "D-5", "account": "A\x00B"},
        "documents": [{"id": "n", "kind": "rep_note", "text": "\x00price\x00"}],
    }
    assert intake.take_deal(parse_deal(request)).is_new


def test_nul_in_id_is_refused() -> None:
    with pytest.raises(InvalidDealError) as caught:
        parse_deal({"id": "D\x00", "text": "price"})
    assert caught.value.field == "id"


def test_digest_ignores_absent_fields() -> None:
    bare = {"id": "D-6", "documents": [{"id": "n", "kind": "rep_note", "text": "price"}]}
    assert content_digest(Deal.model_validate(bare)) == content_digest(Deal.model_validate({**bare, "owner": None}))
