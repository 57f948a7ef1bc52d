"""Turns, spreads and exponents."""

from __future__ import annotations

import pytest

from benchmarks.turns import Turn, fit_exponent, percentile, spread, take_turns


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_exponent_of_a_power_is_found(exponent: float) -> None:
    assert fit_exponent({size: 3 * size**exponent for size in (10, 100, 1000)}) == pytest.approx(exponent, abs=1e-9)


def test_sizes_below_the_least_do_not_count() -> None:
    costs = {1: 50.0, 10: 50.0, 100: 100.0, 1000: 1000.0}
    assert fit_exponent(costs, least=100) == pytest.approx(1.0)


def test_every_other_round_runs_backwards() -> None:
    called: list[str] = []

    def taker(name: str) -> Turn:
        called.append(name)
        return Turn(1, 1.0, 1.0)

    turns = take_turns({name: lambda name=name: taker(name) for name in "ab"}, rounds=3)  # type: ignore[misc]
    assert called == ["a", "b", "b", "a", "a", "b"]
    assert [len(of_one) for of_one in turns.values()] == [3, 3]


def test_spread_tells_median_and_both_ends() -> None:
    assert spread([3.0, 1.0, 20.0]) == {"median": 3.0, "lowest": 1.0, "highest": 20.0}


def test_percentile_is_a_value_that_came() -> None:
    values = [float(value) for value in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99), percentile([7.0], 99)) == (50.0, 99.0, 7.0)


def test_turn_tells_speed_and_processor_time() -> None:
    turn = Turn(count=50, wall_s=2.0, cpu_s=4.0)
    assert (turn.per_s, turn.cpu_ms_each) == (25.0, 80.0)
