"""Counts and money of lost deals, summed by the database: by reason, by month, by ending, by whatever a cut groups by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from serving.people.access import Viewer
from serving.reports.cuts import Cut
from serving.reports.dimensions import DIMENSIONS
from serving.reports.endings import ending_of_loss
from serving.reports.intervals import Tally
from serving.reports.scope import Scope, Where, find_usual_currency, read_where
from serving.tables import LossReasonRow, LossRow

Key = tuple[Any, ...]
Axis = ColumnElement[Any] | InstrumentedAttribute[Any]
_NOTHING = Tally()


@dataclass(frozen=True)
class Losses:
    """The losses of a cut by primary reason, period and ending.

    Args:
        scope: What counts.
        cells: Tally by (reason, first day of the period, ending); cells without deals are not there.
        periods: First day of each period of the window, oldest first.
    """

    scope: Scope
    cells: Mapping[Key, Tally]
    periods: tuple[date, ...]

    @cached_property
    def whole(self) -> Tally:
        """All losses together."""
        return sum(self.by_ending.values(), _NOTHING)

    @cached_property
    def by_reason(self) -> dict[str, Tally]:
        """Tally by primary reason, the most frequent first."""
        return _ordered({key[0]: tally for key, tally in folded(self._by_reason_and_period, 0).items()})

    @cached_property
    def by_ending(self) -> dict[str, Tally]:
        """Tally by ending."""
        return {key[0]: tally for key, tally in folded(self.cells, 2).items()}

    @cached_property
    def by_period(self) -> dict[date, Tally]:
        """Tally by period, also of those without a deal."""
        found = folded(self._by_reason_and_period, 1)
        return {period: found.get((period,), _NOTHING) for period in self.periods}

    def of_reason(self, code: str) -> dict[date, Tally]:
        """Gives the tally by period of one primary reason, also of those without a deal."""
        return {period: self._by_reason_and_period.get((code, period), _NOTHING) for period in self.periods}

    @cached_property
    def _by_reason_and_period(self) -> dict[Key, Tally]:
        return folded(self.cells, 0, 1)


def read_losses(session: Session, viewer: Viewer, cut: Cut) -> Losses:
    """Gives the losses of a cut that a viewer may see, in one query; a second one first where the cut reads amounts."""
    where, kept = read_where(session, viewer, cut)
    periods = cut.periods
    axes = (LossRow.primary_reason, period_of_loss(periods), ending_of_loss(), LossRow.currency)
    tallies = read_tallies(session, where, *axes)
    by_currency = {key[0]: tally for key, tally in folded(tallies, 3).items()}
    priced = {code: tally.priced for code, tally in by_currency.items()}
    currency = kept.currency if kept else find_usual_currency(priced)
    deals, in_currency = sum(tally.deals for tally in by_currency.values()), priced.get(currency, 0)
    scope = Scope(
        cut=cut,
        where=where,
        deals=deals,
        currency=currency,
        priced=in_currency,
        without_amount=deals - sum(priced.values()),
        other_currency=sum(priced.values()) - in_currency,
        left_out=kept.left_out if kept else 0,
    )
    cells = in_one_currency(tallies, currency).items()
    return Losses(scope, {(code, periods[number], end): tally for (code, number, end), tally in cells}, tuple(periods))


def read_applying(session: Session, scope: Scope) -> dict[str, int]:
    """Gives in how many losses each reason applies, be it the primary one or beside it."""
    query = select(LossReasonRow.code, func.count()).join(LossRow, LossRow.deal_id == LossReasonRow.deal_id)
    rows = session.execute(query.where(*scope.where).group_by(LossReasonRow.code))
    return dict(rows.all())


def read_groups(session: Session, scope: Scope, by: str) -> dict[str, dict[str, Tally]]:
    """Gives the tally by primary reason of each value of a dimension; values in their own order, else the most frequent first.

    Args:
        session: An open session.
        scope: What counts.
        by: Name of the dimension.
    """
    dimension = DIMENSIONS[by]
    tallies = read_tallies(session, scope.where, dimension.column(), LossRow.primary_reason, LossRow.currency)
    groups: dict[str, dict[str, Tally]] = defaultdict(dict)
    for (value, code), tally in in_one_currency(tallies, scope.currency).items():
        groups[value][code] = tally
    sizes = _ordered({value: sum(reasons.values(), _NOTHING) for value, reasons in groups.items()})
    order = [value for value in dimension.values if value in sizes] or sizes
    return {value: groups[value] for value in order}


def read_tallies(session: Session, where: Where, *axes: Axis) -> dict[Key, Tally]:
    """Gives the tally of each combination of the axes' values that has a deal; its money is of one currency where that is an axis."""
    names = [f"axis_{number}" for number in range(len(axes))]  # PostgreSQL takes a repeated expression for another one
    amount = LossRow.amount
    sums = (func.count(), func.count(amount), func.sum(amount), func.sum(amount * amount))
    labelled = [axis.label(name) for axis, name in zip(axes, names, strict=True)]
    rows = session.execute(select(*labelled, *sums).where(*where).group_by(*names))
    places = len(axes)
    return {tuple(row[:places]): Tally(row[-4], row[-3], row[-2] or 0.0, row[-1] or 0.0) for row in rows}


def in_one_currency(cells: Mapping[Key, Tally], currency: str | None) -> dict[Key, Tally]:
    """Gives the cells without their last place, the currency; money in another one than this counts no more."""
    kept = {key: tally if key[-1] == currency else Tally(tally.deals) for key, tally in cells.items()}
    places = range(len(next(iter(cells), ())) - 1)
    return folded(kept, *places)


def folded(cells: Mapping[Key, Tally], *places: int) -> dict[Key, Tally]:
    """Gives the cells summed over all but these places of their keys."""
    sums: dict[Key, Tally] = defaultdict(Tally)
    for key, tally in cells.items():
        kept = tuple(key[place] for place in places)
        sums[kept] = sums[kept] + tally
    return dict(sums)


def _ordered(tallies: Mapping[str, Tally]) -> dict[str, Tally]:
    return dict(sorted(tallies.items(), key=lambda item: (-item[1].deals, item[0])))


def period_of_loss(periods: list[date]) -> ColumnElement[int]:
    """Gives the column that numbers the period of each loss; plain comparisons, as each database has its own parts of dates."""
    *earlier, last = range(len(periods))
    if not earlier:
        return literal(last)
    return case(*((LossRow.lost_on < periods[number + 1], number) for number in earlier), else_=last)
