from __future__ import annotations

import re

import pytest

from lossnlp.assessment import ElementReading, GapState, Reason
from lossnlp.questions import coaching_questions
from lossnlp.taxonomy import get_default_taxonomy

TAXONOMY = get_default_taxonomy()
QUESTION = {element.code: element.question for element in TAXONOMY.elements}


def _reason(code: str, *, primary: bool = True) -> Reason:
    found = TAXONOMY.get_reason(code)
    return Reason(code=code, label=found.label, group=found.group, primary=primary, confidence=0.9)


def _profile(**states: GapState) -> dict[str, ElementReading]:
    return {
        code: ElementReading(state=states.get(code, "not_mentioned"), confidence=0.9) for code in TAXONOMY.element_codes
    }


def _all_covered(**states: GapState) -> dict[str, ElementReading]:
    covered: dict[str, GapState] = dict.fromkeys(TAXONOMY.element_codes, "covered")
    return _profile(**{**covered, **states})


@pytest.mark.parametrize(
    ("code", "element"),
    [
        ("price", "metrics"),
        ("no_decision", "identify_pain"),
        ("procurement_legal", "paper_process"),
        ("competitor", "competition"),
    ],
)
def test_primary_reason_leads_the_gaps(code: str, element: str) -> None:
    profile = _profile(**dict.fromkeys(TAXONOMY.element_codes, "gap"))
    assert coaching_questions(TAXONOMY, profile, [_reason(code)])[0] == QUESTION[element]


def test_gaps_come_before_open_elements() -> None:
    asked = coaching_questions(TAXONOMY, _profile(champion="gap"), [_reason("price")], most=9)
    assert asked.index(QUESTION["champion"]) < asked.index(QUESTION["metrics"])


@pytest.mark.parametrize(
    ("stage", "element"), [("Discovery call", "identify_pain"), ("04 - Negotiation", "paper_process")]
)
def test_stage_at_loss_orders_elements(stage: str, element: str) -> None:
    assert coaching_questions(TAXONOMY, _profile(), [], stage=stage)[0] == QUESTION[element]


def test_covered_elements_are_never_asked() -> None:
    asked = coaching_questions(TAXONOMY, _all_covered(metrics="gap"), [_reason("price")], most=9)
    assert [question for question in asked if question in QUESTION.values()] == [QUESTION["metrics"]]


def test_administrative_deal_gets_no_question() -> None:
    assert coaching_questions(TAXONOMY, _profile(metrics="gap"), [_reason("administrative")]) == ()


def test_secondary_reason_does_not_lead() -> None:
    reasons = [_reason("budget"), _reason("administrative", primary=False)]
    assert coaching_questions(TAXONOMY, _profile(), reasons) != ()


@pytest.mark.parametrize("most", [0, 1, 4])
def test_no_more_questions_than_wanted(most: int) -> None:
    assert len(coaching_questions(TAXONOMY, _profile(), [_reason("timing")], most=most)) == most


def test_thin_note_is_asked_what_happened() -> None:
    plain = coaching_questions(TAXONOMY, _profile(), [_reason("unknown")])
    thin = coaching_questions(TAXONOMY, _profile(), [_reason("unknown")], is_insufficient=True)
    assert thin[1:] == plain[:-1]


@pytest.mark.parametrize("code", [code for code in TAXONOMY.codes if code != "administrative"])
def test_every_reason_has_own_question(code: str) -> None:
    asked = coaching_questions(TAXONOMY, _all_covered(), [_reason(code)])
    assert len(asked) >= 1


@pytest.mark.parametrize("code", TAXONOMY.codes)
def test_questions_never_blame(code: str) -> None:
    asked = coaching_questions(TAXONOMY, _profile(), [_reason(code)], is_insufficient=True, most=20)
    assert not [
        question
        for question in asked
        if re.search(r"\b(?:you|your|fault|fail|should have)\b|why did", question, re.IGNORECASE)
    ]


@pytest.mark.parametrize("code", TAXONOMY.codes)
def test_questions_are_short_questions(code: str) -> None:
    asked = coaching_questions(TAXONOMY, _profile(), [_reason(code)], is_insufficient=True, most=20)
    assert all(question.endswith("?") and len(question) <= 130 for question in asked)
