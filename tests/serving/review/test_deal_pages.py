"""The page of a deal: what it shows, and the way of a verdict through its form."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lossnlp.deal import Deal
from serving.crm.demo import DemoCrm
from serving.review import deal_pages
from serving.review.seal import Seal, keep_sealed
from serving.review.texts import TextSource
from serving.review.verdicts import find_all_held
from serving.store import Database, get_assessment
from serving.tables import ReviewRow, VerdictRow
from tests.serving.review.desk_world import AddReview, Judge, People, SignIn

ACCEPT = {"kind": "accept"}
ENTERED = {"kind": "change", "primary": "budget", "attribution": "external_only", "winback": "open"}


@pytest.fixture
def crm() -> DemoCrm:
    return DemoCrm(deals=[])


@pytest.fixture(autouse=True)
def pages(desk_app: FastAPI, database: Database, crm: DemoCrm) -> None:
    desk_app.include_router(deal_pages.router)
    desk_app.state.texts = TextSource(database, lambda: crm)


@pytest.fixture
def ana(signed_in: SignIn, people: People) -> TestClient:
    return signed_in(people.ana)


@pytest.fixture
def review_id(add_review: AddReview) -> int:
    return add_review("D-1", "price 💸", fields={"account": "Nordwind", "stated_reason": "Timing"})


def hold_in_crm(crm: DemoCrm, text: str = "price 💸", **fields: Any) -> None:
    given = {"id": "D-1", "account": "Nordwind", "stated_reason": "Timing"} | fields
    crm.add_deal({"deal": given, "documents": [{"id": "n", "kind": "rep_note", "text": text}]})


def verdicts(database: Database, review_id: int) -> list[VerdictRow]:
    with database.reading() as session:
        return find_all_held(session, session.get_one(ReviewRow, review_id).assessment_id)


def test_page_lights_evidence_in_texts(ana: TestClient, review_id: int, crm: DemoCrm) -> None:
    hold_in_crm(crm)
    page = ana.get(f"/review/deals/{review_id}").text
    assert '<mark id="d0c0" tabindex="-1" data-at="0" data-labels="price">price</mark>' in page
    assert 'href="#d0c0" data-label="price">Price</a>' in page
    assert "cost too much for its value" in page


def test_page_stays_small_and_local(ana: TestClient, review_id: int, crm: DemoCrm) -> None:
    hold_in_crm(crm)
    page = ana.get(f"/review/deals/{review_id}").text
    assert len(page.encode()) < 300_000
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)
    assert "<script>" not in page


def test_what_the_rep_chose_is_shown(ana: TestClient, review_id: int) -> None:
    page = ana.get(f"/review/deals/{review_id}").text
    assert "<dt>Reason chosen in the CRM</dt><dd><strong>Timing</strong></dd>" in page
    assert "The primary reason is uncertain" in page


def test_without_texts_quotes_stand_alone(ana: TestClient, review_id: int) -> None:
    page = ana.get(f"/review/deals/{review_id}").text
    assert "does not hold this deal" in page
    assert "<q>price</q>" in page
    assert "<mark" not in page


def test_changed_deal_still_shows_quotes(ana: TestClient, review_id: int, crm: DemoCrm) -> None:
    hold_in_crm(crm, "So: the price", stage="Discovery")
    page = ana.get(f"/review/deals/{review_id}").text
    assert "has changed in the CRM" in page
    assert '<mark id="d0c8"' in page
    assert 'id="mark-words"' not in page


def test_texts_cannot_smuggle_markup(ana: TestClient, add_review: AddReview, crm: DemoCrm) -> None:
    text = "price<script>1</script>"
    review_id = add_review("D-1", text, fields={"account": "<b>Nordwind"})
    hold_in_crm(crm, text, account="<b>Nordwind", stated_reason=None)
    page = ana.get(f"/review/deals/{review_id}").text
    assert "<script>1" not in page
    assert "&lt;script&gt;1" in page
    assert "<b>Nordwind" not in page


def test_accept_keeps_verdict_and_goes_on(
    ana: TestClient, review_id: int, add_review: AddReview, database: Database
) -> None:
    other = add_review("D-2")
    answer = ana.post(f"/review/deals/{review_id}/verdict", data=ACCEPT | {"seconds": "12.5", "texts": "crm"})
    [verdict] = verdicts(database, review_id)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/review/deals/{other}?judged={verdict.id}")
    assert (verdict.kind, verdict.seconds, verdict.shown["texts"]) == ("accept", 12.5, "crm")
    assert verdict.shown["causes"] == ["primary_reason_uncertain"]


def test_next_page_offers_undo(ana: TestClient, review_id: int, add_review: AddReview) -> None:
    add_review("D-2")
    location = ana.post(f"/review/deals/{review_id}/verdict", data=ACCEPT).headers["location"]
    page = ana.get(location).text
    assert "Judged Nordwind: accepted as read." in page
    assert "Undo (u)" in page


def test_last_verdict_leads_to_queue(ana: TestClient, review_id: int) -> None:
    answer = ana.post(f"/review/deals/{review_id}/verdict", data=ACCEPT | {"view": "order=oldest"})
    assert answer.headers["location"].startswith("/review?order=oldest&judged=")


def test_undo_brings_the_deal_back(ana: TestClient, review_id: int, database: Database) -> None:
    ana.post(f"/review/deals/{review_id}/verdict", data=ACCEPT)
    [verdict] = verdicts(database, review_id)
    answer = ana.post(f"/review/verdicts/{verdict.id}/undo")
    assert answer.headers["location"] == f"/review/deals/{review_id}?undone={verdict.id}"
    assert not verdicts(database, review_id)
    assert "the deal waits again" in ana.get(answer.headers["location"]).text


def test_another_persons_verdict_stays(
    signed_in: SignIn, people: People, review_id: int, judge: Judge, database: Database
) -> None:
    given = judge(people.ana, review_id)
    answer = signed_in(people.ben).post(f"/review/verdicts/{given.id}/undo")
    assert (answer.status_code, "Only who gave a verdict" in answer.text) == (422, True)
    assert len(verdicts(database, review_id)) == 1


def test_change_keeps_what_was_entered(ana: TestClient, review_id: int, database: Database) -> None:
    form = ENTERED | {
        "reasons": ["timing", "budget"],
        "meddpicc.champion": "gap",
        "insufficient_detail": "yes",
        "revisit_on": "2027-03-01",
        "rival": ["Rostera", " ", "Acme"],
        "rival_role": ["won", "mentioned", ""],
        "comment": "said so on the phone",
    }
    ana.post(f"/review/deals/{review_id}/verdict", data=form)
    [verdict] = verdicts(database, review_id)
    labels = verdict.labels or {}
    assert labels["reasons"] == ["budget", "timing"]
    assert (labels["meddpicc"], labels["competitors"]) == ({"champion": "gap"}, {"Rostera": "won"})
    assert (labels["insufficient_detail"], labels["revisit_on"]) == (True, "2027-03-01")
    assert (verdict.kind, verdict.comment) == ("change", "said so on the phone")


def test_changed_reason_drops_its_evidence(ana: TestClient, review_id: int, database: Database) -> None:
    ana.post(f"/review/deals/{review_id}/verdict", data=ENTERED)
    [verdict] = verdicts(database, review_id)
    assert (verdict.labels or {})["evidence"] == {}


def test_stated_reason_conflict_follows_the_reasons(ana: TestClient, review_id: int, database: Database) -> None:
    form = ENTERED | {"primary": "price", "stated_reason_conflict": "no"}
    ana.post(f"/review/deals/{review_id}/verdict", data=form | {"reasons": ["competitor"]})
    [verdict] = verdicts(database, review_id)
    assert (verdict.labels or {})["stated_reason_conflict"] is True


def test_unchanged_changes_accept(ana: TestClient, review_id: int, database: Database) -> None:
    form = {
        "kind": "change",
        "primary": "price",
        "attribution": "external_only",
        "insufficient_detail": "no",
        "rep_buyer_conflict": "no",
        "stated_reason_conflict": "no",
        "winback": "open",
        "revisit_on": "2027-02-01",
    }
    ana.post(f"/review/deals/{review_id}/verdict", data=form)
    assert [verdict.kind for verdict in verdicts(database, review_id)] == ["accept"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"primary": "unknown", "reasons": "price"}, "stands alone: clear the other reasons"),
        ({"primary": "prize"}, "is none of"),
        ({"revisit_on": "soon"}, "Give the day as YYYY-MM-DD"),
        ({"comment": "x" * 2_001}, "at most 2,000 characters"),
        ({"marked": "{"}, "Marked words could not be read"),
        ({"kind": "shrug"}, "Choose what to do"),
    ],
)
def test_wrong_input_loses_nothing_else(
    ana: TestClient, review_id: int, database: Database, wrong: dict[str, str], sentence: str
) -> None:
    answer = ana.post(
        f"/review/deals/{review_id}/verdict", data=ENTERED | {"rival": "Kept Inc", "rival_role": "won"} | wrong
    )
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'value="Kept Inc"' in answer.text
    assert not verdicts(database, review_id)


def test_marked_words_become_evidence(ana: TestClient, add_review: AddReview, crm: DemoCrm, database: Database) -> None:
    review_id = add_review("D-1", "😀 price")
    hold_in_crm(crm, "😀 price", account=None, stated_reason=None)
    mark = {"label": "budget", "document_id": "n", "start": 2, "end": 7, "text": "price"}
    ana.post(f"/review/deals/{review_id}/verdict", data=ENTERED | {"marked": json.dumps([mark])})
    [verdict] = verdicts(database, review_id)
    [evidence] = (verdict.labels or {})["evidence"]["budget"]
    assert (evidence["start"], evidence["end"], evidence["text"], evidence["role"]) == (2, 7, "price", "rep")


def test_marks_in_the_wrong_place_are_refused(ana: TestClient, review_id: int, crm: DemoCrm) -> None:
    hold_in_crm(crm)
    mark = {"label": "budget", "document_id": "n", "start": 1, "end": 6, "text": "price"}
    answer = ana.post(f"/review/deals/{review_id}/verdict", data=ENTERED | {"marked": json.dumps([mark])})
    assert (answer.status_code, "do not stand in the documents" in answer.text) == (422, True)


def test_form_needs_its_token(ana: TestClient, review_id: int) -> None:
    ana.headers["x-form-token"] = "another"
    assert ana.post(f"/review/deals/{review_id}/verdict", data=ACCEPT).status_code == 403


def test_plain_form_carries_its_token(ana: TestClient, review_id: int, database: Database) -> None:
    token = ana.headers.pop("x-form-token")
    answer = ana.post(f"/review/deals/{review_id}/verdict", data=ACCEPT | {"form_token": token})
    assert answer.status_code == 303
    assert len(verdicts(database, review_id)) == 1


@pytest.mark.parametrize("name", ["rep", "manager", "leader"])
def test_only_ops_judge(signed_in: SignIn, people: People, review_id: int, name: str) -> None:
    browser = signed_in(getattr(people, name))
    assert browser.get(f"/review/deals/{review_id}").status_code == 403
    assert browser.post(f"/review/deals/{review_id}/verdict", data=ACCEPT).status_code == 403


def test_held_deal_cannot_be_judged(signed_in: SignIn, people: People, ana: TestClient, review_id: int) -> None:
    ana.get(f"/review/deals/{review_id}")
    ben = signed_in(people.ben)
    page = ben.get(f"/review/deals/{review_id}").text
    assert "Ana is looking at this deal" in page
    assert 'id="verdict"' not in page
    assert ben.post(f"/review/deals/{review_id}/verdict", data=ACCEPT).status_code == 422


def test_a_page_that_is_behind_judges_nothing(
    signed_in: SignIn, people: People, ana: TestClient, review_id: int, database: Database
) -> None:
    ana.post(f"/review/deals/{review_id}/verdict", data={"kind": "cannot_tell"})
    late = signed_in(people.ben).post(f"/review/deals/{review_id}/verdict", data={"kind": "accept", "seen": ""})
    assert "given meanwhile" in late.text
    assert [verdict.kind for verdict in verdicts(database, review_id)] == ["cannot_tell"]


def test_second_person_sees_no_verdict_before_their_own(
    signed_in: SignIn, people: People, add_review: AddReview, judge: Judge
) -> None:
    review_id = add_review("D-1", wanted=2)
    judge(people.ana, review_id)
    ben = signed_in(people.ben)
    page = ben.get(f"/review/deals/{review_id}").text
    assert "Verdicts so far" not in page
    assert "after your verdict" in ben.get(f"/review/deals/{review_id}/crm").text
    ben.post(f"/review/deals/{review_id}/verdict", data=ACCEPT)
    assert "Ana, " in ben.get(f"/review/deals/{review_id}").text


def test_crm_part_says_what_would_happen(ana: TestClient, review_id: int, crm: DemoCrm) -> None:
    hold_in_crm(crm)
    crm.set_by_person("D-1", {"lossnlp_primary_reason": "timing"})
    part = ana.get(f"/review/deals/{review_id}/crm", headers={"hx-request": "true"}).text
    assert "<!doctype" not in part
    assert (
        '<th scope="row">Primary loss reason</th><td>Timing</td><td>Timing</td><td>a person&#39;s, stays</td>' in part
    )
    assert '<th scope="row">Way back</th><td>\u2013</td><td>Open</td><td>set</td>' in part


def test_crm_without_the_deal_is_said(ana: TestClient, review_id: int) -> None:
    assert "does not hold this deal any more" in ana.get(f"/review/deals/{review_id}/crm").text


def test_sealed_texts_need_no_crm(ana: TestClient, review_id: int, desk_app: FastAPI, database: Database) -> None:
    seal = Seal(Fernet.generate_key().decode())
    desk_app.state.texts = TextSource(database, lambda: None, seal)
    deal = Deal.from_request({"id": "D-1", "text": "price 💸"})
    with database.writing() as session:
        row = get_assessment(session, session.get_one(ReviewRow, review_id).assessment_id)
        keep_sealed(session, row, deal, seal=seal)
        session.commit()
    assert 'data-document="note"' in ana.get(f"/review/deals/{review_id}").text


def test_unknown_deal_is_not_found(ana: TestClient) -> None:
    assert ana.get("/review/deals/999").status_code == 404
    assert ana.post("/review/verdicts/999/undo").status_code == 404
