"""The month that a loss review is about, and the months it is set beside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta

from serving.reports.cuts import Cut, CutError

_SHAPE = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1980, 2199


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month.

    Args:
        first: Its first day.
    """

    first: date

    @classmethod
    def of(cls, day: date) -> Month:
        """Gives the month that a day is in."""
        return cls(day.replace(day=1))

    @property
    def last(self) -> date:
        """Its last day."""
        return self.first + relativedelta(day=31)

    @property
    def label(self) -> str:
        """The month for people."""
        return f"{self.first:%B %Y}"

    def back(self, months: int) -> Month:
        """Gives the month so many before this one."""
        return Month(self.first - relativedelta(months=months))

    def cut(self, team: str | None = None, *, months: int = 1) -> Cut:
        """Gives the cut of this month, or of several that end with it.

        Args:
            team: The sales team; None counts all.
            months: How many, 1 or more.
        """
        filters = {} if team is None else {"team": team}
        return Cut(self.back(months - 1).first, self.last, filters)

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"


def parse_month(text: str, *, today: date) -> Month:
    """Gives the month of a text such as `2026-10`.

    Args:
        text: Year and month.
        today: A month that begins after it has no losses yet.

    Raises:
        CutError: It is no month, or has not begun.
    """
    found = _SHAPE.fullmatch(text.strip())
    year, month = (int(part) for part in found.groups()) if found else (0, 0)
    if not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12):
        raise CutError("'month' is not a month; write it as YYYY-MM, such as 2026-10.", field="month")
    if (first := date(year, month, 1)) > today:
        raise CutError(f"'month' ({first:%Y-%m}) has not begun; give an earlier one.", field="month")
    return Month(first)
