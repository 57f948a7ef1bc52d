"""The charts of the loss review: the same figures as the tables beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from markupsafe import Markup

from serving.reports.coaching_sheets import gaps_sheet
from serving.reports.intervals import Share, share_of
from serving.reports.loss_sheets import reason_groups_sheet, reason_trend_sheet, trend_sheet
from serving.reports.plots import MOST_LINES, Bar, Point, Square, Words, draw_bars, draw_heat, draw_lines
from serving.reports.report import Report
from serving.reports.sheets import Cell, Row, Sheet

_MOST_BARS = 12
_MOST_STAGES = 10
_MOST_SAID = 5

Chart = Callable[[Report], Markup | None]


def reasons_chart(report: Report) -> Markup | None:
    """Gives the shares of the most frequent primary reasons; None where there is nothing to draw."""
    whole = report.losses.whole.deals
    shares = [(report.label(code), share_of(tally.deals, whole)) for code, tally in report.losses.by_reason.items()]
    return _bars(shares[:_MOST_BARS], "Shares of the primary reasons")


def trend_chart(report: Report) -> Markup | None:
    """Gives how the most frequent primary reasons move; None where there is nothing to draw."""
    sheet = trend_sheet(report, most=MOST_LINES)
    names = [column.label for column in sheet.columns]
    points = [_point(names[place], row, cell) for place in range(2, len(names)) for row, cell in _column(sheet, place)]
    about = f"A line for each of {', '.join(names[2:])}. The table beside it holds each month with its interval."
    return _lines(points, Words("Shares of the most frequent reasons over time", about))


def gaps_chart(report: Report) -> Markup | None:
    """Gives the heat map of gaps by stage at loss; None where there is nothing to draw."""
    sheet = gaps_sheet(report).head(_MOST_STAGES)
    squares = tuple(
        Square(str(row.cells[0]), column.label, cell.value)
        for row in sheet.rows
        for column, cell in zip(sheet.columns, row.cells, strict=True)
        if isinstance(cell, Share)
    )
    if not squares:
        return None
    most = max(squares, key=lambda square: square.share or 0.0)
    about = f"The largest share is {_percent(most.share or 0.0)}: {most.column} at stage {most.row}. The table beside it holds all."
    return draw_heat(squares, Words("Share of deals with a gap, by stage at loss and element", about))


def reason_trend_chart(report: Report, code: str) -> Markup | None:
    """Gives how one primary reason moves, with its interval; None where there is nothing to draw."""
    sheet, label = reason_trend_sheet(report, code), report.label(code)
    points = [_point(label, row, cell) for row, cell in _column(sheet, 3)]
    said = [f"{row.cells[0]} {_percent(cell.value)}" for row, cell in _column(sheet, 3) if isinstance(cell, Share)]
    return _lines(points, Words(f"Share of {label} over time", "; ".join(said)))


def reason_groups_chart(report: Report, code: str) -> Markup | None:
    """Gives the share of one primary reason by group; None where there is nothing to draw."""
    sheet = reason_groups_sheet(report, code)
    shares = [(str(row.cells[0]), cell) for row, cell in _column(sheet, 2) if isinstance(cell, Share)]
    return _bars(shares[:_MOST_BARS], f"Share of {report.label(code)} {sheet.caption.lower()}")


def _bars(shares: list[tuple[str, Share]], title: str) -> Markup | None:
    if not shares:
        return None
    said = [
        f"{label} {_percent(share.value)}, between {_percent(share.low)} and {_percent(share.high)}"
        for label, share in shares[:_MOST_SAID]
    ]
    bars = tuple(Bar(label, share.value, share.low, share.high) for label, share in shares)
    return draw_bars(bars, Words(title, f"{'; '.join(said)}. The table beside it holds all."))


def _lines(points: list[Point], words: Words) -> Markup | None:
    return draw_lines(tuple(points), words) if any(point.share is not None for point in points) else None


def _point(line: str, row: Row, cell: Cell) -> Point:
    period = str(row.cells[0])
    return (
        Point(line, period, cell.value, cell.low, cell.high) if isinstance(cell, Share) else Point(line, period, None)
    )


def _column(sheet: Sheet, place: int) -> Iterator[tuple[Row, Cell]]:
    return ((row, row.cells[place]) for row in sheet.rows)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


CHARTS: dict[str, Chart] = {"reasons": reasons_chart, "trend": trend_chart, "gaps": gaps_chart}
REASON_CHARTS: dict[str, Callable[[Report, str], Markup | None]] = {
    "trend": reason_trend_chart,
    "groups": reason_groups_chart,
}
