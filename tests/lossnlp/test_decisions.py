from __future__ import annotations

import numpy as np
import pytest

from lossnlp.assessment import ElementReading, Flag, Reason, Winback
from lossnlp.calibration import Calibration, Curve, Temperature
from lossnlp.decisions import Decisions, accepted_values
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
    return View(np.array([0]), ViewReading(logits=logits, weights=np.ones((1, layout.n_slots), np.float32)))


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


def values(confidence: float) -> dict[str, object]:
    reason = Reason(code="price", label="Price", group="price_budget", primary=True, confidence=confidence)
    return {
        "reasons": (reason,),
        "meddpicc": {"champion": ElementReading(state="gap", confidence=confidence)},
        "flags": {"external_only": Flag(value=True, confidence=confidence)},
        "winback": Winback(state="open", confidence=confidence),
    }


ACCEPT = Calibration(
    accept={"primary_reason.price": 0.8, "meddpicc.gap.champion": 0.8, "external_only.yes": 0.8, "winback.open": 0.8}
)


def test_sure_values_are_accepted() -> None:
    assert accepted_values(ACCEPT, **values(0.9)) == ("primary_reason", "meddpicc.champion", "external_only", "winback")  # type: ignore[arg-type]


def test_low_confidence_deal_waits_for_review() -> None:
    assert accepted_values(ACCEPT, **values(0.7)) == ()  # type: ignore[arg-type]


def test_unmeasured_values_always_wait() -> None:
    assert accepted_values(Calibration(), **values(1.0)) == ()  # type: ignore[arg-type]


def test_no_cause_is_never_accepted() -> None:
    sure = Calibration(accept={"primary_reason.unknown": 0.1})
    unknown = Reason(code="unknown", label="Unknown", group="not_a_cause", primary=True, confidence=0.99)
    assert (
        accepted_values(sure, reasons=(unknown,), meddpicc={}, flags={}, winback=Winback(state="open", confidence=0.9))
        == ()
    )


def test_temperature_softens_and_keeps_order() -> None:
    logits = np.array([2.0, 1.0, -1.0], dtype=np.float32)
    soft, sharp = Temperature(value=3.0).probability(logits), Temperature(value=0.5).probability(logits)
    assert soft.sum() == pytest.approx(1.0)
    assert soft[0] < sharp[0]
    assert soft.argsort().tolist() == sharp.argsort().tolist()


def test_curve_bends_the_probability() -> None:
    assert Curve(scale=2.0, shift=-1.0).of_one(0.5) == pytest.approx(0.5)
