"""The tables of the loss review: why deals were lost, how they ended, how that moves, and how groups differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from serving.reports import endings, shares
from serving.reports.correction import read_correction
from serving.reports.dimensions import DIMENSIONS
from serving.reports.intervals import Tally, share_of
from serving.reports.report import Report
from serving.reports.sheets import Cell, Column, Row, Sheet

_NO_DEALS = Tally()
_DEALS = Column("deals", "Deals", "deals")
_SHARE = Column("share", "Share of deals", "share")
_ENDINGS: tuple[tuple[str, tuple[endings.Ending, ...]], ...] = (
    ("Lost, in all", endings.LOST),
    *((endings.LABELS[ending], (ending,)) for ending in endings.LOST),
    ("Dead, in all", endings.DEAD),
    *((endings.LABELS[ending], (ending,)) for ending in endings.DEAD),
    (endings.LABELS["unclear"], ("unclear",)),
)
_ENDINGS_NOTE = (
    "A dead deal ended without a winner: nobody decided, it went silent, it comes later, or it was never one. A deal that somebody "
    "else won counts as lost whatever its reason; an incumbent who merely stays does not make it so."
)
_CORRECTED_NOTE = (
    "The errors were measured on {judged} deals that a person has judged. A deal that nobody has judged counts as what it would turn "
    "out to be; the interval holds the chance in that, and what is not known of the errors."
)


def reasons_sheet(report: Report) -> Sheet:
    """Gives share and money per primary reason."""
    whole = report.losses.whole
    columns = (Column("reason", "Primary reason"), _DEALS, _SHARE, *_money_columns(report))
    rows = tuple(
        Row(
            (report.label(code), tally.deals, share_of(tally.deals, whole.deals), *report.money(tally, whole)),
            report.page_of(code),
        )
        for code, tally in report.losses.by_reason.items()
    )
    return Sheet("reasons", "Primary reasons", columns, rows)


def applying_sheet(report: Report) -> Sheet:
    """Gives how often each reason applies at all, be it the primary one or beside it."""
    by_reason, whole = report.losses.by_reason, report.losses.whole.deals
    applying = shares.read_applying(report.session, report.scope)
    columns = (
        Column("reason", "Reason"),
        Column("primary", "Primary", "deals"),
        Column("deals", "Primary or beside it", "deals"),
        _SHARE,
    )
    rows = tuple(
        Row((report.label(code), by_reason.get(code, _NO_DEALS).deals, deals, share_of(deals, whole)))
        for code, deals in sorted(applying.items(), key=lambda item: (-item[1], item[0]))
    )
    note = "Several reasons may apply to a deal, so that these shares add up to more than 100 %."
    return Sheet("applying", "Reasons that apply at all", columns, rows, (note,))


def endings_sheet(report: Report) -> Sheet:
    """Gives lost deals against dead ones, and no decision apart from competitive losses."""
    by_ending, whole = report.losses.by_ending, report.losses.whole
    rows = []
    for label, kinds in _ENDINGS:
        tally = sum((by_ending.get(kind, _NO_DEALS) for kind in kinds), _NO_DEALS)
        rows.append(Row((label, tally.deals, share_of(tally.deals, whole.deals), *report.money(tally, whole))))
    columns = (Column("ending", "Ending"), _DEALS, _SHARE, *_money_columns(report))
    return Sheet("endings", "Lost or dead", columns, tuple(rows), (_ENDINGS_NOTE,))


def trend_sheet(report: Report, *, most: int | None = None) -> Sheet:
    """Gives the share of each primary reason by period.

    Args:
        report: The report being made.
        most: How many reasons, the most frequent first; None gives all.
    """
    codes = list(report.losses.by_reason)[:most]
    sizes = report.losses.by_period
    counts = {code: report.losses.of_reason(code) for code in codes}
    rows = (
        (period, whole.deals, *(report.share(counts[code][period].deals, whole.deals) for code in codes))
        for period, whole in sizes.items()
    )
    columns = (Column("period", "Lost in"), _DEALS, *(Column(code, report.label(code), "share") for code in codes))
    return Sheet("trend", "Reasons over time", columns, _by_period(report, rows))


def groups_sheet(report: Report, *, by: str, most: int | None = None) -> Sheet:
    """Gives money and the share of each primary reason by the values of a dimension.

    Args:
        report: The report being made.
        by: Name of the dimension.
        most: How many reasons, the most frequent first; None gives all.
    """
    codes = list(report.losses.by_reason)[:most]
    groups = shares.read_groups(report.session, report.scope, by)
    columns = (
        Column(by, DIMENSIONS[by].label),
        _DEALS,
        _money_columns(report)[0],
        *(Column(code, report.label(code), "share") for code in codes),
    )
    rows = [_group_row(report, by, value, reasons, codes=codes) for value, reasons in groups.items()]
    return Sheet("groups", f"By {DIMENSIONS[by].label.lower()}", columns, tuple(rows))


def _group_row(report: Report, by: str, value: str, reasons: Mapping[str, Tally], *, codes: Sequence[str]) -> Row:
    whole = sum(reasons.values(), _NO_DEALS)
    label = DIMENSIONS[by].label_of(value)
    if not report.scope.is_enough(whole.deals):
        return Row((label, *(report.too_few for _ in range(2 + len(codes)))))
    found = (share_of(reasons.get(code, _NO_DEALS).deals, whole.deals) for code in codes)
    return Row(
        (label, whole.deals, report.money(whole, whole)[0], *found),
        f"/losses?{report.scope.cut.narrowed(by, value).query}",
    )


def corrected_sheet(report: Report) -> Sheet:
    """Gives counts corrected for the model's errors; as counted, with the cause, where these are not known well enough."""
    counted = report.losses.by_reason
    correction = read_correction(report.session, report.viewer, report.scope, report.taxonomy.codes)
    caption, columns = (
        "Corrected for errors of the model",
        (Column("reason", "Primary reason"), Column("counted", "As counted", "deals")),
    )
    if correction.shortage:
        plain = tuple(Row((report.label(code), tally.deals)) for code, tally in counted.items())
        return Sheet("corrected", caption, columns, plain, (f"Counts are not corrected: {correction.shortage}.",))
    found = sorted(correction.counts.items(), key=lambda item: -item[1].value)
    rows = tuple(
        Row((report.label(code), counted.get(code, _NO_DEALS).deals, estimate))
        for code, estimate in found
        if code in counted or estimate.value >= 1
    )
    note = _CORRECTED_NOTE.format(judged=correction.judged)
    return Sheet("corrected", caption, (*columns, Column("corrected", "Corrected", "estimate")), rows, (note,))


def reason_trend_sheet(report: Report, code: str) -> Sheet:
    """Gives how one primary reason moves."""
    sizes = report.losses.by_period
    rows = (
        (
            period,
            sizes[period].deals,
            tally.deals,
            report.share(tally.deals, sizes[period].deals),
            report.money(tally, sizes[period])[0],
        )
        for period, tally in report.losses.of_reason(code).items()
    )
    columns = (
        Column("period", "Lost in"),
        Column("deals", "All deals", "deals"),
        Column("with_reason", "For this reason", "deals"),
        _SHARE,
        _money_columns(report)[0],
    )
    return Sheet("trend", "Over time", columns, _by_period(report, rows))


def reason_groups_sheet(report: Report, code: str) -> Sheet:
    """Gives the share of one primary reason by what the cut groups by, or by segment."""
    by = report.scope.cut.by or "segment"
    columns = (
        Column(by, DIMENSIONS[by].label),
        Column("deals", "All deals", "deals"),
        _SHARE,
        _money_columns(report)[0],
    )
    rows = []
    for value, reasons in shares.read_groups(report.session, report.scope, by).items():
        whole = sum(reasons.values(), _NO_DEALS)
        tally = reasons.get(code, _NO_DEALS)
        shown: tuple[Cell, ...] = (whole.deals, share_of(tally.deals, whole.deals), report.money(tally, whole)[0])
        if not report.scope.is_enough(whole.deals):
            shown = (report.too_few,) * 3
        rows.append(Row((DIMENSIONS[by].label_of(value), *shown)))
    return Sheet("groups", f"By {DIMENSIONS[by].label.lower()}", columns, tuple(rows))


def _money_columns(report: Report) -> tuple[Column, Column]:
    currency = report.scope.currency
    money = Column("money", f"Money, {currency}" if currency else "Money", "money")
    return money, Column("money_share", "Share of money", "share")


def _by_period(report: Report, rows: Iterator[tuple[date | Cell, ...]]) -> tuple[Row, ...]:
    return tuple(Row((report.period_label(row[0]), *row[1:])) for row in rows if isinstance(row[0], date))
