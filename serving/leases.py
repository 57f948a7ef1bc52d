"""What is due, and when a lease may be taken over, by a clock that may have jumped since something was dated by it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

_TOLERATED_S = 60.0


def is_ripe(
    due_at: InstrumentedAttribute[datetime],
    made_at: InstrumentedAttribute[datetime],
    *,
    at: datetime,
    longest_pause_s: float,
) -> ColumnElement[bool]:
    """Gives the condition that a row is due by this clock, or that a clock which has been set back since has dated it ahead of it.

    Args:
        due_at: When it is due.
        made_at: When it was made; what is due then was never put off.
        at: The moment.
        longest_pause_s: The longest that anything is put off, in seconds.
    """
    return or_(due_at <= at, due_at <= made_at, due_at > at + timedelta(seconds=longest_pause_s))


class ClockWatch:
    """Watches a clock beside one that never jumps.

    A lease ends at a moment of the clock. Where that clock is set forward, a lease that was taken a second ago looks as if it had run
    out, while its holder may be sending. Nothing is taken over then until as much time has really passed as a lease lasts.

    Args:
        steady: Gives seconds that neither jump nor stand still; tests hand in their own.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._last: tuple[datetime, float] | None = None
        self._trusted_from_s = float("-inf")
        self._lock = Lock()

    def may_take_over(self, at: datetime, *, lease_s: float) -> bool:
        """Says whether a lease that looks as if it had run out may be taken over.

        Args:
            at: The moment, by the clock that leases are dated by.
            lease_s: How long a lease lasts, in seconds.
        """
        with self._lock:
            steady_s = self._steady()
            if self._last is not None:
                shown_s = (at - self._last[0]).total_seconds()
                if shown_s - (steady_s - self._last[1]) > _TOLERATED_S:
                    self._trusted_from_s = steady_s + lease_s
            self._last = at, steady_s
            return steady_s >= self._trusted_from_s
