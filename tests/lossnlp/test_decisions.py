from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from lossnlp.assessment import ElementReading, Flag, Flags, Reason, Winback
from lossnlp.calibration import Calibration, Curve, Temperature
from lossnlp.decisions import Decisions, Findings, accepted_values, review_of
from lossnlp.heads import ViewReading
from lossnlp.reading import View
from lossnlp.taxonomy import get_default_taxonomy

TAXONOMY = get_default_taxonomy()


def view(primary: str, applies: dict[str, float] | None = None) -> View:
    """Gives a view whose heads say just this, all else silent."""
    layout = Decisions(TAXONOMY, Calibration()).layout
    logits = np.full(layout.n_outputs, -6.0, dtype=np.float32)
    logits[layout.outputs["primary"].start + TAXONOMY.codes.index(primary)] = 4.0
    for code, logit in (applies or {}).items():
        logits[layout.outputs["reasons"].start + TAXONOMY.codes.index(code)] = logit
    weights = np.ones((1, layout.n_slots), np.float32)
    return View("note", np.array([0]), ViewReading(logits=logits, weights=weights), has_buyer=True)


def applying(seen: View, calibration: Calibration | None = None) -> list[str]:
    decisions = Decisions(TAXONOMY, calibration or Calibration())
    return decisions.applying(decisions.causes(seen))


def test_primary_stands_first_then_likeliest() -> None:
    assert applying(view("price", {"timing": 1.0, "competitor": 3.0})) == ["price", "competitor", "timing"]


def test_unknown_always_stands_alone() -> None:
    assert applying(view("unknown", {"price": 5.0})) == ["unknown"]
    assert applying(view("price", {"unknown": 5.0})) == ["price"]


def test_cut_of_a_reason_decides() -> None:
    strict = Calibration(cuts={"reasons.timing": 0.9})
    assert applying(view("price", {"timing": 1.0}), strict) == ["price"]


def test_conflict_is_likely_when_buyer_differs() -> None:
    decisions = Decisions(TAXONOMY, Calibration())
    said = view("price", {"price": 5.0})
    assert decisions.conflict_probability(said, view("product_gap", {"product_gap": 5.0})) > 0.8
    assert decisions.conflict_probability(said, view("product_gap", {"price": 5.0})) < 0.2


def test_silent_buyer_contradicts_nobody() -> None:
    decisions = Decisions(TAXONOMY, Calibration())
    assert decisions.conflict_probability(view("price", {"price": 5.0}), view("unknown")) < 0.2


def findings(confidence: float, code: str = "price", **flags: Flag) -> Findings:
    no = Flag(value=None)
    known = {"external_only": Flag(value=True, confidence=confidence), "insufficient_detail": no}
    raised = {"rep_buyer_conflict": no, "stated_reason_conflict": no} | known | flags
    reason = TAXONOMY.get_reason(code)
    return Findings(
        reasons=(Reason(code=code, label=reason.label, group=reason.group, primary=True, confidence=confidence),),
        meddpicc={"champion": ElementReading(state="gap", confidence=confidence)},
        flags=Flags(**raised),
        winback=Winback(state="open", confidence=confidence, revisit_on=date(2027, 4, 1), revisit_confidence=0.6),
        competitors=(),
    )


ACCEPT = Calibration(
    accept={
        "primary_reason.price": 0.8,
        "primary_reason.unknown": 0.1,
        "meddpicc.gap.champion": 0.8,
        "external_only.yes": 0.8,
        "winback.open": 0.8,
        "revisit_on": 0.7,
    }
)


def accepted(found: Findings, calibration: Calibration = ACCEPT, obstacle: str | None = None) -> tuple[str, ...]:
    return accepted_values(found, calibration, review_of(found, calibration, obstacle=obstacle))


def test_sure_values_are_accepted() -> None:
    assert accepted(findings(0.9)) == ("primary_reason", "meddpicc.champion", "external_only", "winback")


def test_low_confidence_deal_waits_for_review() -> None:
    found = findings(0.7)
    assert accepted(found) == ()
    assert review_of(found, ACCEPT, obstacle=None).because == ("primary_reason_uncertain",)


def test_unmeasured_values_always_wait() -> None:
    assert accepted(findings(1.0), Calibration()) == ()


def test_no_cause_is_never_accepted() -> None:
    assert "primary_reason" not in accepted(findings(0.99, "unknown"))


def test_date_needs_its_own_confidence() -> None:
    surer = ACCEPT.model_copy(update={"accept": ACCEPT.accept | {"revisit_on": 0.5}})
    assert "revisit_on" not in accepted(findings(0.9))
    assert "revisit_on" in accepted(findings(0.9), surer)


@pytest.mark.parametrize("conflict", ["rep_buyer_conflict", "stated_reason_conflict"])
def test_reasons_wait_while_sources_disagree(conflict: str) -> None:
    found = findings(0.9, **{conflict: Flag(value=True, confidence=0.9)})
    assert "primary_reason" not in accepted(found)
    assert "winback" in accepted(found)


def test_illegible_text_has_nothing_accepted() -> None:
    assert accepted(findings(0.99), obstacle="foreign_language") == ()


def test_temperature_softens_and_keeps_order() -> None:
    logits = np.array([2.0, 1.0, -1.0], dtype=np.float32)
    soft, sharp = Temperature(value=3.0).probability(logits), Temperature(value=0.5).probability(logits)
    assert soft.sum() == pytest.approx(1.0)
    assert soft[0] < sharp[0]
    assert soft.argsort().tolist() == sharp.argsort().tolist()


def test_curve_bends_the_probability() -> None:
    assert Curve(scale=2.0, shift=-1.0).of_one(0.5) == pytest.approx(0.5)
