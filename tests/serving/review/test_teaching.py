from __future__ import annotations

import numpy as np

from lossnlp.taxonomy import get_default_taxonomy
from serving.review.teaching import confidences_of, count_judged, find_teaching
from serving.store import Database
from tests.serving.review.desk_world import AddReview, Judge, People

TAXONOMY = get_default_taxonomy()


def test_seldom_judged_reasons_come_first(
    database: Database, people: People, add_review: AddReview, judge: Judge
) -> None:
    for number in range(3):
        judge(people.ana, add_review(f"judged-{number}", "price"))
    common = add_review("common", "price", uncertainty=0.5)
    rare = add_review("rare", "legal", uncertainty=0.5)
    with database.reading() as session:
        assert find_teaching(session, TAXONOMY, count=2) == [rare, common]


def test_only_what_waits_is_chosen(database: Database, people: People, add_review: AddReview, judge: Judge) -> None:
    judge(people.ana, add_review("judged", "price"))
    with database.reading() as session:
        assert find_teaching(session, TAXONOMY, count=5) == []


def test_deals_read_alike_do_not_follow_one_another(database: Database, add_review: AddReview) -> None:
    first = add_review("d-1", "price", uncertainty=0.9)
    twin = add_review("d-2", "price", uncertainty=0.9)
    other = add_review("d-3", "timing", uncertainty=0.2)
    with database.reading() as session:
        assert find_teaching(session, TAXONOMY, count=3) == [first, other, twin]


def test_verdicts_that_hold_are_counted_by_reason(
    database: Database, people: People, add_review: AddReview, judge: Judge
) -> None:
    judge(people.ana, add_review("d-1", "price"))
    judge(people.ana, add_review("d-2", "timing"))
    judge(people.ben, add_review("d-3", "timing"))
    with database.reading() as session:
        assert count_judged(session) == {"price": 1, "timing": 2}


def test_deals_nobody_can_tell_are_no_labels(
    database: Database, people: People, add_review: AddReview, judge: Judge
) -> None:
    judge(people.ana, add_review("d-1", "price"), "cannot_tell")
    with database.reading() as session:
        assert count_judged(session) == {}


def test_vectors_hold_reasons_and_elements() -> None:
    element = {"state": "gap", "confidence": 0.6}
    silent = {"state": "not_mentioned", "confidence": 0.9}
    reading = {"reasons": [{"code": "price", "confidence": 0.8}], "meddpicc": {"champion": element, "metrics": silent}}
    (vector,) = confidences_of([reading], TAXONOMY)
    assert len(vector) == len(TAXONOMY.codes) + len(TAXONOMY.element_codes)
    assert sorted(vector[np.flatnonzero(vector)].tolist()) == [0.6, 0.8]
