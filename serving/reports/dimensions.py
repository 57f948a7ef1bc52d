"""What losses are cut by, and the words that stand for each value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, case, func
from sqlalchemy.orm import InstrumentedAttribute

from serving.reports import endings
from serving.tables import LossRow

NOT_SET = "(not set)"
AMOUNT = "amount"
_AMOUNTS = {
    "under-10k": ("under 10 k", 10_000),
    "10k-50k": ("10 k to under 50 k", 50_000),
    "50k-250k": ("50 k to under 250 k", 250_000),
    "from-250k": ("250 k and more", None),
}


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something that losses are cut by.

    Args:
        name: In a query string.
        label: For people.
        column: Gives its value of each loss, `NOT_SET` where it has none.
        values: Its values and their labels where they are a closed list, in their order; else empty.
    """

    name: str
    label: str
    column: Callable[[], ColumnElement[str]]
    values: Mapping[str, str] = field(default_factory=dict)

    def label_of(self, value: str) -> str:
        """Gives a value for people."""
        return self.values.get(value, value)


def _field(name: str, label: str, column: InstrumentedAttribute[str | None]) -> Dimension:
    return Dimension(name, label, lambda: func.coalesce(column, NOT_SET))


def _amount_band() -> ColumnElement[str]:
    """Gives the band of a deal's amount, in the deal's own currency: who counts with it keeps to one currency."""
    *bounded, last = _AMOUNTS.items()
    bands = [(LossRow.amount < below, code) for code, (_, below) in bounded]
    return case((LossRow.amount.is_(None), NOT_SET), *bands, else_=last[0])


def amount_band(amount: float | None) -> str | None:
    """Gives the label of an amount's band, None without an amount."""
    if amount is None:
        return None
    return next(label for label, below in _AMOUNTS.values() if below is None or amount < below)


DIMENSIONS: Mapping[str, Dimension] = {
    dimension.name: dimension
    for dimension in (
        _field("segment", "Segment", LossRow.segment),
        _field("product", "Product", LossRow.product),
        _field("team", "Team", LossRow.team),
        _field("region", "Region", LossRow.region),
        _field("stage", "Stage at loss", LossRow.stage),
        Dimension(
            AMOUNT, "Amount", _amount_band, {**{code: label for code, (label, _) in _AMOUNTS.items()}, NOT_SET: NOT_SET}
        ),
        _field("rival", "Rival", LossRow.rival),
        Dimension(
            "ending", "Ending", endings.ending_of_loss, {str(code): text for code, text in endings.LABELS.items()}
        ),
    )
}
