from __future__ import annotations

import numpy as np
import pytest

from lossnlp.teaching import choose_teaching, uncertainty_of


def test_uncertainty_is_one_less_the_margin() -> None:
    found = uncertainty_of(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.7, 0.1]]))
    assert found.tolist() == pytest.approx([1.0, 0.0, 0.5])


def test_the_least_certain_comes_first() -> None:
    confidences = np.array([[0.9, 0.1], [0.55, 0.45], [0.3, 0.7]])
    assert choose_teaching(confidences, ["a", "a", "b"], count=1, known={}).tolist() == [1]


def test_a_reason_with_few_labels_comes_before_a_common_one() -> None:
    confidences = np.array([[0.55, 0.45, 0.0], [0.0, 0.4, 0.6]])
    chosen = choose_teaching(confidences, ["a", "c"], count=2, known={"a": 99, "c": 3})
    assert chosen.tolist() == [1, 0]


def test_of_twins_the_second_waits() -> None:
    confidences = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.2, 0.8]])
    assert choose_teaching(confidences, ["a", "a", "a"], count=3, known={}).tolist() == [0, 2, 1]


def test_choices_spread_over_reasons() -> None:
    confidences = np.array([[0.52, 0.48, 0.0, 0.0], [0.5, 0.3, 0.2, 0.0], [0.0, 0.0, 0.4, 0.6]])
    chosen = choose_teaching(confidences, ["a", "a", "d"], count=2, known={})
    assert set(chosen.tolist()) == {0, 2}


def test_given_uncertainty_is_used() -> None:
    confidences = np.array([[0.5, 0.5], [0.9, 0.1]])
    chosen = choose_teaching(confidences, ["a", "a"], count=1, known={}, uncertainty=np.array([0.1, 0.8]))
    assert chosen.tolist() == [1]


@pytest.mark.parametrize(("count", "given"), [(0, 0), (2, 2), (9, 3)])
def test_no_more_come_back_than_there_are(count: int, given: int) -> None:
    chosen = choose_teaching(np.eye(3), ["a", "b", "c"], count=count, known={})
    assert len(chosen) == len(set(chosen.tolist())) == given
