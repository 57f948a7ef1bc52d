"""Turns: what is compared is measured in alternating rounds of one run, on the clock and in the processor time of its process."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one contender.

    Args:
        count: Texts, or whatever was worked through, at least 1.
        wall_s: On the clock, in seconds.
        cpu_s: Processor time of its process over all threads, in seconds.
        each_ms: Where they were taken one by one, how long each took.
    """

    count: int
    wall_s: float
    cpu_s: float
    each_ms: tuple[float, ...] = ()

    @property
    def per_s(self) -> float:
        """Texts a second."""
        return self.count / self.wall_s

    @property
    def cpu_ms_each(self) -> float:
        """Processor time a text, in milliseconds."""
        return 1000 * self.cpu_s / self.count


def timed(action: Callable[[], object], *, count: int = 1) -> Turn:
    """Gives how long an action of this process took.

    Args:
        action: What is measured.
        count: Texts that it works through.
    """
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    action()
    return Turn(count, time.perf_counter() - wall_s, time.process_time() - cpu_s)


def take_turns(takers: Mapping[str, Callable[[], Turn]], *, rounds: int = ROUNDS) -> dict[str, list[Turn]]:
    """Gives the turns of each taker; every other round runs backwards, so that nobody always follows the same one.

    Args:
        takers: Each takes one turn when called.
        rounds: Turns that each takes.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in takers}
    for number in range(rounds):
        for name in list(takers)[:: -1 if number % 2 else 1]:
            turns[name].append(takers[name]())
    return turns


def spread(values: Sequence[float]) -> dict[str, float]:
    """Gives median, lowest and highest value, to four digits."""
    return {"median": short(statistics.median(values)), "lowest": short(min(values)), "highest": short(max(values))}


def percentile(values: Sequence[float], percent: float) -> float:
    """Gives the value that `percent` percent of the values do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def short(value: float) -> float:
    """Gives the value to four digits."""
    return float(f"{value:.4g}")


def fit_exponent(costs: Mapping[float, float], *, least: float = 0) -> float:
    """Gives b of cost = a * size ** b, by least squares on the logarithms.

    Args:
        costs: Cost of each size, both above 0, at least two of them.
        least: Smaller sizes are left out: what is paid once a call weighs more there than what grows.
    """
    kept = {size: cost for size, cost in costs.items() if size >= least}
    slope, _ = statistics.linear_regression(
        [math.log(size) for size in kept], [math.log(cost) for cost in kept.values()]
    )
    return slope
