"""The scope of a report: a cut as one viewer sees it, the currency that its money is in, and what is left out of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from serving.people.access import Viewer
from serving.reports.cuts import Cut
from serving.reports.dimensions import AMOUNT
from serving.tables import LossRow

Where = tuple[ColumnElement[bool], ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """The losses that a report counts.

    Args:
        cut: What was asked for.
        where: What a loss must meet to count; holds the rights of the viewer.
        deals: How many do.
        currency: Of all money in the report, the most frequent one; None where amounts come without one.
        priced: Deals whose amount is in it.
        without_amount: Deals that have none.
        other_currency: Deals whose amount is in another one; their money does not count.
        left_out: Deals that do not count at all, because the cut reads amounts and theirs is in another currency.
    """

    cut: Cut
    where: Where
    deals: int
    currency: str | None
    priced: int
    without_amount: int
    other_currency: int
    left_out: int = 0

    def is_enough(self, deals: int) -> bool:
        """Says whether a figure about so many deals is shown."""
        return deals >= self.cut.minimum


@dataclass(frozen=True, slots=True)
class OneCurrency:
    """The currency that a cut keeps to, and the deals that it leaves out for that."""

    currency: str | None
    left_out: int


def read_where(session: Session, viewer: Viewer, cut: Cut) -> tuple[Where, OneCurrency | None]:
    """Gives what a loss must meet to count, and the currency that the cut keeps to where it does.

    Bands of amounts mean nothing across currencies, so a cut that reads them keeps to deals in one, and to those without amount.
    """
    where = tuple(cut.conditions(viewer))
    if AMOUNT not in (*cut.filters, cut.by):
        return where, None
    query = select(LossRow.currency, func.count(LossRow.amount)).where(*cut.conditions(viewer, without=AMOUNT))
    priced = dict(session.execute(query.group_by(LossRow.currency)).all())
    currency = find_usual_currency(priced)
    is_in = LossRow.currency.is_(None) if currency is None else LossRow.currency == currency
    left_out = sum(priced.values()) - priced.get(currency, 0)
    return (*where, or_(LossRow.amount.is_(None), is_in)), OneCurrency(currency, left_out)


def find_usual_currency(priced: Mapping[str | None, int]) -> str | None:
    """Gives the currency of most amounts, None where most come without one or there are none."""
    return min(priced, key=lambda code: (-priced[code], code is None, code or ""), default=None)
