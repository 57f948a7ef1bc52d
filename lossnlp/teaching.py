"""Which deals would teach a model most: those it is unsure of, of reasons with few labels, unlike those already chosen.

Pure functions over arrays. The service chooses what people see next with them, and training replays with them what such a choice buys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def uncertainty_of(confidences: Floats) -> NDArray[np.float64]:
    """Gives how unsure each deal's reading is: 1 where the two likeliest labels are equally likely, 0 where one is certain.

    Args:
        confidences: Probability of each label, shape (deals, labels), at least two labels.

    Returns:
        One less the margin between the two highest, shape (deals,), 0 to 1.

    Source: Scheffer, Decomain and Wrobel 2001, "Active Hidden Markov Models for Information Extraction" (margin).
    """
    highest = np.sort(np.asarray(confidences, dtype=np.float64), axis=1)[:, -2:]
    return np.clip(1.0 - (highest[:, 1] - highest[:, 0]), 0.0, 1.0)


def choose_teaching(
    confidences: Floats,
    reasons: Sequence[str],
    *,
    count: int,
    known: Mapping[str, int],
    uncertainty: Floats | None = None,
) -> NDArray[np.int64]:
    """Gives the rows that would teach most, best first.

    One row after the other is taken that has the highest product of uncertainty, need of its reason and distance to what was
    taken before. Need falls with the square root of the labels that the reason has, those taken now included; distance is between
    the vectors of confidences, so that ten deals that are unsure in the same way are not all taken.

    Args:
        confidences: Confidence of every label, shape (deals, labels).
        reasons: The reason that the model reads in each deal.
        count: How many rows, 0 or more; fewer come back where there are fewer.
        known: How many labelled deals each reason has; one that is not named has none.
        uncertainty: How unsure each reading is, shape (deals,), 0 to 1; None takes the margin.

    Returns:
        Indices of rows, shape (chosen,).
    """
    vectors = np.asarray(confidences, dtype=np.float64)
    unsure = uncertainty_of(vectors) if uncertainty is None else np.asarray(uncertainty, dtype=np.float64)
    codes, reason_of = np.unique(np.asarray(reasons, dtype=str), return_inverse=True)
    labelled = np.array([known.get(str(code), 0) for code in codes], dtype=np.float64)
    apart = np.ones(len(vectors))
    is_left = np.ones(len(vectors), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(count, len(vectors))):
        worth = unsure / np.sqrt(1.0 + labelled[reason_of]) * apart
        best = int(np.where(is_left, worth, -1.0).argmax())
        chosen.append(best)
        is_left[best] = False
        labelled[reason_of[best]] += 1
        apart = np.minimum(apart, _distance(vectors, best))
    return np.array(chosen, dtype=np.int64)


def _distance(vectors: NDArray[np.float64], row: int) -> NDArray[np.float64]:
    """Gives how far each vector is from one of them, 0 to 1: half the sum of differences, at most 1."""
    halves: NDArray[np.float64] = np.abs(vectors - vectors[row]).sum(axis=1) / 2
    return np.minimum(1.0, halves)
