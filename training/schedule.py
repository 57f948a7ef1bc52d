"""The schedule of learning rates that every fit uses."""

from __future__ import annotations

from collections.abc import Callable


def warm_then_down(total: int, warmup: float) -> Callable[[int], float]:
    """Gives the share of the peak rate at a step: a rise in a straight line, then a fall to 0.

    Args:
        total: Steps in all.
        warmup: Share of them in which the rate rises, 0 to 1.
    """
    warm = max(1, round(total * warmup))
    return lambda step: min((step + 1) / warm, max(0.0, (total - step) / max(1, total - warm)))
