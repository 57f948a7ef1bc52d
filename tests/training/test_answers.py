from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossnlp.assessment import Assessment
from lossnlp.taxonomy import get_default_taxonomy
from training.answers import Answer, as_assessment
from training.baseline import Baseline
from training.corpus import LabelledDeal, labelled_deal
from training.metrics import Judged, evaluate
from training.pictures import RELIABILITY, RISK_COVERAGE, write_pictures

Row = dict[str, Any]


def assessed(labelled: LabelledDeal, **answer: object) -> Assessment:
    said = Answer(**{"primary": "price", "confidence": 0.5, **answer})  # type: ignore[arg-type]
    return as_assessment(labelled.deal, said, peer="peer", taxonomy=get_default_taxonomy())


def test_answer_becomes_a_whole_assessment(note: LabelledDeal) -> None:
    found = assessed(note, reasons=["competitor"], states={"competition": "gap"}, attribution="external_only")
    assert [reason.code for reason in found.reasons] == ["price", "competitor"]
    assert found.meddpicc["competition"].state == "gap"
    assert found.flags.external_only.value is True
    assert found.accepted == ()


def test_right_answer_scores_full_marks(note: LabelledDeal) -> None:
    found = assessed(note, reasons=["competitor"], states={"competition": "gap"}, attribution="external_only")
    figures = evaluate([Judged(note, found)])
    names = ("primary.accuracy", "reasons.micro_f1", "meddpicc.gap_micro_f1", "external_only.f1")
    assert [figures[name] for name in names] == [1.0] * 4


def test_stated_reason_that_is_no_gold_reason_counts_as_conflict(make_note_row: Callable[..., Row]) -> None:
    row = make_note_row() | {"deal": {"stated_reason": "Timing"}}
    labelled = labelled_deal(row)
    assert evaluate([Judged(labelled, assessed(labelled))])["stated_reason_conflict.f1"] == 1.0
    agreeing = assessed(labelled, primary="timing")
    assert evaluate([Judged(labelled, agreeing)])["stated_reason_conflict.f1"] == 0.0


def test_speaker_roles_are_counted_by_turn(make_call_row: Callable[[], Row]) -> None:
    speakers = [("Dana Ortiz", "buyer"), ("Tom Hill", "other")]
    row = make_call_row() | {"speakers": [{"document_id": "call", "speaker": s, "role": r} for s, r in speakers]}
    labelled = labelled_deal(row)
    assert evaluate([Judged(labelled, assessed(labelled))])["speakers.turn_accuracy"] == pytest.approx(2 / 3)


def test_baseline_learns_what_it_is_shown(
    make_note_row: Callable[..., Row], note: LabelledDeal, call: LabelledDeal
) -> None:
    other = labelled_deal(
        make_note_row(primary="timing", reasons=["timing"], competitors=[], competitor_roles={}, revisit=None)
    )
    baseline = Baseline([note] * 3 + [call] * 3 + [other] * 3, get_default_taxonomy())
    answer = baseline.answer(call.deal)
    assert answer.primary == "product_gap"
    assert answer.evidence["product_gap"][0].document_id in ("note", "call")


def test_pictures_are_drawn_for_groups_large_enough(tmp_path: Path, note: LabelledDeal) -> None:
    write_pictures(tmp_path, {"notes": [Judged(note, assessed(note))] * 100, "calls": [Judged(note, assessed(note))]})
    for name in (RELIABILITY, RISK_COVERAGE):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
