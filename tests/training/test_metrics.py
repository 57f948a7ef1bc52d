from __future__ import annotations

import numpy as np
import pytest

from training.acceptance import threshold_for
from training.agreement import agreement, cohen_kappa
from training.calibrate import best_cut, fit_curve, fit_temperature
from training.metrics import binary_f1, expected_calibration_error, macro_f1, micro_f1


def test_f1_figures_follow_their_definitions() -> None:
    assert micro_f1([({"a", "b"}, {"a"}), (set(), {"c"})]) == pytest.approx(0.5)
    assert macro_f1([("a", "a"), ("a", "b"), ("b", "b")]) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert binary_f1([(True, True), (True, False), (False, False)]) == pytest.approx(2 / 3)


def test_sure_and_right_has_no_calibration_error() -> None:
    assert expected_calibration_error([(1.0, True)] * 20) == 0
    assert expected_calibration_error([(1.0, False)] * 20) == pytest.approx(1)


def test_kappa_discounts_chance() -> None:
    assert cohen_kappa([("a", "a"), ("b", "b")]) == 1
    assert cohen_kappa([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]) == pytest.approx(0)


def test_agreement_covers_every_field() -> None:
    labels = {
        "primary": "price",
        "reasons": ["price"],
        "winback": "open",
        "attribution": "mixed",
        "insufficient_detail": False,
    }
    other = labels | {"primary": "timing", "reasons": ["timing"]}
    found = agreement(
        [{"id": "1", "labels": labels}, {"id": "2", "labels": other}],
        [{"id": "1", "labels": labels}, {"id": "2", "labels": labels}],
    )
    assert found["winback"] == (2, 1.0)
    assert found["primary"][1] < 1
    assert "meddpicc.champion" in found


def test_temperature_tames_an_overconfident_head() -> None:
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 3, 600)
    logits = rng.normal(size=(600, 3))
    logits[np.arange(600), gold] += 1.0
    assert fit_temperature(logits * 5, gold.tolist()).value == pytest.approx(
        5 * fit_temperature(logits, gold.tolist()).value, rel=0.1
    )


def test_curve_matches_the_share_of_yes() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=4_000)
    gold = rng.random(4_000) < 1 / (1 + np.exp(-(2 * logits - 1)))
    curve = fit_curve(logits, gold)
    assert (curve.scale, curve.shift) == (pytest.approx(2, abs=0.3), pytest.approx(-1, abs=0.2))


def test_best_cut_separates_yes_from_no() -> None:
    probabilities = np.array([0.2, 0.3, 0.35, 0.6, 0.7])
    assert 0.35 < best_cut(probabilities, np.array([False, False, False, True, True])) <= 0.6


def test_threshold_holds_the_target_precision() -> None:
    pairs = [(0.9, True)] * 97 + [(0.8, False)] * 3 + [(0.5, False)] * 20
    assert threshold_for(pairs, 0.9) == 0.8
    assert threshold_for([(0.9, False)] * 20, 0.9) is None


def test_few_right_values_promise_nothing() -> None:
    assert threshold_for([(0.9, True)] * 4, 0.9) is None
    assert threshold_for([(0.9, True)] * 40, 0.9) == 0.9
