"""The pages of the loss review of a month, and a rep's agreement to be named."""

from __future__ import annotations

import re
from datetime import date

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from serving.people.access import COOKIE, FORM_FIELD
from serving.reports import pack_pages
from serving.store import Database
from serving.tables import StoryConsentRow
from tests.serving.reports.loss_world import LEADER, MANAGER, REP, AddLosses, Browse
from tests.serving.reports.pack_world import read_all

REVIEW = "/losses/pack?month=2026-09"


@pytest.fixture(autouse=True)
def pages(loss_app: FastAPI) -> None:
    if not any(getattr(route, "path", "") == "/losses/pack" for route in loss_app.routes):
        loss_app.include_router(pack_pages.router)


@pytest.fixture
def told(losses: AddLosses, database: Database) -> None:
    losses(80, team="North", lost_on=date(2026, 9, 9))
    losses(40, team="South", lost_on=date(2026, 9, 9))
    with database.writing() as session:
        read_all(session)
        session.commit()


@pytest.fixture
def rep(browse: Browse, losses: AddLosses) -> TestClient:
    losses(2, owner=REP.owner, lost_on=date(2026, 9, 9))
    return browse(REP)


def agreed(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(StoryConsentRow.deal_id)))


def send(browser: TestClient, path: str, **fields: str) -> int:
    form = {FORM_FIELD: browser.cookies[COOKIE], **fields}
    return browser.post(path, data=form).status_code


@pytest.mark.usefixtures("told")
def test_leader_gets_review_of_all(browse: Browse) -> None:
    answer = browse(LEADER).get(REVIEW)
    assert answer.status_code == 200
    assert "120 deals lost" in answer.text
    assert len(answer.content) < 300_000
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"] == 'inline; filename="loss-review-2026-09.html"'


@pytest.mark.usefixtures("told")
def test_manager_gets_review_of_own_teams(browse: Browse) -> None:
    browser = browse(MANAGER)
    assert "80 deals lost" in browser.get(REVIEW).text
    assert browser.get(f"{REVIEW}&team=South").status_code == 422


def test_rep_gets_no_review(browse: Browse) -> None:
    assert browse(REP).get(REVIEW).status_code == 403


@pytest.mark.usefixtures("told")
def test_month_and_team_can_be_chosen(browse: Browse) -> None:
    answer = browse(LEADER).get("/losses/pack")
    assert answer.status_code == 200
    assert re.findall(r"<option>(\w+)</option>", answer.text) == ["North", "South"]
    assert 'type="month"' in answer.text


@pytest.mark.usefixtures("told")
def test_wrong_month_keeps_what_was_filled_in(browse: Browse) -> None:
    answer = browse(LEADER).get("/losses/pack?month=soon&team=North")
    assert answer.status_code == 422
    assert 'value="soon" placeholder="2026-10" aria-invalid="true" aria-describedby="month-fault"' in answer.text
    assert "<option selected>North</option>" in answer.text


def test_rep_agrees_and_takes_it_back(rep: TestClient, database: Database) -> None:
    deal_id = re.findall(r'action="/deals/(D\d+)/story-consent"', rep.get("/losses/mine").text)[0]
    assert send(rep, f"/deals/{deal_id}/story-consent", page="1") == 303
    assert agreed(database) == [deal_id]
    assert f"/deals/{deal_id}/story-consent/withdraw" in rep.get("/losses/mine").text
    assert send(rep, f"/deals/{deal_id}/story-consent/withdraw") == 303
    assert agreed(database) == []


def test_agreeing_twice_is_agreeing_once(rep: TestClient, database: Database) -> None:
    assert [send(rep, "/deals/D0/story-consent") for _ in range(2)] == [303, 303]
    assert agreed(database) == ["D0"]


def test_deal_of_somebody_else_cannot_be_agreed_to(rep: TestClient, losses: AddLosses, database: Database) -> None:
    losses(1, owner="Owner 2")
    assert send(rep, "/deals/D2/story-consent") == 404
    assert send(rep, "/deals/D2/story-consent/withdraw") == 404
    assert agreed(database) == []


def test_leader_cannot_agree_for_a_rep(browse: Browse, losses: AddLosses, database: Database) -> None:
    losses(1, owner="Owner 1")
    assert send(browse(LEADER), "/deals/D0/story-consent") == 404
    assert agreed(database) == []


def test_agreement_needs_a_form_of_ours(rep: TestClient, database: Database) -> None:
    assert rep.post("/deals/D0/story-consent", data={FORM_FIELD: "another"}).status_code == 403
    assert agreed(database) == []


def test_rep_comes_back_to_the_page_they_were_on(rep: TestClient) -> None:
    form = {FORM_FIELD: rep.cookies[COOKIE], "page": "3"}
    assert rep.post("/deals/D0/story-consent", data=form).headers["location"] == "/losses/mine?page=3"
