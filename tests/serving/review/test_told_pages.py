"""The page of a deal for those who sold it and their managers."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI

from serving.review import told_pages
from serving.review.verdict import VerdictLabels
from tests.serving.review.desk_world import AddReview, Judge, People, SignIn


@pytest.fixture(autouse=True)
def pages(desk_app: FastAPI) -> None:
    desk_app.include_router(told_pages.router)


def test_rep_reads_their_deal_without_figures(signed_in: SignIn, people: People, add_review: AddReview) -> None:
    add_review("D-1", fields={"owner": "Riley Rep", "account": "Nordwind"})
    page = signed_in(people.rep).get("/deals/D-1").text
    assert "What the texts say" in page
    assert "<strong>Price</strong>" in page
    assert " %" not in page
    assert "verdict" not in page.lower()
    assert not re.search(r"<(select|textarea)", page)


@pytest.mark.parametrize(
    ("name", "fields", "status"),
    [
        ("rep", {"owner": "Someone Else"}, 404),
        ("manager", {"team": "North"}, 200),
        ("manager", {"team": "South"}, 404),
        ("leader", {"team": "South"}, 200),
    ],
)
def test_deals_are_read_by_whose_they_are(
    signed_in: SignIn, people: People, add_review: AddReview, name: str, fields: dict[str, str], status: int
) -> None:
    add_review("D-1", fields=fields)
    assert signed_in(getattr(people, name)).get("/deals/D-1").status_code == status


def test_reading_follows_the_verdict(signed_in: SignIn, people: People, add_review: AddReview, judge: Judge) -> None:
    review_id = add_review("D/1", fields={"owner": "Riley Rep"})
    judge(people.ana, review_id, "change", VerdictLabels(reasons=("budget",)))
    page = signed_in(people.rep).get("/deals/D/1").text
    assert "<strong>Budget</strong>" in page
    assert "<strong>Price</strong>" not in page


def test_judge_sees_no_verdict_before_their_own(
    signed_in: SignIn, people: People, add_review: AddReview, judge: Judge
) -> None:
    review_id = add_review("D-1", wanted=2)
    judge(people.ana, review_id, "change", VerdictLabels(reasons=("budget",)))
    assert "<strong>Price</strong>" in signed_in(people.ben).get("/deals/D-1").text
    assert "<strong>Budget</strong>" in signed_in(people.ana).get("/deals/D-1").text
