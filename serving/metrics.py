"""Counters for Prometheus; one registry an app, so that two apps in one process do not mix.

Where several processes answer on one port, each counts in files that `PROMETHEUS_MULTIPROC_DIR` names, and any of them shows all.

Source: prometheus_client, "Multiprocess Mode (E.g. Gunicorn)".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from math import nan
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from serving.backlog import BacklogGauges, shared_gauge
from serving.load.counts import LoadCounts

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What the service counts; labels are closed sets, never ids or texts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lossnlp_http_requests", "Answered requests.", ["method", "route", "status"], registry=self._registry
        )
        self._request_seconds = Histogram(
            "lossnlp_http_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=self._registry
        )
        self._deals = Counter("lossnlp_deals", "Deals by outcome: new or repeat.", ["outcome"], registry=self._registry)
        self._door_calls = Counter(
            "lossnlp_door_calls",
            "Calls at a door by outcome: queued, known, ignored, refused or unreadable.",
            ["door", "outcome"],
            registry=self._registry,
        )
        self._model = Gauge(
            "lossnlp_model",
            "How many processes have this model in service.",
            ["version"],
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._shown_model = ""
        self._model_swaps = Counter(
            "lossnlp_model_swaps",
            "Looks for another model by outcome: swapped, refused or source_away.",
            ["outcome"],
            registry=self._registry,
        )
        self._shadow_deals = Counter(
            "lossnlp_shadow_deals",
            "Deals offered to a challenger by outcome: compared, failed or dropped.",
            ["outcome"],
            registry=self._registry,
        )
        self._add_drift_gauges()
        self.load = LoadCounts(self._registry)
        self.backlog = BacklogGauges(self._registry)

    def _add_drift_gauges(self) -> None:
        gauge = partial(shared_gauge, self._registry)
        self._drift_p = gauge(
            "lossnlp_drift_p",
            "How likely a difference as large is where nothing has changed, by feature, at the newest weekly look; NaN where too few "
            "deals have a value.",
            "feature",
        )
        self._drift_alarm = gauge(
            "lossnlp_drift_alarm", "Whether the newest weekly look found a clear change, by feature.", "feature"
        )
        self._drift_looked_at = gauge(
            "lossnlp_drift_looked_at_seconds", "When the newest weekly look was taken, as Unix time; 0 where none was."
        )

    def show_model(self, version: str) -> None:
        """Shows which model is in service; the one before stands at 0."""
        if self._shown_model:
            self._model.labels(self._shown_model).set(0)
        self._model.labels(version).set(1)
        self._shown_model = version

    def count_swap(self, outcome: str) -> None:
        """Counts a swap of the model, a refused bundle, or a source that did not answer."""
        self._model_swaps.labels(outcome).inc()

    def count_shadow(self, outcome: str) -> None:
        """Counts one deal that a challenger was offered."""
        self._shadow_deals.labels(outcome).inc()

    def count_request(self, method: str, route: str, *, status: int, seconds: float) -> None:
        """Counts one answered request under its route template."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def count_deal(self, outcome: str) -> None:
        """Counts one deal that was taken in."""
        self._deals.labels(outcome).inc()

    def count_door_call(self, door: str, outcome: str) -> None:
        """Counts one call at a door that stands open."""
        self._door_calls.labels(door, outcome).inc()

    def note_drift(self, looked_at: datetime | None, found: Mapping[str, tuple[float | None, bool]]) -> None:
        """Notes what the newest look at drift found, for the next rendering.

        Args:
            looked_at: When it was taken; None where none was.
            found: By feature p, None where it was held back, and whether it is an alarm.
        """
        self._drift_looked_at.set(looked_at.timestamp() if looked_at else 0.0)
        for feature, (p, is_alarm) in found.items():
            self._drift_p.labels(feature).set(nan if p is None else p)
            self._drift_alarm.labels(feature).set(is_alarm)

    def names(self) -> set[str]:
        """Gives the names of all that is shown, as Prometheus has them."""
        return {name for family in self._registry.collect() for name in _shown_names(family)}

    def render(self) -> bytes:
        """Gives all metrics in Prometheus' text format."""
        return generate_latest(_of_all_processes(self._registry))


def _shown_names(family: Metric) -> tuple[str, ...]:
    if family.type == "histogram":
        return tuple(f"{family.name}_{part}" for part in ("bucket", "sum", "count"))
    return (f"{family.name}_total",) if family.type == "counter" else (family.name,)


def _of_all_processes(own: CollectorRegistry) -> CollectorRegistry:
    """Gives what all processes of the service have counted, or this one alone where it is alone."""
    folder = os.environ.get(SHARED_FOLDER)
    if not folder:
        return own
    for path in Path(folder).glob("gauge_live*.db"):
        number = int(path.stem.rpartition("_")[2])
        if not _runs(number):
            mark_process_dead(number, folder)  # type: ignore[no-untyped-call]
    together = CollectorRegistry()
    MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
    return together


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
