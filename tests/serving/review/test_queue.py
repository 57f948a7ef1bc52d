"""What waits, in which order, and how the page of the queue shows it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from serving.people.access import FORM_FIELD
from serving.review.queue import PAGE_SIZE, Asked, count_by, find_page
from serving.review.queue_view import QueueView, parse_view
from serving.store import Database, now
from tests.serving.review.desk_world import AddReview, Judge, People, SignIn, viewer_for


@pytest.fixture
def in_order(database: Database, people: People):
    """Gives the ids of the deals that Ana is shown."""

    def find(view: QueueView | None = None, person=people.ana) -> list[str]:
        with database.reading() as session:
            return [one.review.deal_id for one in find_page(session, Asked.by(viewer_for(person), view or QueueView()))]

    return find


def test_uncertainty_times_amount_comes_first(add_review: AddReview, in_order) -> None:
    add_review("small", fields={"amount": 100}, uncertainty=0.9)
    add_review("large", fields={"amount": 1000}, uncertainty=0.2)
    add_review("sure", fields={"amount": 1000}, uncertainty=0.05)
    assert in_order() == ["large", "small", "sure"]


def test_unknown_amount_counts_as_mean(add_review: AddReview, in_order) -> None:
    add_review("100", fields={"amount": 100}, uncertainty=0.5)
    add_review("unknown", uncertainty=0.5)
    add_review("300", fields={"amount": 300}, uncertainty=0.5)
    assert in_order() == ["300", "unknown", "100"]


def test_without_amounts_uncertainty_decides(add_review: AddReview, in_order) -> None:
    add_review("sure", uncertainty=0.1)
    add_review("unsure", uncertainty=0.8)
    assert in_order() == ["unsure", "sure"]


@pytest.mark.parametrize(("order", "first"), [("uncertainty", "A"), ("amount", "B"), ("oldest", "C")])
def test_order_can_be_switched(order: str, first: str, add_review: AddReview, in_order) -> None:
    add_review("A", fields={"amount": 1}, uncertainty=0.9)
    add_review("B", fields={"amount": 900}, uncertainty=0.1)
    add_review("C", uncertainty=0.1, created_at=now() - timedelta(days=9))
    assert in_order(QueueView(order=order))[0] == first


def test_seldom_judged_reason_teaches_most(add_review: AddReview, judge: Judge, in_order, people: People) -> None:
    for deal in ("P-1", "P-2", "P-3"):
        judge(people.ana, add_review(deal, "price"))
    add_review("P-4", "price", uncertainty=0.6)
    add_review("L-1", "legal", uncertainty=0.5)
    assert in_order(QueueView(order="teaches")) == ["L-1", "P-4"]


def test_one_reason_does_not_fill_page(add_review: AddReview, in_order) -> None:
    for place in range(7):
        add_review(f"P-{place}", "price", uncertainty=0.9)
    add_review("L-1", "legal", uncertainty=0.1)
    assert in_order(QueueView(order="teaches"))[5] == "L-1"


def test_filters_narrow_the_queue(add_review: AddReview, in_order) -> None:
    add_review("P", "price", fields={"team": "North"}, causes=["audit_sample"])
    add_review("L", "legal", fields={"team": "South"}, created_at=now() - timedelta(days=8))
    add_review("M", "timing", model_version="keywords-2")
    assert in_order(QueueView(reason="price")) == ["P"]
    assert in_order(QueueView(cause="audit_sample")) == ["P"]
    assert in_order(QueueView(team="South")) == ["L"]
    assert in_order(QueueView(older=7)) == ["L"]
    assert in_order(QueueView(model="keywords-2")) == ["M"]


def test_counts_leave_their_own_filter_out(add_review: AddReview, database: Database, people: People) -> None:
    add_review("P-1", "price", causes=["audit_sample", "rep_buyer_conflict"])
    add_review("P-2", "price", causes=["audit_sample"])
    add_review("L-1", "legal", causes=["rep_buyer_conflict"])
    asked = Asked.by(viewer_for(people.ana), QueueView(reason="price"))
    with database.reading() as session:
        assert count_by(session, asked, "reason") == {"price": 2, "procurement_legal": 1}
        assert count_by(session, asked, "cause") == {"audit_sample": 2, "rep_buyer_conflict": 1}


def test_own_first_verdict_hides_the_second(add_review: AddReview, judge: Judge, in_order, people: People) -> None:
    review = add_review("twice", wanted=2)
    judge(people.ana, review)
    assert in_order() == []
    assert in_order(person=people.ben) == ["twice"]


def test_differing_verdicts_wait_for_anyone(add_review: AddReview, judge: Judge, in_order, people: People) -> None:
    review = add_review("twice", wanted=2)
    judge(people.ana, review)
    judge(people.ben, review, "cannot_tell")
    assert in_order() == in_order(person=people.ben) == ["twice"]


def test_held_deals_of_others_show_on_demand(add_review: AddReview, in_order, people: People) -> None:
    add_review("held", claimed_by_id=people.ben.id, claimed_until_at=now() + timedelta(minutes=5))
    assert in_order() == []
    assert in_order(QueueView(has_held=True)) == ["held"]
    assert in_order(person=people.ben) == ["held"]


def test_view_survives_its_own_query() -> None:
    view = QueueView("teaches", reason="price", team="Süd & Ost", older=3, has_held=True, page=2)
    pairs = dict(pair.split("=") for pair in view.query.split("&"))
    assert pairs["team"] == "S%C3%BCd+%26+Ost"
    assert parse_view({**pairs, "team": "Süd & Ost"}) == (view, {})


def test_page_says_what_waits(add_review: AddReview, signed_in: SignIn, people: People) -> None:
    fields = {"amount": 42_000, "currency": "EUR", "account": "Nordwind <Logistics>", "team": "North"}
    review = add_review("D-1", fields=fields, uncertainty=0.31, causes=["rep_buyer_conflict"])
    page = signed_in(people.ana).get("/review?team=North").text
    assert f'href="/review/deals/{review}?team=North"' in page
    for words in (
        "Nordwind &lt;Logistics&gt;",
        "42 k EUR",
        "69 %",
        "Note and buyer tell different reasons",
        "1 deal waits",
    ):
        assert words in page


def test_page_says_who_holds_it(add_review: AddReview, signed_in: SignIn, people: People) -> None:
    until = now() + timedelta(minutes=5)
    add_review("D-1", claimed_by_id=people.ben.id, claimed_until_at=until)
    assert f"Ben, until {until:%H:%M} UTC" in signed_in(people.ana).get("/review?held=all").text


def test_second_page_goes_on(add_review: AddReview, signed_in: SignIn, people: People) -> None:
    for number in range(PAGE_SIZE + 1):
        add_review(f"D-{number}", uncertainty=0.9 - number / 100)
    client = signed_in(people.ana)
    assert 'href="/review?page=2"' in client.get("/review").text
    last = client.get("/review?page=99").text
    assert "page 2 of 2" in last
    assert last.count('class="deal"') == 1


def test_wrong_age_says_so_at_field(add_review: AddReview, signed_in: SignIn, people: People) -> None:
    add_review("D-1", fields={"team": "North"})
    page = signed_in(people.ana).get("/review?older=soon&team=North").text
    assert 'id="older-fault">Give whole days, 1 to 3,650.' in page
    assert 'value="soon"' in page
    assert '<option value="North" selected>' in page


@pytest.mark.parametrize("role", ["rep", "manager", "leader"])
def test_queue_is_for_ops_alone(role: str, signed_in: SignIn, people: People) -> None:
    client = signed_in(getattr(people, role))
    for path in ("/review", "/review/next", "/review/agreement"):
        assert client.get(path).status_code == 403
    assert client.post("/review/1/claim").status_code == 403


def test_admin_sees_the_queue(signed_in: SignIn, people: People) -> None:
    assert signed_in(people.admin).get("/review").status_code == 200


def test_empty_desk_says_what_to_do(signed_in: SignIn, people: People) -> None:
    assert "No deal has come in yet" in signed_in(people.ana).get("/review").text


def test_all_done_says_so(add_review: AddReview, judge: Judge, signed_in: SignIn, people: People) -> None:
    judge(people.ana, add_review("D-1"))
    client = signed_in(people.ana)
    assert "All done" in client.get("/review").text
    assert "No deal that waits fits these filters" in client.get("/review?reason=price").text


def test_rest_held_by_others_is_told(add_review: AddReview, signed_in: SignIn, people: People) -> None:
    add_review("D-1", claimed_by_id=people.ben.id, claimed_until_at=now() + timedelta(minutes=5))
    page = signed_in(people.ana).get("/review?reason=price").text
    assert 'href="/review?reason=price&amp;held=all"' in page


def test_saved_filter_opens_again(signed_in: SignIn, people: People) -> None:
    client = signed_in(people.ana)
    answer = client.post("/review/filters", data={"name": " Price,  old ", "query": "reason=price&older=7&page=3"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/review?reason=price&older=7&page=3")
    assert '<a href="/review?reason=price&amp;older=7">Price, old</a>' in client.get("/review").text
    assert "Price, old" not in signed_in(people.ben).get("/review").text


def test_same_name_replaces_saved_filter(signed_in: SignIn, people: People) -> None:
    client = signed_in(people.ana)
    for query in ("reason=price", "reason=timing"):
        client.post("/review/filters", data={"name": "Mine", "query": query})
    page = client.get("/review").text
    assert 'href="/review?reason=timing">Mine</a>' in page
    assert 'href="/review?reason=price">Mine</a>' not in page


def test_nameless_filter_keeps_what_was_chosen(signed_in: SignIn, people: People) -> None:
    answer = signed_in(people.ana).post("/review/filters", data={"name": "  ", "query": "reason=price"})
    assert answer.status_code == 422
    assert "Give the filter a name." in answer.text
    assert '<option value="price" selected>' in answer.text


def test_only_own_filter_is_deleted(signed_in: SignIn, people: People) -> None:
    ana, ben = signed_in(people.ana), signed_in(people.ben)
    ana.post("/review/filters", data={"name": "Mine", "query": "reason=price"})
    ben.post("/review/filters/1/delete", data={"query": ""})
    assert ">Mine</a>" in ana.get("/review").text
    ana.post("/review/filters/1/delete", data={"query": ""})
    assert ">Mine</a>" not in ana.get("/review").text


def test_form_without_token_is_refused(signed_in: SignIn, people: People) -> None:
    client = signed_in(people.ana)
    client.headers.pop("x-form-token")
    form = {"name": "Mine", "query": "", FORM_FIELD: "another"}
    assert client.post("/review/filters", data=form).status_code == 403


def test_odd_query_is_no_fault(add_review: AddReview, signed_in: SignIn, people: People) -> None:
    add_review("D-1")
    client = signed_in(people.ana)
    for query in ("order=none", "page=-1", "page=99999999999", "older=%C2%B2", "reason=none"):
        assert client.get(f"/review?{query}").status_code == 200
