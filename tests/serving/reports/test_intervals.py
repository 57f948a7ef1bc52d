from __future__ import annotations

import pytest

from serving.reports.intervals import Tally, money_share_of, share_of


@pytest.mark.parametrize(
    ("count", "whole", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),  # the examples of Newcombe, Statistics in Medicine 17 (1998)
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_equals_published_one(count: int, whole: int, low: float, high: float) -> None:
    share = share_of(count, whole)
    assert (share.low, share.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert share.value == count / whole


def test_equal_amounts_share_as_deals_do() -> None:
    share = money_share_of(Tally(30, 30, 60.0, 120.0), Tally(100, 100, 200.0, 400.0))
    assert share is not None
    assert share.value == pytest.approx(0.3)
    assert share.low == pytest.approx(0.3 - 1.96 * (0.3 * 0.7 / 99) ** 0.5, abs=1e-4)
    assert share.high - share.value == pytest.approx(share.value - share.low)


def test_one_large_deal_makes_money_uncertain() -> None:
    even = money_share_of(Tally(50, 50, 50.0, 50.0), Tally(100, 100, 100.0, 100.0))
    uneven = money_share_of(Tally(1, 1, 50.0, 2500.0), Tally(51, 51, 100.0, 2550.0))
    assert even is not None
    assert uneven is not None
    assert uneven.high - uneven.low > 4 * (even.high - even.low)


@pytest.mark.parametrize("whole", [Tally(), Tally(5), Tally(1, 1, 10.0, 100.0), Tally(2, 2, 0.0, 0.0)])
def test_without_money_there_is_no_share(whole: Tally) -> None:
    assert money_share_of(Tally(), whole) is None
