"""The cut of a report: which losses it counts, what it groups them by, and how few deals are too few to say anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from dateutil.relativedelta import relativedelta
from sqlalchemy import ColumnElement

from lossnlp.errors import LossNlpError
from serving.people.access import Viewer, sees_loss
from serving.reports.dimensions import DIMENSIONS
from serving.tables import LossRow

MINIMUM = 10
LEAST_MINIMUM = 5  # below, an interval spans nearly everything
_MONTHS = 6
_MOST_VALUE_CHARS = 300
_MOST_PERIODS = 40
_NAMES = ("since", "until", "by", "minimum", *DIMENSIONS)


class CutError(LossNlpError):
    """Says that a query string is no cut; `field` is the parameter to mend."""

    code = "bad_cut"


@dataclass(frozen=True, slots=True)
class Cut:
    """Which losses count.

    Args:
        since: First day of the window.
        until: Last day of the window, itself counted.
        filters: Value by name of a dimension.
        by: Name of the dimension that losses are grouped by; None groups by none.
        minimum: Fewest deals that a figure is shown for, 5 or more.
    """

    since: date
    until: date
    filters: Mapping[str, str]
    by: str | None = None
    minimum: int = MINIMUM

    @property
    def query(self) -> str:
        """The query string that `parse_cut` reads again."""
        plain: dict[str, Any] = {"since": self.since, "until": self.until, **self.filters}
        if self.by:
            plain["by"] = self.by
        if self.minimum != MINIMUM:
            plain["minimum"] = self.minimum
        return urlencode(plain)

    def narrowed(self, dimension: str, value: str) -> Cut:
        """Gives the same cut with one more value fixed."""
        return replace(self, filters={**self.filters, dimension: value}, by=None if self.by == dimension else self.by)

    def grouped(self, by: str) -> Cut:
        """Gives the same cut grouped by a dimension."""
        return replace(self, by=by)

    def conditions(self, viewer: Viewer, *, without: str | None = None) -> list[ColumnElement[bool]]:
        """Gives what a loss must meet to count: in sight of the viewer, in the window, of each value.

        Args:
            viewer: Who looks.
            without: Name of a dimension whose filter is left out.
        """
        values = [DIMENSIONS[name].column() == value for name, value in sorted(self.filters.items()) if name != without]
        return [sees_loss(viewer), LossRow.lost_on.between(self.since, self.until), *values]

    @property
    def periods(self) -> list[date]:
        """The first days of the months of the window, of its quarters or years where months would be too many."""
        first = self.since.replace(day=1)
        months = (self.until.year - first.year) * 12 + self.until.month - first.month + 1
        step = next((step for step in (1, 3) if months <= step * _MOST_PERIODS), 12)
        first = first.replace(month=(first.month - 1) // step * step + 1)
        starts = (first + relativedelta(months=step * number) for number in range(months // step + 2))
        return [start for start in starts if start <= self.until]


def parse_cut(query: Mapping[str, str], *, today: date) -> Cut:
    """Gives the cut of a query string; the last six months where it names no window, and blank values count as not given.

    Args:
        query: Value by parameter: `since`, `until` (YYYY-MM-DD), `by`, `minimum`, or a dimension.
        today: The day that a window without an end reaches to.

    Raises:
        CutError: A parameter is unknown or its value cannot be used; names it.
    """
    given = {name: value.strip() for name, value in query.items() if value.strip()}
    for name in given:
        if name not in _NAMES:
            raise CutError(f"There is no '{name[:40]}' to cut by; use {', '.join(_NAMES)}.", field=name)
    since, until = _window(given, today)
    return Cut(since, until, _filters(given), by=_by(given), minimum=_minimum(given))


def _window(given: Mapping[str, str], today: date) -> tuple[date, date]:
    until = _day(given, "until") or max(today, _day(given, "since") or today)
    try:
        since = _day(given, "since") or until - relativedelta(months=_MONTHS) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise CutError("'until' lies before any deal; give a later day.", field="until") from None
    if since > until:
        raise CutError(f"'since' ({since}) lies after 'until' ({until}); swap them or mend one.", field="since")
    return since, until


def _day(given: Mapping[str, str], name: str) -> date | None:
    if name not in given:
        return None
    try:
        day = date.fromisoformat(given[name])
    except ValueError:
        raise CutError(f"'{name}' is not a day; write it as YYYY-MM-DD, such as 2026-01-31.", field=name) from None
    if not 1970 <= day.year <= 2200:
        raise CutError(f"'{name}' is not in the years 1970 to 2200; give a day that deals were lost on.", field=name)
    return day


def _filters(given: Mapping[str, str]) -> dict[str, str]:
    filters = {name: given[name] for name in DIMENSIONS if name in given}
    for name, value in filters.items():
        known = DIMENSIONS[name].values
        if known and value not in known:
            raise CutError(f"'{name}' is none of its values; use one of: {', '.join(known)}.", field=name)
        if len(value) > _MOST_VALUE_CHARS or "\x00" in value:
            raise CutError(f"'{name}' is longer than any value that is kept; shorten it.", field=name)
    return filters


def _by(given: Mapping[str, str]) -> str | None:
    by = given.get("by")
    if by is not None and by not in DIMENSIONS:
        raise CutError(f"'by' is nothing that losses are grouped by; use one of: {', '.join(DIMENSIONS)}.", field="by")
    return by


def _minimum(given: Mapping[str, str]) -> int:
    text = given.get("minimum", str(MINIMUM))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
    if number < LEAST_MINIMUM:
        raise CutError(
            f"'minimum' is not a number of deals; give a whole number from {LEAST_MINIMUM} on.", field="minimum"
        )
    return number
