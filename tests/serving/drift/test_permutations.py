"""Tests by shuffling: p is what it says, small where something has changed, and the same each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from serving.drift.permutations import compare_amounts, compare_labels, compare_vectors

LEVEL = 0.002
LETTERS = np.array(list("abcdef"), dtype=object)


def amounts(random: np.random.Generator, deals: int) -> Any:
    return np.round(random.exponential(20.0, deals))


def labels(random: np.random.Generator, deals: int) -> Any:
    return LETTERS[random.choice(6, size=deals, p=[0.4, 0.3, 0.2, 0.06, 0.03, 0.01])]


def vectors(random: np.random.Generator, deals: int) -> Any:
    return random.poisson(0.3, (deals, 16)).astype(float)


KINDS = [(compare_amounts, amounts), (compare_labels, labels), (compare_vectors, vectors)]


@pytest.mark.parametrize(("compare", "draw"), KINDS)
def test_small_p_are_as_rare_as_they_say(compare: Callable[..., float], draw: Callable[..., Any]) -> None:
    random, pairs = np.random.default_rng(3), 400
    found = np.array([compare(draw(random, 30), draw(random, 90), level=LEVEL) for _ in range(pairs)])
    for share in (0.05, 0.2):
        assert (found <= share).mean() <= share + 3 * np.sqrt(share * (1 - share) / pairs)


@pytest.mark.parametrize(("compare", "draw"), KINDS)
def test_same_samples_give_same_p(compare: Callable[..., float], draw: Callable[..., Any]) -> None:
    random = np.random.default_rng(4)
    newest, reference = draw(random, 40), draw(random, 80)
    assert compare(newest, reference, level=LEVEL) == compare(newest, reference, level=LEVEL)


@pytest.mark.parametrize(
    ("compare", "newest", "reference"),
    [
        (compare_amounts, np.arange(40.0), np.arange(40.0) + 100),
        (compare_labels, LETTERS[[0] * 40], LETTERS[[1] * 80]),
        (compare_vectors, np.ones((40, 4)) + np.eye(4)[[0] * 40], np.ones((80, 4))),
    ],
)
def test_plain_change_is_below_level(compare: Callable[..., float], newest: Any, reference: Any) -> None:
    assert compare(newest, reference, level=LEVEL) < LEVEL


def test_amounts_agree_with_exact_test() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(5)
    newest, reference = random.normal(0.5, 1.0, 40), random.normal(0.0, 1.0, 60)
    exact = stats.ks_2samp(newest, reference, method="exact").pvalue
    assert compare_amounts(newest, reference, level=LEVEL) == pytest.approx(exact, rel=0.5)


def test_two_labels_agree_with_exact_test() -> None:
    stats = pytest.importorskip("scipy.stats")
    newest, reference = LETTERS[[0] * 12 + [1] * 28], LETTERS[[0] * 40 + [1] * 40]
    drawn = stats.hypergeom(120, 52, 40)
    middle = 40 * 52 / 120
    exact = sum(drawn.pmf(count) for count in range(41) if abs(count - middle) >= abs(12 - middle) - 1e-9)
    assert compare_labels(newest, reference, level=LEVEL) == pytest.approx(exact, rel=0.5)


def test_alike_samples_give_one() -> None:
    same = LETTERS[[0] * 40]
    assert compare_labels(same, same, level=LEVEL) == 1.0
