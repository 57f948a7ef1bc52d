"""What the line counts for Prometheus: who waits, how long, in which rounds deals are read, and who is turned away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_DEALS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class LoadCounts:
    """Counts for one app; rows are `live` and `bulk`.

    Args:
        registry: Where they are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._assess_seconds = Histogram(
            "lossnlp_assess_seconds", "Time to read the round that a deal was in.", buckets=_SECONDS, registry=registry
        )
        self._waiting = Gauge(
            "lossnlp_waiting_deals",
            "Deals that wait to be read, by row.",
            ["row"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._wait_seconds = Histogram(
            "lossnlp_wait_seconds",
            "Time that a deal has waited to be read, by row.",
            ["row"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._round_deals = Histogram(
            "lossnlp_round_deals", "Deals that were read in one call.", buckets=_DEALS, registry=registry
        )
        self._refused = Counter(
            "lossnlp_refused",
            "Requests or deals turned away unread, by cause (full, late, expired or left) and row.",
            ["cause", "row"],
            registry=registry,
        )

    def show_row(self, row: str, length: int) -> None:
        """Shows how many deals wait in a row."""
        self._waiting.labels(row).set(length)

    def note_wait(self, row: str, seconds: float) -> None:
        """Notes how long a deal has waited."""
        self._wait_seconds.labels(row).observe(seconds)

    def count_refusal(self, cause: str, row: str) -> None:
        """Counts a request or deal that was turned away: full, late, expired or left."""
        self._refused.labels(cause, row).inc()

    @contextmanager
    def time_round(self, deals: int) -> Iterator[None]:
        """Gives a context in which so many deals are read in one call."""
        began_s = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began_s
            self._round_deals.observe(deals)
            for _ in range(deals):
                self._assess_seconds.observe(seconds)
