"""What changed in a month: against the month before it, and against the six months before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import sqrt

from sqlalchemy import func, select

from serving.people.access import sees_loss
from serving.rendering import percent
from serving.reports.coaching_sheets import compared
from serving.reports.dimensions import DIMENSIONS
from serving.reports.endings import LABELS, Ending
from serving.reports.intervals import Estimate, Share, Tally
from serving.reports.pack_month import Month
from serving.reports.pack_section import Section
from serving.reports.report import Report
from serving.reports.shares import Losses, folded, read_losses
from serving.reports.sheets import Cell, Column, Held, Row, Sheet
from serving.tables import LossRow

MONTHS = 6
NO_CHANGE = "no clear change"
_Z = 1.959963984540054  # 97.5 % of a normal distribution lie below
_MOST_ROWS = 10
_ENDINGS: tuple[Ending, ...] = ("competitive", "no_decision")
_NOTHING = Tally()
_NOTE = (
    "A change is clear where the two 95 % intervals do not overlap. That is a strict test: small changes stay unseen, and among the "
    "many lines of this table one may still look clear by chance. Shares of several months are those of all their deals together."
)


@dataclass(frozen=True, slots=True)
class Past:
    """The six months before a month.

    Args:
        losses: What was lost in them.
        before: The last of them.
        months: How many of them there are losses from, or of a time after the first loss.
    """

    losses: Losses
    before: Month
    months: int

    @property
    def before_deals(self) -> int:
        """The deals of the month before."""
        return self.losses.by_period[self.before.first].deals

    @property
    def span(self) -> str:
        """The months for people."""
        return "1 month" if self.months == 1 else f"{self.months} months"


@dataclass(frozen=True, slots=True)
class _Line:
    """A share that may have changed: its deals in the month, in the month before, in the six months."""

    label: str
    deals: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Change:
    """A line with its shares and what is to be said of them."""

    label: str
    share: Share
    before: Share | Held
    beside_before: str
    past: Share | Held
    beside_past: str

    @property
    def is_clear(self) -> bool:
        """Whether it changed clearly against either."""
        return {self.beside_before, self.beside_past} & {"more often", "less often"} != set()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The change as a row of the table."""
        return self.label, self.share, self.before, self.beside_before, self.past, self.beside_past


def read_past(report: Report, month: Month, team: str | None) -> Past:
    """Gives the six months before a month, for the same viewer and team."""
    before = month.back(1)
    losses = read_losses(report.session, report.viewer, before.cut(team, months=MONTHS))
    here = (sees_loss(report.viewer), *(() if team is None else (DIMENSIONS["team"].column() == team,)))
    first = report.session.scalar(select(func.min(LossRow.lost_on)).where(*here))
    months = sum(first is not None and Month.of(first).first <= period for period in losses.periods)
    return Past(losses, before, months)


def changes_section(report: Report, past: Past, *, is_over: bool) -> Section:
    """Gives what changed.

    Args:
        report: The report on the month.
        past: The six months before it.
        is_over: Whether the month is over; numbers of deals are set beside one another only then.
    """
    changes = [_change(report, past, line) for line in _lines(report.losses, past, report)]
    changes.sort(key=lambda change: (not change.is_clear, -change.share.value, change.label))
    volume, said = _volume_sheet(report, past, is_over=is_over)
    clear = [sentence for change in changes if change.is_clear for sentence in _sentences(change, past)]
    points = (said, *(clear or ("No share of a reason or an ending changed clearly.",)))
    rows = tuple(Row(change.cells) for change in changes[:_MOST_ROWS])
    sheet = Sheet("changes", "Shares beside those of earlier months", _columns(past), rows, (_NOTE,))
    return Section("changes", "What changed", points, sheets=(volume, sheet))


def estimate_count(deals: int, *, months: int = 1) -> Estimate:
    """Gives a number of deals a month with the interval that chance alone gives it.

    Args:
        deals: How many were counted.
        months: In how many months, 1 or more.

    Source: Byar's approximation to Poisson limits, in Breslow and Day, Statistical Methods in Cancer Research II (1987), 2.13.
    """
    low = deals * (1 - 1 / (9 * deals) - _Z / (3 * sqrt(deals))) ** 3 if deals else 0.0
    more = deals + 1
    high = more * (1 - 1 / (9 * more) + _Z / (3 * sqrt(more))) ** 3
    return Estimate(deals / months, low / months, high / months)


def _lines(losses: Losses, past: Past, report: Report) -> Iterator[_Line]:
    before = past.before.first
    for code in {*losses.by_reason, *past.losses.by_reason}:
        counts = past.losses.of_reason(code)
        now = losses.by_reason.get(code, _NOTHING).deals
        yield _Line(report.label(code), (now, counts[before].deals, _deals(counts.values())))
    ended = folded(past.losses.cells, 1, 2)
    for ending in _ENDINGS:
        now = losses.by_ending.get(ending, _NOTHING).deals
        earlier = past.losses.by_ending.get(ending, _NOTHING).deals
        yield _Line(LABELS[ending], (now, ended.get((before, ending), _NOTHING).deals, earlier))


def _deals(tallies: Iterable[Tally]) -> int:
    return sum(tally.deals for tally in tallies)


def _change(report: Report, past: Past, line: _Line) -> _Change:
    wholes = (report.losses.whole.deals, past.before_deals, past.losses.whole.deals)
    share, before, earlier = (report.share(deals, whole) for deals, whole in zip(line.deals, wholes, strict=True))
    assert isinstance(share, Share)  # noqa: S101 (nothing is compared in a month of too few deals)
    return _Change(line.label, share, before, _beside(share, before), earlier, _beside(share, earlier))


def _beside(share: Share, other: Share | Held) -> str:
    said = compared(share, other)
    return "too few to say" if said is None else said.replace("no clear difference", NO_CHANGE)


def _sentences(change: _Change, past: Past) -> Iterator[str]:
    for said, other, when in (
        (change.beside_before, change.before, "in the month before"),
        (change.beside_past, change.past, f"in the {past.span} before"),
    ):
        if isinstance(other, Share) and said != NO_CHANGE:
            yield f"{change.label}: {said} than {when}, {percent(change.share.value)} against {percent(other.value)}."


def _columns(past: Past) -> tuple[Column, ...]:
    return (
        Column("line", "Share of"),
        Column("share", "This month", "share"),
        Column("before", "Month before", "share"),
        Column("beside_before", "Beside it"),
        Column("past", f"{past.span} before" if past.months else "Months before", "share"),
        Column("beside_past", "Beside them"),
    )


def _volume_sheet(report: Report, past: Past, *, is_over: bool) -> tuple[Sheet, str]:
    """Gives how many deals were lost and for how much, and the sentence that says so."""
    whole, currency = report.losses.whole, report.scope.currency
    deals = estimate_count(whole.deals)
    rows, said = [Row(("This month", deals, whole.amount, None))], []
    is_same = past.losses.scope.currency == currency or not past.losses.scope.priced
    for label, when, tally, months in _windows(past):
        if not report.scope.is_enough(tally.deals):
            rows.append(Row((label, report.too_few, report.too_few, None)))
            continue
        mean = estimate_count(tally.deals, months=months)
        finding = _beside_count(deals, mean, is_over=is_over)
        money: Cell = tally.amount / months if is_same else Held("in another currency")
        rows.append(Row((label, mean, money, finding)))
        said.append(f"{mean.value:,.0f} {when} ({finding})")
    columns = (
        Column("window", "Lost in"),
        Column("deals", "Deals", "estimate"),
        Column("money", f"Money, {currency}" if currency else "Money", "money"),
        Column("beside", "This month has"),
    )
    sentence = "; ".join([f"{whole.deals:,} deals were lost", *said])
    return Sheet("volume", "Deals and money", columns, tuple(rows)), f"{sentence}."


def _windows(past: Past) -> Iterator[tuple[str, str, Tally, int]]:
    """Gives the windows that a month is set beside: for the table, for a sentence, what was lost, in how many months."""
    if past.months:
        yield "Month before", "in the month before", past.losses.by_period[past.before.first], 1
        when = f"in the {past.span} before"
        yield f"A month, {when}", f"a month {when}", past.losses.whole, past.months


def _beside_count(deals: Estimate, other: Estimate, *, is_over: bool) -> str:
    if not is_over:
        return "the month is not over"
    if deals.low > other.high:
        return "clearly more now"
    return "clearly fewer now" if deals.high < other.low else NO_CHANGE
