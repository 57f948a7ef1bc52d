"""Claims: a deal is one person's at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from serving.people.access import Viewer
from serving.review.claims import CLAIM, claim_review, find_hold, find_next, release_review
from serving.review.queue_view import QueueView
from serving.store import Database, now
from tests.serving.review.desk_world import AddReview, Judge, People, SignIn, viewer_for

UNSURE = QueueView("uncertainty")


@pytest.fixture
def ana(people: People) -> Viewer:
    return viewer_for(people.ana)


@pytest.fixture
def ben(people: People) -> Viewer:
    return viewer_for(people.ben)


@pytest.fixture
def take_next(database: Database):
    def take(viewer: Viewer, after: int | None = None, view: QueueView = UNSURE) -> int | None:
        with database.writing() as session:
            taken = find_next(session, viewer, view, after=after)
            session.commit()
            return taken

    return take


def test_opening_holds_for_fifteen_minutes(add_review: AddReview, database: Database, ana: Viewer) -> None:
    review, at = add_review("D-1"), now()
    with database.writing() as session:
        hold = claim_review(session, ana, review, at=at)
    assert hold is not None
    assert (hold.name, hold.is_mine, hold.until_at) == ("Ana", True, at + CLAIM)


def test_second_person_sees_who_holds(add_review: AddReview, database: Database, ana: Viewer, ben: Viewer) -> None:
    review, at = add_review("D-1"), now()
    with database.writing() as session:
        claim_review(session, ana, review, at=at)
        hold = claim_review(session, ben, review, at=at + timedelta(minutes=14))
    assert hold is not None
    assert (hold.name, hold.is_mine, hold.until_at) == ("Ana", False, at + CLAIM)


def test_claim_runs_out(add_review: AddReview, database: Database, ana: Viewer, ben: Viewer) -> None:
    review, at = add_review("D-1"), now()
    with database.writing() as session:
        claim_review(session, ana, review, at=at)
        hold = claim_review(session, ben, review, at=at + CLAIM)
    assert hold is not None
    assert hold.is_mine


def test_judged_review_is_not_claimed(
    add_review: AddReview, judge: Judge, database: Database, people: People, ben: Viewer
) -> None:
    review = add_review("D-1")
    judge(people.ana, review)
    with database.writing() as session:
        assert claim_review(session, ben, review) is None


def test_first_judge_holds_no_second_verdict(
    add_review: AddReview, judge: Judge, database: Database, people: People, ana: Viewer
) -> None:
    review = add_review("D-1", wanted=2)
    judge(people.ana, review)
    with database.writing() as session:
        assert claim_review(session, ana, review) is None


def test_release_frees_only_that_claim(add_review: AddReview, database: Database, ana: Viewer) -> None:
    review, at = add_review("D-1"), now()
    with database.writing() as session:
        claim_review(session, ana, review, at=at)
        claim_review(session, ana, review, at=at + timedelta(seconds=1))
        release_review(session, ana, review, until_at=at + CLAIM)
        assert find_hold(session, ana, review, at=at)
        release_review(session, ana, review, until_at=at + timedelta(seconds=1) + CLAIM)
        assert find_hold(session, ana, review, at=at) is None


def test_nobody_releases_anothers_claim(add_review: AddReview, database: Database, ana: Viewer, ben: Viewer) -> None:
    review = add_review("D-1")
    with database.writing() as session:
        claim_review(session, ana, review)
        release_review(session, ben, review)
        assert find_hold(session, ben, review)


def test_next_goes_in_order(add_review: AddReview, take_next, ana: Viewer, ben: Viewer) -> None:
    second, first = add_review("B", uncertainty=0.4), add_review("A", uncertainty=0.6)
    assert take_next(ana) == first
    assert take_next(ben) == second
    assert take_next(ana) is None


def test_next_keeps_to_the_filters(add_review: AddReview, take_next, ana: Viewer) -> None:
    add_review("P", "price", uncertainty=0.9)
    legal = add_review("L", "legal", uncertainty=0.1)
    assert take_next(ana, view=QueueView(reason="procurement_legal")) == legal


@pytest.mark.parametrize("order", ["value", "uncertainty", "amount", "oldest", "teaches"])
def test_skipped_deal_comes_last(order, add_review: AddReview, take_next, database: Database, ana: Viewer) -> None:
    reviews = {add_review(f"D-{place}", fields={"amount": 90 - place}, uncertainty=0.5) for place in range(3)}
    seen, last = [], None
    for _ in reviews:
        last = take_next(ana, after=last, view=QueueView(order))
        seen.append(last)
        with database.writing() as session:
            release_review(session, ana, last)
            session.commit()
    assert set(seen) == reviews
    assert take_next(ana, after=last, view=QueueView(order)) == seen[0]


def test_many_hands_never_get_the_same(add_review: AddReview, take_next, ana: Viewer, ben: Viewer) -> None:
    reviews = {add_review(f"D-{place}") for place in range(8)}
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(take_next, [ana, ben] * 4))
    assert sorted(taken) == sorted(reviews)


def test_next_leads_to_the_deal(add_review: AddReview, signed_in: SignIn, people: People) -> None:
    review = add_review("D-1")
    answer = signed_in(people.ana).get("/review/next?reason=price&order=oldest")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/review/deals/{review}?order=oldest&reason=price"


def test_next_of_nothing_leads_to_queue(signed_in: SignIn, people: People) -> None:
    answer = signed_in(people.ana).get("/review/next?reason=price")
    assert answer.headers["location"] == "/review?reason=price"


def test_open_page_renews_and_releases(add_review: AddReview, signed_in: SignIn, people: People) -> None:
    review, ana, ben = add_review("D-1"), signed_in(people.ana), signed_in(people.ben)
    held = ana.post(f"/review/{review}/claim").json()
    assert (held["name"], held["is_mine"]) == ("Ana", True)
    assert ben.post(f"/review/{review}/claim").json() == {**held, "is_mine": False}
    assert ana.post(f"/review/{review}/release", data={"until_at": held["until_at"]}).status_code == 204
    assert ben.post(f"/review/{review}/claim").json()["is_mine"]


def test_claim_of_nothing_gives_nulls(signed_in: SignIn, people: People) -> None:
    answer = signed_in(people.ana).post("/review/77/claim")
    assert answer.json() == {"name": None, "until_at": None, "is_mine": False}


def test_deal_page_keeps_its_claim(add_review: AddReview, signed_in: SignIn, people: People) -> None:
    review = add_review("D-1")
    page = signed_in(people.ana).get(f"/review/deals/{review}").text
    assert f'id="hold" role="status" data-review="{review}"' in page
    assert "/static/hold.js" in page
    assert 'id="hold"' not in signed_in(people.ben).get(f"/review/deals/{review}").text
