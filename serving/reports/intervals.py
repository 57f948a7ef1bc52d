"""Shares with their 95 % intervals: of deals, and of money."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

_Z = 1.959963984540054  # 97.5 % of a normal distribution lie below


@dataclass(frozen=True, slots=True)
class Share:
    """A share between 0 and 1 and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of deals and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tally:
    """Deals, and the money of those whose amount counts.

    Args:
        deals: How many.
        priced: How many of them have an amount in the currency of the cut.
        amount: Sum of those amounts.
        squares: Sum of their squares.
    """

    deals: int = 0
    priced: int = 0
    amount: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        """Gives both together."""
        return Tally(
            self.deals + other.deals,
            self.priced + other.priced,
            self.amount + other.amount,
            self.squares + other.squares,
        )


def share_of(count: int, whole: int) -> Share:
    """Gives the share of `count` deals in `whole`, with Wilson's interval.

    Args:
        count: 0 to `whole`.
        whole: 1 or more.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927); recommended for small
        samples by Brown, Cai and DasGupta, Interval estimation for a binomial proportion, Statistical Science 16 (2001).
    """
    share, square = count / whole, _Z * _Z
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    half = _Z * sqrt(share * (1 - share) / whole + square / (4 * whole * whole)) / (1 + square / whole)
    return Share(share, 0.0 if count == 0 else middle - half, 1.0 if count == whole else middle + half)


def money_share_of(part: Tally, whole: Tally) -> Share | None:
    """Gives the share of the money of `whole` that is in `part`; None where no money or one deal alone counts.

    A few large deals make it uncertain, which the interval shows; it is approximate, and too narrow for very few deals.

    Args:
        part: Some of the deals of `whole`.
        whole: All deals.

    Source: Cochran, Sampling Techniques, 3rd ed. (1977), section 6.4: variance of a ratio of two sums, linearised.
    """
    if whole.amount <= 0 or whole.priced < 2:
        return None
    share = part.amount / whole.amount
    residues = part.squares * (1 - share) ** 2 + (whole.squares - part.squares) * share**2
    half = _Z * sqrt(max(residues, 0.0) * whole.priced / (whole.priced - 1)) / whole.amount
    return Share(share, max(share - half, 0.0), min(share + half, 1.0))
