"""A deal that was read with an older list of reasons, at the desk and in the export."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from lossnlp.deal import Deal
from lossnlp.taxonomy import get_default_taxonomy
from serving.drift.accuracy import read_accuracy
from serving.review import deal_pages
from serving.review.export import OPEN_IN_LIST, Tally, VerdictExport
from serving.review.queue import Asked, find_page
from serving.review.queue_view import QueueView
from serving.review.said import Said
from serving.review.texts import TextSource
from serving.review.verdict import VerdictLabels
from serving.review.verdicts import Bench, find_all_held
from serving.store import Database, get_assessment, now
from serving.tables import AssessmentRow, LossRow, PersonRow, ReviewRow
from serving.taxonomy_change.applying import Batches
from serving.taxonomy_change.changes import NewList, read_new_list
from tests.change_steps import HEAD, MERGE, SPLIT
from tests.serving.review.desk_world import AddReview, People, SignIn, viewer_for

CHANGE = HEAD + MERGE + SPLIT


@pytest.fixture
def new(tmp_path: Path) -> NewList:
    (tmp_path / "change.yaml").write_text(CHANGE)
    return read_new_list(tmp_path / "change.yaml", get_default_taxonomy())


@pytest.fixture
def assessor(make_assessor: type[Any], new: NewList) -> Any:
    """Serves the second list; its answers are still of the first, as those of old deals are."""
    served = type("Served", (make_assessor,), {"taxonomy": new.taxonomy})
    return served()


@pytest.fixture
def ana(signed_in: SignIn, people: People, desk_app: FastAPI, database: Database) -> TestClient:
    desk_app.include_router(deal_pages.router)
    desk_app.state.texts = TextSource(database, lambda: None)
    return signed_in(people.ana)


@pytest.fixture
def apply(database: Database, new: NewList) -> Any:
    return lambda: Batches(database, new.taxonomy).apply(new, by="ana")


def verdict_on(database: Database, review_id: int) -> Any:
    with database.reading() as session:
        return find_all_held(session, session.get_one(ReviewRow, review_id).assessment_id)[-1]


def test_page_shows_the_new_codes(ana: TestClient, add_review: AddReview, apply: Any) -> None:
    review_id = add_review("D-1", "price")
    apply()
    text = ana.get(f"/review/deals/{review_id}").text
    assert re.search(r'<option value="money"[^>]* selected>', text)
    assert 'value="price"' not in text


def test_a_filter_finds_a_reason_under_its_other_codes(
    people: People, add_review: AddReview, apply: Any, database: Database
) -> None:
    add_review("D-1", "price")
    add_review("D-2", "legal")
    apply()
    with database.writing() as session:  # one that was read in the new list
        session.scalars(select(ReviewRow).filter_by(deal_id="D-2")).one().primary_reason = "money"
        session.commit()

    def found(code: str) -> list[str]:
        asked = Asked.by(viewer_for(people.ana), QueueView(reason=code))
        with database.reading() as session:
            return sorted(one.review.deal_id for one in find_page(session, asked))

    assert found("price") == ["D-1", "D-2"]
    assert found("money") == ["D-1", "D-2"]
    assert found("budget") == ["D-2"]
    assert found("procurement_legal") == []


def test_certain_reading_is_accepted_in_new_codes(
    ana: TestClient, add_review: AddReview, apply: Any, database: Database
) -> None:
    review_id = add_review("D-1", "price")
    apply()
    assert ana.post(f"/review/deals/{review_id}/verdict", data={"kind": "accept"}).status_code == 303
    verdict = verdict_on(database, review_id)
    assert (verdict.labels["reasons"], verdict.taxonomy_version) == (["money"], "2")


def test_open_reading_asks_for_a_choice(ana: TestClient, add_review: AddReview, apply: Any) -> None:
    review_id = add_review("D-1", "legal")
    apply()
    page = ana.get(f"/review/deals/{review_id}").text
    assert "The list of reasons has changed" in page
    refused = ana.post(f"/review/deals/{review_id}/verdict", data={"kind": "accept"})
    assert refused.status_code == 422
    assert "choose what holds and save the changes" in refused.text


def test_same_code_may_be_chosen_in_its_new_meaning(
    ana: TestClient, add_review: AddReview, apply: Any, database: Database
) -> None:
    review_id = add_review("D-1", "legal")
    apply()
    entered = {"kind": "change", "primary": "procurement_legal", "attribution": "external_only", "winback": "open"}
    flags = dict.fromkeys(("insufficient_detail", "rep_buyer_conflict", "stated_reason_conflict"), "no")
    answer = ana.post(f"/review/deals/{review_id}/verdict", data={**entered, **flags, "revisit_on": "2027-02-01"})
    assert answer.status_code == 303
    assert (verdict_on(database, review_id).kind, verdict_on(database, review_id).taxonomy_version) == ("change", "2")
    with database.reading() as session:
        assert session.get_one(LossRow, "D-1").open_version is None


def judge_in_old_list(database: Database, person: PersonRow, review_id: int, *reasons: str) -> None:
    with database.writing() as session:
        review = session.get_one(ReviewRow, review_id)
        said = Said("change", VerdictLabels(reasons=reasons))
        Bench(get_default_taxonomy()).give(session, review.assessment_id, person, said)
        session.commit()


def test_export_is_in_the_newest_list(people: People, add_review: AddReview, apply: Any, database: Database) -> None:
    judge_in_old_list(database, people.ana, add_review("D-1", "price"), "price", "timing")
    judge_in_old_list(database, people.ana, add_review("D-2", "legal"), "procurement_legal")
    apply()

    def find_deal(row: AssessmentRow) -> Deal:
        return Deal.from_request({"id": row.deal_id, "text": "price"})

    tally = Tally()
    lines = list(VerdictExport(database, find_deal).lines(tally))
    assert [(line.id, line.labels.reasons) for line in lines] == [("D-1", ("money", "timing"))]
    assert [(one.deal_id, one.why) for one in tally.left_out] == [("D-2", OPEN_IN_LIST)]


def test_verdict_of_another_list_tells_no_accuracy(
    people: People, add_review: AddReview, apply: Any, database: Database, new: NewList
) -> None:
    old, newer = add_review("D-1", "price"), add_review("D-2", "budget")
    judge_in_old_list(database, people.ana, old, "price")
    apply()
    with database.writing() as session:
        row = get_assessment(session, session.get_one(ReviewRow, newer).assessment_id)
        Bench(new.taxonomy).give(session, row.id, people.ana, Said("accept"))
        session.commit()
        months = read_accuracy(session, (now() + timedelta(days=1)).date())
    assert sum(month.asked.judged + month.drawn.judged for month in months) == 1
