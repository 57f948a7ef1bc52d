"""Which parties of a deal sit on the buyer's side, given how each one sounds and who talked with whom."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import exp, log, prod
from typing import TypeVar

_ALONE = 0.6  # by how much log-odds are drawn in for a party that nobody is there to compare with
_CERTAIN = 0.002

Party = TypeVar("Party", bound=Hashable)


def settle(odds: Mapping[Party, float], talks: Sequence[tuple[frozenset[Party], float]]) -> dict[Party, float]:
    """Gives the log-odds of each party after taking into account that a talk has two sides.

    Args:
        odds: Log-odds of each party that it is the buyer, from all that is known of it alone.
        talks: The parties of each talk, with the weight of a reading in which all of them sit on one side, against 1 for every
            other reading; a talk of one party says nothing.

    Returns:
        Log-odds of the same parties. Each talk moves a party by as much as the exact marginal over all readings of
        that talk differs from its own chance, so that talks with the same party add up.
    """
    compared = {party for talk, _ in talks if len(talk) > 1 for party in talk}
    settled = {party: each if party in compared else _ALONE * each for party, each in odds.items()}
    for talk, one_sided in talks:
        # In the order of `odds`: a set's own order changes between runs, and with it the last digit of a sum.
        parties = [party for party in odds if party in talk]
        if len(parties) > 1:
            for party, shift in zip(parties, _shifts([odds[party] for party in parties], one_sided), strict=True):
                settled[party] += shift
    return settled


def chance_of(odds: float) -> float:
    """Gives the probability that belongs to log-odds, kept off 0 and 1."""
    return min(1 - _CERTAIN, max(_CERTAIN, 1 / (1 + exp(-max(-50.0, min(50.0, odds))))))


def _shifts(odds: Sequence[float], one_sided: float) -> list[float]:
    """Gives by how much the talk moves each party's log-odds."""
    chances = [chance_of(each) for each in odds]
    all_buyers = prod(chances)
    all_reps = prod(1 - chance for chance in chances)
    total = 1 - (1 - one_sided) * (all_buyers + all_reps)
    marginals = [(chance - (1 - one_sided) * all_buyers) / total for chance in chances]
    return [_log_odds(marginal) - _log_odds(chance) for marginal, chance in zip(marginals, chances, strict=True)]


def _log_odds(chance: float) -> float:
    chance = min(1 - 1e-6, max(1e-6, chance))
    return log(chance / (1 - chance))
