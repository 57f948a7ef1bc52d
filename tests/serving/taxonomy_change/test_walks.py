"""The way of codes through changes, and of what is written with them."""

from __future__ import annotations

from typing import Any

from lossnlp.deal import Deal
from serving.review.verdict import VerdictLabels
from serving.store import Database
from serving.taxonomy_change.applying import Batches
from serving.taxonomy_change.carrying import carry_assessment, carry_labels
from serving.taxonomy_change.changes import NewList
from serving.taxonomy_change.walks import AppliedStep, carry, find_steps

FIRST = AppliedStep("one", "1", "2", {"a": ("b",), "c": ("c", "d"), "e": ()})
SECOND = AppliedStep("two", "2", "3", {"b": ("f",), "c": ("f",), "x": ("f",)})


def read(assessor: Any, text: str) -> Any:
    return assessor.assess(Deal.from_request({"id": "D", "text": text}))


def test_certain_codes_go_all_the_way() -> None:
    carried = carry(["a", "x", "z"], [FIRST, SECOND])
    assert carried.codes == ("f", "z")
    assert (carried.open, carried.open_version) == ({}, None)


def test_open_code_stays_whatever_comes_later() -> None:
    carried = carry(["c", "e", "b"], [FIRST, SECOND])
    assert carried.codes == ("c", "e", "f")
    assert (carried.open, carried.open_version) == ({"c": ("c", "d"), "e": ()}, "1")


def test_each_change_tells_what_it_moved() -> None:
    moves = carry(["a", "c"], [FIRST, SECOND]).moves
    assert [(move.change_id, move.before, move.after, move.open) for move in moves] == [
        ("one", ("a", "c"), ("b", "c"), ("c",)),
        ("two", ("b", "c"), ("f", "c"), ()),
    ]


def test_no_change_leads_to_an_older_list(batches: Batches, new: NewList, database: Database) -> None:
    batches.apply(new, by="ana")
    with database.reading() as session:
        assert [step.to_version for step in find_steps(session, "1", until="2")] == ["2"]
        assert find_steps(session, "2", until="1") == ()
        assert find_steps(session, "1", until="1") == ()


def test_reading_is_accepted_in_its_new_codes_alone(
    batches: Batches, new: NewList, database: Database, assessor: Any
) -> None:
    batches.apply(new, by="ana")
    with database.reading() as session:
        certain = carry_assessment(session, read(assessor, "no budget and a high price"), new.taxonomy)
        is_open = carry_assessment(session, read(assessor, "their legal team said no"), new.taxonomy)
    assert [(reason.code, reason.label, len(reason.evidence)) for reason in certain.assessment.reasons] == [
        ("money", "Money", 2)
    ]
    assert "primary_reason" in certain.assessment.accepted
    assert "primary_reason" not in is_open.assessment.accepted
    assert is_open.open == {"procurement_legal": ("legal_terms", "procurement_legal")}


def test_verdicts_evidence_follows_its_reason(
    batches: Batches, new: NewList, database: Database, assessor: Any
) -> None:
    batches.apply(new, by="ana")
    quotes = read(assessor, "the price was high").reasons[0].evidence
    labels = VerdictLabels(reasons=("price", "timing"), evidence={"price": quotes, "winback": quotes})
    with database.reading() as session:
        newest, carried = carry_labels(session, labels, "1")
    assert newest.reasons == ("money", "not_now")
    assert newest.evidence == {"money": quotes, "winback": quotes}
    assert carried.open_version is None
