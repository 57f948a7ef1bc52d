"""Loops of the worker process: what is due is done again and again until the process is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import structlog

from serving.logs import describe_error

_log = structlog.get_logger(__name__)


def repeat(work: Callable[[], bool | int], stop: Event, *, wait_s: float, name: str, **context: str) -> None:
    """Does the work until `stop` is set; a fault is logged and the work tried again, never the end.

    Args:
        work: Says whether it did something, so that more may be due at once.
        stop: Ends the loop.
        wait_s: Pause after work that did nothing or failed, in seconds.
        name: What is logged as failed.
        context: What is logged with it.
    """
    while not stop.is_set():
        has_done = False
        try:
            has_done = bool(work())
        except Exception as error:  # noqa: BLE001 (the loop outlives a CRM or a database that is away for a moment)
            _log.error(f"{name}_failed", **context, **describe_error(error))
        if not has_done:
            stop.wait(wait_s)
