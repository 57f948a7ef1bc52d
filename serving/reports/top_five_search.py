"""The search for the best short list of entries: which sets of reasons, five at most, stand for most deals.

A list scores for each deal 1 where the deal's primary reason leads its entry (is the most frequent of the entry's reasons), 1/2
where the reason shares an entry that another one leads, 0 where it falls under 'Other', and 1/8 less for each two entries that the
reasons of the deal fall into, as whoever fills in the field could have taken either. Scores are kept in eighths of a deal: whole
numbers, so that the same deals give the same list on every machine.

Lists are grown entry by entry. As long as memory holds all of their parts the search is exhaustive, as it is for the reasons that
ship; of more, the best parts are grown on. Of the lists that score within one point of the best, that one is taken whose entries
are found again most often when the months, and the deals in each, are drawn anew.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 6, for the redraws; chapter 8 for drawing whole months,
which keeps what moves from month to month.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

MOST_ENTRIES = 5
REDRAWS = 100
_OWN, _SHARED = 8, 4  # eighths of a deal
_NEAR_SHARE = 0.01
_MOST_GROWN = 3_000_000  # parts that are looked at in one step
_FINALISTS = 1_000
_SEED = 20_260_101

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Counts:
    """Deals by period and by the reasons that they have; S combinations of a primary reason and all that apply, K reasons.

    Args:
        deals: How many; shape (periods, S).
        primary: Which reason is the primary one; shape (S, K), a row has one or none.
        applies: Which reasons apply, the primary one too; shape (S, K).
    """

    deals: Ints
    primary: Bools
    applies: Bools


@dataclass(frozen=True, slots=True)
class Found:
    """The list that was found.

    Args:
        entries: Places of its entries in the sets searched, ascending.
        again: In how many of `REDRAWS` redraws each is found again.
    """

    entries: tuple[int, ...]
    again: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Worth:
    """What N sets of reasons are worth, for each of R times that deals were counted; a last set of none fills short lists.

    Args:
        values: Score of each alone; shape (R, N + 1).
        costs: Deals whose reasons fall into both of two; shape (R, N + 1, N + 1).
    """

    values: Ints
    costs: Ints

    def scores(self, lists: Ints) -> Ints:
        """Gives the score of L lists of shape (L, entries); shape (R, L)."""
        scores = self.values[:, lists].sum(axis=2)
        for one, other in combinations(range(lists.shape[1]), 2):
            scores -= self.costs[:, lists[:, one], lists[:, other]]
        return np.asarray(scores)


@dataclass(frozen=True, slots=True)
class _Scoring:
    """Says what N sets of reasons are worth; deals come as numbers of shape (R, S)."""

    counts: Counts
    sets: Bools

    def sizes(self, deals: Ints) -> Ints:
        """Gives the deals of each set; shape (R, N)."""
        return self._by_reason(deals) @ self.sets.T

    def worth(self, deals: Ints) -> _Worth:
        """Gives what the sets are worth with so many deals of each combination."""
        lead = np.where(self.sets, self._by_reason(deals)[:, None, :], 0).max(axis=2, initial=0)
        values = _SHARED * self.sizes(deals) + (_OWN - _SHARED) * lead
        falls = ((self.counts.applies.astype(np.int64) @ self.sets.T) > 0).astype(np.float64)  # doubles multiply fast
        costs = np.zeros((len(deals), len(self.sets), len(self.sets)), dtype=np.int64)
        for place, into in enumerate(falls.T):
            costs[:, place] = np.rint((deals * into) @ falls)
        return _Worth(np.pad(values, ((0, 0), (0, 1))), np.pad(costs, ((0, 0), (0, 1), (0, 1))))

    def _by_reason(self, deals: Ints) -> Ints:
        return np.rint(deals @ self.counts.primary.astype(np.float64)).astype(np.int64)


def find_list(counts: Counts, sets: Bools, *, locked: Sequence[int] = (), minimum: int = 1) -> Found:
    """Gives the best list.

    Args:
        counts: The deals.
        sets: Which reasons each of N sets holds; shape (N, K).
        locked: Places of sets that are in the list whatever they are worth; none of them overlap.
        minimum: Fewest deals of any other entry.
    """
    scoring, whole = _Scoring(counts, sets), counts.deals.sum(axis=0, keepdims=True)
    is_kept = scoring.sizes(whole)[0] >= minimum
    is_kept[list(locked)] = True
    values = np.where(is_kept, scoring.worth(whole).values[0, :-1], -1)
    ranked = np.argsort(-values, kind="stable")[: is_kept.sum()]
    chosen, again = _find_ranked(_Scoring(counts, sets[ranked]), np.flatnonzero(np.isin(ranked, locked)))
    pairs = sorted(zip(ranked[chosen].tolist(), again.tolist(), strict=True))
    return Found(tuple(place for place, _ in pairs), tuple(number for _, number in pairs))


def _find_ranked(scoring: _Scoring, locked: Ints) -> tuple[Ints, Ints]:
    """Gives the entries of the best list and how often each is found again; the sets stand by their value."""
    whole, none = scoring.counts.deals.sum(axis=0, keepdims=True), len(scoring.sets)
    lists, scores = _best(scoring, whole, locked)
    winners = lists[scoring.worth(_redrawn(scoring.counts.deals)).scores(lists).argmax(axis=1)]
    again = np.bincount(winners.ravel(), minlength=none + 1)
    again[none] = 0
    near = lists[scores >= scores[0] - _NEAR_SHARE * _OWN * whole.sum()]
    sizes = np.append(scoring.sizes(whole)[0], 0)[near]
    steadiness = (again[near] * sizes).sum(axis=1) / np.maximum(sizes.sum(axis=1), 1)
    taken = near[steadiness.argmax()]
    chosen = taken[taken < none]
    return chosen, again[chosen]


def _best(scoring: _Scoring, whole: Ints, locked: Ints) -> tuple[Ints, Ints]:
    """Gives the lists that score best, and their scores; of equals the one that merges less comes first."""
    worth = scoring.worth(whole)
    lists = _grown(worth, scoring.sets, locked)
    scores = worth.scores(lists)[0]
    named = np.append(scoring.sets.sum(axis=1), 0)[lists].sum(axis=1)
    best = np.lexsort((named, -scores))[:_FINALISTS]
    return lists[best], scores[best]


def _grown(worth: _Worth, sets: Bools, locked: Ints) -> Ints:
    """Gives lists of sets that share no reason, each once; shape (R, MOST_ENTRIES)."""
    none = len(sets)
    width = _MOST_GROWN // max(none, 1)
    clash = (sets.astype(np.int64) @ sets.T.astype(np.int64)) > 0
    part = np.asarray(locked, dtype=np.int64)[None, :]
    last = np.full(1, -1, dtype=np.int64)
    grown = [_filled(part, none)]
    for _ in range(len(locked), MOST_ENTRIES):
        is_free = (np.arange(none) > last[:, None]) & ~clash[part].any(axis=1)
        rows, added = np.nonzero(is_free)
        part, last = np.column_stack([part[rows], added]), added
        if len(part) > width:
            kept = np.sort(np.argsort(-worth.scores(part)[0], kind="stable")[:width])
            part, last = part[kept], last[kept]
        grown.append(_filled(part, none))
    return np.concatenate(grown)


def _filled(part: Ints, none: int) -> Ints:
    return np.pad(part, ((0, 0), (0, MOST_ENTRIES - part.shape[1])), constant_values=none)


def _redrawn(deals: Ints) -> Ints:
    """Gives as many deals drawn anew: first months with their deals, then deals in each; shape (REDRAWS, S)."""
    random = np.random.default_rng(_SEED)
    months = deals[deals.any(axis=1)]
    redraws = np.empty((REDRAWS, deals.shape[1]), dtype=np.int64)
    for place in range(REDRAWS):
        drawn = months[random.integers(len(months), size=len(months))]
        sizes = drawn.sum(axis=1)
        redraws[place] = random.multinomial(sizes, drawn / sizes[:, None]).sum(axis=0)
    return redraws
