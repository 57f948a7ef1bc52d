from __future__ import annotations

import pytest

from benchmarks.soak.__main__ import error_rates
from benchmarks.soak.memory import slope_mb_per_hour
from benchmarks.soak.traffic import Asked


def test_error_beside_a_fault_is_counted_apart() -> None:
    asked = [Asked("flat", at, at + 1, 200 if at != 5 else 503, at != 5) for at in range(20)]
    assert error_rates(asked, [(4.5, 5.5)])["errors_outside_faults"] == 0
    assert error_rates(asked, [(8.0, 9.0)])["errors_outside_by_kind"] == {"flat 503": 1}


def test_request_under_way_in_a_fault_counts_as_inside() -> None:
    assert error_rates([Asked("flat", 0.0, 10.0, 0, False)], [(4.0, 5.0)])["requests_outside_faults"] == 0


def test_slope_is_told_after_the_warm_up() -> None:
    samples = [(float(at), 50.0 if at < 100 else 60.0 + at / 3600) for at in range(0, 400, 5)]
    assert slope_mb_per_hour(samples, from_s=100) == pytest.approx(1.0)
    assert slope_mb_per_hour(samples, from_s=390) is None
