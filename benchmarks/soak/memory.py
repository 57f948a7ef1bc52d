"""How the memory of processes moves over time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread

import numpy as np
import psutil

_EVERY_S = 5.0
_MB = 1024 * 1024
Sample = tuple[float, float]


@dataclass
class Watch:
    """Samples the resident memory of processes.

    Args:
        processes: Their ids, by name.
        samples: Seconds on the monotonic clock and megabytes, by name.
    """

    processes: Mapping[str, int]
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    _stop: Event = field(default_factory=Event)

    def start(self) -> None:
        """Begins to sample."""
        self._thread = Thread(target=self._sample_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends."""
        self._stop.set()
        self._thread.join()

    def _sample_on(self) -> None:
        while not self._stop.wait(_EVERY_S):
            for name, number in self.processes.items():
                self.samples.setdefault(name, []).append(
                    (time.monotonic(), psutil.Process(number).memory_info().rss / _MB)
                )


def slope_mb_per_hour(samples: Sequence[Sample], *, from_s: float) -> float | None:
    """Gives how fast memory grows, by least squares; None for fewer than ten samples.

    Args:
        samples: Seconds and megabytes.
        from_s: When the warm-up was over.
    """
    kept = [sample for sample in samples if sample[0] >= from_s]
    if len(kept) < 10:
        return None
    hours, sizes = (np.array(kept) / (3600.0, 1.0)).T
    slope, _ = np.polyfit(hours - hours[0], sizes, 1)
    return float(slope)
