"""The rules of writing back: accepted values only, never over a person's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lossnlp.assessment import Assessment
from serving.crm.rules import CONFIDENCE, EVIDENCE, PRIMARY_REASON, WriteRules
from serving.openapi import EXAMPLE_ANSWER
from serving.writeback import decide, decide_undo, plan_values

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BUDGET = {"code": "budget", "label": "Budget", "group": "price_budget", "primary": False, "confidence": 0.8}


RENEWING = WriteRules(default="if_ours")


def read(**changes: Any) -> Assessment:
    return Assessment.model_validate({**EXAMPLE_ANSWER, **changes})


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("primary_reason", "lossnlp_primary_reason", "price"),
        ("meddpicc.metrics", "lossnlp_gap_metrics", "gap"),
        ("meddpicc.champion", "lossnlp_gap_champion", "not_mentioned"),
        ("external_only", "lossnlp_external_only", True),
        ("rep_buyer_conflict", "lossnlp_rep_buyer_conflict", True),
        ("winback", "lossnlp_winback", "open"),
        ("revisit_on", "lossnlp_revisit_on", "2027-02-01"),
        ("competitor", "lossnlp_rival", "Gong"),
    ],
)
def test_accepted_name_becomes_crm_field(name: str, field: str, value: object) -> None:
    values = plan_values(read(accepted=[name]), assessed_at=AT)
    assert values[field] == value
    assert len(values) == (6 if name == "primary_reason" else 4)


def test_nothing_accepted_plans_nothing() -> None:
    assert plan_values(read(accepted=[]), assessed_at=AT) == {}


def test_accepted_contributing_reasons_are_joined() -> None:
    reasons = [*EXAMPLE_ANSWER["reasons"], BUDGET, {**BUDGET, "code": "timing"}, {**BUDGET, "code": "in_house"}]
    values = plan_values(
        read(reasons=reasons, accepted=["reasons.budget", "reasons.timing", "reasons.price"]), assessed_at=AT
    )
    assert values["lossnlp_contributing_reasons"] == "budget;timing"


def test_values_say_where_they_come_from() -> None:
    values = plan_values(read(accepted=["primary_reason"]), assessed_at=AT)
    assert values[CONFIDENCE] == 0.91
    assert values[EVIDENCE] == "Lost to Gong on price"
    assert values["lossnlp_model_version"] == "1.0.0"
    assert values["lossnlp_assessed_at"] == "2026-11-20T12:00:00+00:00"
    assert values["lossnlp_review_state"] == "waiting"


def test_unread_value_is_not_planned() -> None:
    winback = {"state": "open", "confidence": 0.7}
    assert plan_values(read(winback=winback, accepted=["revisit_on"]), assessed_at=AT) == {}


def test_incumbent_is_rival_without_winner() -> None:
    rival = {**EXAMPLE_ANSWER["competitors"][0], "role": "incumbent", "name": "SAP"}
    values = plan_values(read(competitors=[rival], accepted=["competitor"]), assessed_at=AT)
    assert values["lossnlp_rival"] == "SAP"


def test_empty_field_is_written() -> None:
    assert decide({"a": 1.0, "b": "x"}, current={"b": ""}, ours={}).write == {"a": 1.0, "b": "x"}


def test_own_value_is_replaced() -> None:
    decision = decide({"a": "new"}, current={"a": "old"}, ours={"a": ["old"]}, rules=RENEWING)
    assert (decision.write, decision.before) == ({"a": "new"}, {"a": "old"})


def test_foreign_value_is_kept() -> None:
    decision = decide({"a": "new"}, current={"a": "theirs"}, ours={"a": ["old"]})
    assert (decision.write, decision.kept) == ({}, {"a": "theirs"})


def test_same_value_is_left_alone() -> None:
    decision = decide({"a": "x"}, current={"a": "x"}, ours={})
    assert (decision.write, decision.kept) == ({}, {})


def test_false_of_person_is_kept() -> None:
    assert decide({"a": True}, current={"a": False}, ours={}).kept == {"a": False}


def test_kept_reason_keeps_our_confidence_out() -> None:
    decision = decide({PRIMARY_REASON: "price", CONFIDENCE: 0.9}, current={PRIMARY_REASON: "budget"}, ours={})
    assert decision.write == {}


@pytest.mark.parametrize("policy", ["if_empty", "never"])
def test_own_value_stays_unless_it_may_be_replaced(policy: Any) -> None:
    decision = decide({"a": "new"}, current={"a": "old"}, ours={"a": ["old"]}, rules=WriteRules(default=policy))
    assert (decision.write, decision.kept) == ({}, {})


def test_a_field_that_is_never_written_stays_empty() -> None:
    rules = WriteRules({"a": "never"})
    assert decide({"a": "x", "b": "y"}, current={}, ours={}, rules=rules).write == {"b": "y"}


def test_older_reason_keeps_its_confidence() -> None:
    planned = {PRIMARY_REASON: "price", CONFIDENCE: 0.9, "lossnlp_model_version": "2"}
    ours: dict[str, list[Any]] = {PRIMARY_REASON: ["budget"], CONFIDENCE: [0.8], "lossnlp_model_version": ["1"]}
    current = {PRIMARY_REASON: "budget", CONFIDENCE: 0.8, "lossnlp_model_version": "1"}
    assert decide(planned, current=current, ours=ours).write == {}


def test_model_version_follows_a_value_that_is_written() -> None:
    planned = {PRIMARY_REASON: "price", "lossnlp_winback": "open", "lossnlp_model_version": "2"}
    ours: dict[str, list[Any]] = {"lossnlp_winback": ["open"], "lossnlp_model_version": ["1"]}
    current = {PRIMARY_REASON: "timing", "lossnlp_winback": "open", "lossnlp_model_version": "1"}
    assert decide(planned, current=current, ours=ours).write == {"lossnlp_model_version": "2"}


def test_model_version_does_not_stand_alone() -> None:
    planned = {PRIMARY_REASON: "price", "lossnlp_model_version": "2"}
    assert decide(planned, current={PRIMARY_REASON: "timing"}, ours={}).write == {}


def test_several_reasons_in_another_order_are_the_same() -> None:
    field = "lossnlp_contributing_reasons"
    assert decide({field: "a;b"}, current={field: "b;a"}, ours={}, rules=RENEWING) == decide({}, current={}, ours={})


def test_value_no_longer_offered_is_cleared() -> None:
    ours: dict[str, list[Any]] = {"a": ["old"], "b": ["x"]}
    decision = decide({"a": "new"}, current={"a": "old", "b": "x"}, ours=ours, rules=RENEWING)
    assert decision.write == {"a": "new", "b": None}
    assert decision.before == {"a": "old", "b": "x"}


def test_clearing_leaves_a_persons_value() -> None:
    decision = decide({"a": "new"}, current={"b": "theirs"}, ours={"b": ["x"]}, rules=RENEWING)
    assert (decision.write, decision.kept) == ({"a": "new"}, {})


def test_empty_field_is_not_cleared_again() -> None:
    assert decide({}, current={"a": ""}, ours={"a": ["x"], "b": ["y"]}, rules=RENEWING).write == {}


def test_kept_reason_clears_our_old_confidence() -> None:
    planned = {PRIMARY_REASON: "price", CONFIDENCE: 0.9}
    ours = {PRIMARY_REASON: ["budget"], CONFIDENCE: [0.8]}
    decision = decide(planned, current={PRIMARY_REASON: "timing", CONFIDENCE: 0.8}, ours=ours)
    assert (decision.write, decision.kept) == ({CONFIDENCE: None}, {PRIMARY_REASON: "timing"})


def test_undo_brings_cleared_value_back() -> None:
    undone = decide_undo({"a": None, "b": None}, before={"a": "x", "b": "y"}, current={"a": "", "b": "theirs"})
    assert (undone.write, undone.kept) == ({"a": "x"}, {"b": "theirs"})


def test_undo_touches_only_our_values() -> None:
    undone = decide_undo({"a": 1.0, "b": "x"}, before={"a": None, "b": "w"}, current={"a": 2.0, "b": "x"})
    assert (undone.write, undone.kept) == ({"b": "w"}, {"a": 2.0})


def test_confidence_does_not_stand_beside_a_persons_reason_that_agrees() -> None:
    planned = {PRIMARY_REASON: "price", CONFIDENCE: 0.9}
    assert decide(planned, current={PRIMARY_REASON: "price"}, ours={}).write == {}


def test_undone_fields_are_not_told_as_changed() -> None:
    undone = decide_undo({"a": "x", "b": False}, before={"a": "w", "b": None}, current={"a": "w"})
    assert (undone.write, undone.kept) == ({"b": None}, {})


def test_undo_says_what_really_stands_there() -> None:
    undone = decide_undo({"a": "a quote"}, before={}, current={"a": "a quote\r\n"})
    assert undone.before == {"a": "a quote\r\n"}


@pytest.mark.parametrize("back", ["a quote", "a quote\r\n", " a quote"])
def test_text_that_a_crm_trims_is_still_ours(back: str) -> None:
    assert decide_undo({"a": "a quote"}, before={}, current={"a": back}).write == {"a": None}
