"""The paired bootstrap: how sure a difference between two bundles is that were measured on the same deals.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap" (paired draws, percentile intervals); Romano and Wolf 2005,
"Exact and Approximate Stepdown Methods for Multiple Hypothesis Testing" (one bar for the largest of several studentised differences).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.tally import Floats, Join, Tally, drawn_figures

DRAWS = 2000
LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """How much better a challenger is in one figure; more is better, whichever way the figure itself runs.

    Args:
        champion: The champion's figure.
        challenger: The challenger's.
        better_by: The difference, as a share of the champion's figure where the figure is a rate.
        low: Lower end of its interval; the true difference lies under it in one case of twenty.
        high: Upper end, likewise.
        deals: How many deals (or checks) the figure rests on.
        draws: The difference in each draw, shape (draws,).
    """

    champion: float
    challenger: float
    better_by: float
    low: float
    high: float
    deals: int
    draws: Floats


def draw_weights(groups: Sequence[str], *, seed: int, draws: int = DRAWS) -> Floats:
    """Gives how often each draw holds each deal; the deals of a group are drawn together.

    Args:
        groups: What each deal shares with others (account or hard pair); deals that share nothing are groups of their own.
        seed: Seeds the draws.
        draws: How many.

    Returns:
        Counts, shape (draws, deals).
    """
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    cells = drawn + len(names) * np.arange(draws).reshape(-1, 1)
    counts = np.bincount(cells.ravel(), minlength=draws * len(names)).reshape(draws, len(names))
    return np.asarray(counts[:, places], dtype=float)


def compare(champion: Mapping[str, Tally], challenger: Mapping[str, Tally], weights: Floats) -> dict[str, Difference]:
    """Gives the difference in every figure that the deals tell of on both sides.

    Args:
        champion: The champion's tallies, by name.
        challenger: The challenger's, of the same deals.
        weights: What `draw_weights` gives.
    """
    told = [name for name, one in champion.items() if one.is_told and challenger[name].is_told]
    if not told:
        return {}
    before = drawn_figures({name: champion[name] for name in told}, weights)
    after = drawn_figures({name: challenger[name] for name in told}, weights)
    return {
        name: _difference(champion[name], challenger[name], _better_by(champion[name].join, before[name], after[name]))
        for name in told
    }


def _difference(champion: Tally, challenger: Tally, draws: Floats) -> Difference:
    figures = champion.figure, challenger.figure
    seen = float(_better_by(champion.join, np.array(figures[:1]), np.array(figures[1:]))[0])
    # An error drawn again is larger by itself, the more so the smaller it is: the draws are moved to lie around what was seen.
    draws = draws + seen - np.nanmean(draws)
    low, high = np.nanquantile(draws, (LEVEL, 1 - LEVEL))
    deals = int((champion.counted | challenger.counted).sum())
    return Difference(*figures, better_by=seen, low=float(low), high=float(high), deals=deals, draws=draws)


def _better_by(join: Join, before: Floats, after: Floats) -> Floats:
    if join == "rate":
        return np.asarray(after / before - 1)
    return np.asarray(before - after if join == "error" else after - before)


def clearly_better(differences: Mapping[str, Difference], least: Mapping[str, float]) -> list[str]:
    """Gives the figures in which the challenger is better beyond luck, however many were looked at.

    The bar is what the largest studentised difference of all these figures stays under in nineteen of twenty draws around no
    difference: two equal bundles pass it in one figure or more with a chance of one in twenty.

    Args:
        differences: The figures looked at, by name.
        least: What a figure has to be better by at least, beyond luck; 0 where it is not named.
    """
    spreads = {name: float(np.nanstd(one.draws)) for name, one in differences.items()}
    moving = {name: one for name, one in differences.items() if spreads[name] > 0}
    if not moving:
        return []
    largest = np.nanmax([(one.draws - one.better_by) / spreads[name] for name, one in moving.items()], axis=0)
    bar = float(np.nanquantile(largest, 1 - LEVEL))
    return [name for name, one in moving.items() if (one.better_by - least.get(name, 0.0)) / spreads[name] > bar]
