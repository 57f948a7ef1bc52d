"""Examination: two bundles read the same deals in turns, so that a slow moment of the machine falls on both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tqdm import tqdm

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from training.corpus import LabelledDeal
from training.metrics import Judged

Clock = Callable[[], float]
_SHORTEST_S = 1e-6


class Reader(Protocol):
    """Something that assesses deals: a classifier, or its stand-in."""

    def assess(self, deal: Deal) -> Assessment:
        """Gives the assessment of a deal."""


@dataclass(frozen=True)
class Examined:
    """What a reader said of deals, and what it took for each, in seconds."""

    judged: list[Judged]
    seconds: list[float]


def examine(
    champion: Reader, challenger: Reader, deals: Sequence[LabelledDeal], *, clock: Clock = time.perf_counter
) -> tuple[Examined, Examined]:
    """Gives what both readers say of deals: champion first on every second deal, challenger first on the others.

    Args:
        champion: The one in service.
        challenger: The other.
        deals: What to read.
        clock: Gives seconds.

    Raises:
        InvalidDealError: A deal without readable text.
    """
    for reader in (champion, challenger):
        for labelled in deals[:1]:
            reader.assess(labelled.deal)
    turns = list(_turns((champion, challenger), deals, clock))
    first, second = ([turn[side] for turn in turns] for side in (0, 1))
    return _examined(first), _examined(second)


def _turns(
    readers: tuple[Reader, Reader], deals: Sequence[LabelledDeal], clock: Clock
) -> Iterator[dict[int, tuple[Judged, float]]]:
    for place, labelled in enumerate(tqdm(deals, desc="reading deals with both", disable=None, unit="deal")):
        order = (0, 1) if place % 2 == 0 else (1, 0)
        yield {side: _timed(readers[side], labelled, clock) for side in order}


def _timed(reader: Reader, labelled: LabelledDeal, clock: Clock) -> tuple[Judged, float]:
    begun = clock()
    assessment = reader.assess(labelled.deal)
    return Judged(labelled, assessment), max(clock() - begun, _SHORTEST_S)


def _examined(turns: Sequence[tuple[Judged, float]]) -> Examined:
    return Examined([judged for judged, _ in turns], [seconds for _, seconds in turns])
