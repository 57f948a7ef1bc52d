"""The charts of drift: the same figures as the tables beside them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from serving.drift.accuracy import Accuracy, MonthAccuracy
from serving.drift.weeks import Week
from serving.reports.plots import Point, Words, draw_lines

_ASKED, _CONFIDENCE, _UNKNOWN = "A person is asked", "Mean confidence", "Words outside the vocabulary"
_DRAWN_LINE, _ASKED_LINE = "Drawn for the audit", "A person was asked"


def weeks_chart(weeks: Sequence[Week]) -> Markup | None:
    """Gives what moves week by week; None where there is nothing to draw."""
    points = [
        Point(line, f"{week.monday:%Y-%m-%d}", share)
        for week in weeks
        for line, share in ((_ASKED, week.asked), (_CONFIDENCE, week.confidence), (_UNKNOWN, week.unknown))
    ]
    about = "Three lines over 26 weeks by day of loss; weeks with few deals have a hole."
    return _draw(points, Words("What comes in and what is read, week by week", about))


def accuracy_chart(months: Sequence[MonthAccuracy]) -> Markup | None:
    """Gives the accuracy month by month, deals drawn apart from deals asked about; None where there is nothing to draw."""
    points = [
        _point(line, f"{month.month:%Y-%m}", found)
        for month in months
        for line, found in ((_DRAWN_LINE, month.drawn), (_ASKED_LINE, month.asked))
    ]
    about = "Two lines over twelve months of loss. The table beside it holds each month with its interval."
    return _draw(points, Words("How often people found the primary reason right", about))


def _draw(points: list[Point], words: Words) -> Markup | None:
    return draw_lines(tuple(points), words) if any(point.share is not None for point in points) else None


def _point(line: str, period: str, found: Accuracy) -> Point:
    if found.share is None:
        return Point(line, period, None)
    return Point(line, period, found.share.value, found.share.low, found.share.high)
