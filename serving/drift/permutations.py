"""Whether two samples come from one source: tests that shuffle which deal is of which sample, so that they hold for few deals too.

No test assumes how values are spread: if nothing has changed, every way to deal the values out between the two samples is as likely
as the one that is seen, and p is the share of ways that lie as far apart or further. Shuffling stops as soon as it is plain that p
is not small; p stays exact with that.

Source: Besag and Clifford, Sequential Monte Carlo p-values, Biometrika 78 (1991); the largest difference over all
values as one test: Westfall and Young, Resampling-Based Multiple Testing (1993), section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.object_]
Counts = npt.NDArray[np.int64]
Draw = Callable[[np.random.Generator, int], Floats]  # so many distances of shuffled samples

_SEED = 20_260_201
_ENOUGH = 20  # distances as large as the one seen, after which p cannot be small
_FIRST, _MOST_CELLS = 64, 4_000_000
_RARE = 5  # values of fewer deals are counted together
_TINY = 1e-9


def compare_amounts(newest: Floats, reference: Floats, *, level: float) -> float:
    """Gives p for two samples of amounts, by the largest distance of their cumulative shares (Kolmogorov and Smirnov).

    Args:
        newest: At least two amounts.
        reference: At least two.
        level: The largest p that will count as a change.
    """
    pooled = np.sort(np.concatenate([newest, reference]))
    ends = np.append(np.flatnonzero(np.diff(pooled)), len(pooled) - 1)  # the last of each run of equal amounts
    n, m = len(newest), len(reference)
    below = np.arange(1, len(pooled) + 1)

    def distances(is_newest: npt.NDArray[np.bool_]) -> Floats:
        count = np.cumsum(is_newest, axis=1)[:, ends]
        gaps: Floats = np.abs(count / n - (below[ends] - count) / m).max(axis=1)
        return gaps

    observed = float(np.abs(cumulative(newest, pooled[ends]) - cumulative(reference, pooled[ends])).max())
    return _find_p(
        observed, lambda random, size: distances(_shuffled(random, n, m, size=size)), cells=n + m, level=level
    )


def cumulative(amounts: Floats, at: Floats) -> Floats:
    """Gives the share of amounts that are as small as each of `at` or smaller."""
    shares: Floats = np.searchsorted(np.sort(amounts), at, side="right") / len(amounts)
    return shares


def compare_labels(newest: Labels, reference: Labels, *, level: float) -> float:
    """Gives p for two samples of labels, by the label whose share differs most for its size.

    Args:
        newest: At least two labels.
        reference: At least two.
        level: The largest p that will count as a change.
    """
    counts = count_labels(newest, reference)
    pairs = np.array(list(counts.values()), dtype=np.int64)
    rare = pairs.sum(axis=1) < _RARE
    pairs = np.vstack([pairs[~rare], pairs[rare].sum(axis=0, keepdims=True)])
    pairs = pairs[pairs.sum(axis=1) > 0]
    whole, n = pairs.sum(axis=1), len(newest)

    def distances(drawn: Counts) -> Floats:
        far: Floats = _deviances(drawn, whole, n=n).max(axis=1)
        return far

    observed = float(distances(pairs[:, 0][None, :])[0])
    return _find_p(
        observed,
        lambda random, size: distances(random.multivariate_hypergeometric(whole, n, size=size)),
        cells=len(whole),
        level=level,
    )


def count_labels(newest: Labels, reference: Labels) -> dict[str, tuple[int, int]]:
    """Gives how many of each sample carry each label, in alphabetical order."""
    found = sorted({*newest.tolist(), *reference.tolist()})
    return {label: (int((newest == label).sum()), int((reference == label).sum())) for label in found}


def _deviances(drawn: Counts, whole: Counts, *, n: int) -> Floats:
    """Gives how unlikely counts in the newest sample are, each label beside all others; unlike residuals also for rare labels.

    Args:
        drawn: Deals of the newest sample by label; shape (samples, labels).
        whole: Deals of both samples by label; shape (labels,).
        n: Deals of the newest sample.

    Returns:
        Shape (samples, labels).

    Source: McCullagh and Nelder, Generalized Linear Models, 2nd ed. (1989), section 4.4.3.
    """
    expected = n * whole / whole.sum()
    counts = drawn.astype(np.float64)
    far: Floats = _times_log(counts, expected) + _times_log(n - counts, n - expected)
    return far


def _times_log(counts: Floats, expected: Floats) -> Floats:
    parts: Floats = counts * np.log(np.maximum(counts, _TINY) / np.maximum(expected, _TINY))
    return parts


def residuals(newest: Counts, whole: Counts, *, n: int) -> Floats:
    """Gives how far the count of each label in the newest sample is from what is expected, in standard deviations; shape (labels,).

    Args:
        newest: Deals of the newest sample by label.
        whole: Deals of both samples by label.
        n: Deals of the newest sample.
    """
    total = int(whole.sum())
    share = whole / total
    spread = n * share * (1 - share) * (total - n) / max(total - 1, 1)
    far: Floats = (newest - n * share) / np.sqrt(np.maximum(spread, _TINY))
    return far


def compare_vectors(newest: Floats, reference: Floats, *, level: float) -> float:
    """Gives p for two samples of vectors, by the distance of their means, each place measured by its own spread.

    Args:
        newest: Shape (deals, places), at least two deals.
        reference: Shape (deals, places), at least two deals.
        level: The largest p that will count as a change.
    """
    n, m = len(newest), len(reference)
    pooled = np.concatenate([newest, reference])
    pooled = (pooled - pooled.mean(axis=0)) / np.maximum(pooled.std(axis=0), _TINY)

    def distances(is_newest: npt.NDArray[np.bool_]) -> Floats:
        sums: Floats = is_newest.astype(np.float64) @ pooled
        far: Floats = np.square(sums).sum(axis=1)
        return far

    observed = float(distances(_labels(n, m)[None, :])[0])
    return _find_p(
        observed, lambda random, size: distances(_shuffled(random, n, m, size=size)), cells=n + m, level=level
    )


def _labels(n: int, m: int) -> npt.NDArray[np.bool_]:
    return np.arange(n + m) < n


def _shuffled(random: np.random.Generator, n: int, m: int, *, size: int) -> npt.NDArray[np.bool_]:
    """Gives which deals are of the newest sample, shuffled anew in each row; shape (size, n + m)."""
    keys = random.random((size, n + m))
    chosen: npt.NDArray[np.bool_] = keys <= np.partition(keys, n - 1, axis=1)[:, n - 1 : n]
    return chosen


def _find_p(observed: float, draw: Draw, *, cells: int, level: float) -> float:
    """Gives the share of shuffled distances that are as large as the one seen; the same samples give the same.

    Args:
        observed: The distance seen.
        draw: Gives distances of shuffled samples.
        cells: Numbers that one distance takes, which bounds how many are drawn at once.
        level: With p above it shuffling stops early.
    """
    random, most = np.random.default_rng(_SEED), ceil(_ENOUGH / level)
    done, exceeded, size = 0, 0, _FIRST
    while done < most:
        size = min(size, most - done)
        reached = exceeded + np.cumsum(draw(random, size) >= observed - _TINY)
        if reached[-1] >= _ENOUGH:
            return _ENOUGH / (done + 1 + int(np.argmax(reached >= _ENOUGH)))
        done, exceeded = done + size, int(reached[-1])
        size = max(_FIRST, min(2 * size, _MOST_CELLS // cells))
    return (exceeded + 1) / (most + 1)
