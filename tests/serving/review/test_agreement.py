"""How much two people agree on the deals that both have judged."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lossnlp.taxonomy import get_default_taxonomy
from serving.review.agreement import AgreementReport, measure, report_agreement
from serving.review.verdict import VerdictLabels
from serving.store import Database, now
from tests.serving.review.desk_world import AddReview, Judge, People, SignIn

PRICE, TIMING = VerdictLabels(reasons=("price",), winback="open"), VerdictLabels(reasons=("timing",), winback="open")


@pytest.fixture
def report(database: Database):
    def make() -> AgreementReport:
        with database.reading() as session:
            return report_agreement(session, get_default_taxonomy(), at=now() + timedelta(seconds=1))

    return make


def test_kappa_takes_chance_away() -> None:
    found = measure({("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15})
    assert (found.pairs, found.share, found.kappa) == (50, 0.7, pytest.approx(0.4))


def test_one_value_alone_has_no_kappa() -> None:
    found = measure({("yes", "yes"): 7})
    assert (found.share, found.kappa) == (1.0, None)


def test_no_pairs_give_no_figure() -> None:
    assert measure({}).kappa is None


def test_opposite_values_are_below_chance() -> None:
    assert measure({("yes", "no"): 5, ("no", "yes"): 5}).kappa == -1.0


def test_both_verdicts_count_as_pair(add_review: AddReview, judge: Judge, people: People, report) -> None:
    for deal, first, second in (("A", PRICE, PRICE), ("B", TIMING, TIMING), ("C", PRICE, TIMING)):
        review = add_review(deal, wanted=2)
        judge(people.ana, review, "change", first)
        judge(people.ben, review, "change", second)
    found = report().fields[0]
    assert found.label == "Primary reason"
    assert (found.overall.pairs, found.overall.share) == (3, pytest.approx(2 / 3))
    assert found.by_month[-1] == found.overall
    assert found.overall.is_few


def test_single_verdicts_are_no_pair(add_review: AddReview, judge: Judge, people: People, report) -> None:
    judge(people.ana, add_review("once"))
    judge(people.ana, add_review("half", wanted=2))
    assert report().pairs == 0


def test_second_thoughts_do_not_raise_agreement(add_review: AddReview, judge: Judge, people: People, report) -> None:
    review = add_review("A", wanted=2)
    judge(people.ana, review, "change", PRICE)
    judge(people.ben, review, "change", TIMING)
    judge(people.ben, review, "change", PRICE)
    judge(people.admin, review, "change", PRICE)
    assert (report().pairs, report().fields[0].overall.share) == (1, 0.0)


def test_elements_and_flags_are_compared(add_review: AddReview, judge: Judge, people: People, report) -> None:
    review = add_review("A", wanted=2)
    judge(
        people.ana,
        review,
        "change",
        PRICE.model_copy(update={"meddpicc": {"champion": "gap"}, "insufficient_detail": True}),
    )
    judge(people.ben, review, "change", PRICE.model_copy(update={"insufficient_detail": True}))
    shares = {field.label: field.overall.share for field in report().fields}
    assert shares["MEDDPICC: Champion"] == 0.0
    assert shares["MEDDPICC: Metrics"] == 1.0
    assert shares["Note says too little"] == 1.0
    assert shares["Whom the note holds responsible"] is None


def test_cannot_tell_is_a_reason_alone(add_review: AddReview, judge: Judge, people: People, report) -> None:
    review = add_review("A", wanted=2)
    judge(people.ana, review, "cannot_tell")
    judge(people.ben, review, "cannot_tell")
    found = {field.label: field.overall for field in report().fields}
    assert found["Primary reason"].share == 1.0
    assert found["Win-back"].pairs == 0


def test_page_marks_few_deals(add_review: AddReview, judge: Judge, signed_in: SignIn, people: People) -> None:
    client = signed_in(people.ana)
    assert "No deal has been judged by two people" in client.get("/review/agreement").text
    review = add_review("A", wanted=2)
    judge(people.ana, review, "change", PRICE)
    judge(people.ben, review, "change", TIMING)
    page = client.get("/review/agreement").text
    assert "0.00* <small>n 1, 0 %" in page
    assert "Fewer than 20 deals" in page
