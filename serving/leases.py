"""When a lease may be taken over: a clock that has jumped says nothing about how long another worker has held one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock

_TOLERATED_S = 60.0


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
