"""The weekly look in the worker."""

from __future__ import annotations

from threading import Event

import structlog

from serving.drift.looks import take_look
from serving.drift.settings import load_drift_settings
from serving.loops import repeat
from serving.store import Database, now

_DAY_S = 24 * 3600.0
_log = structlog.get_logger(__name__)


def run_looks(database: Database, stop: Event) -> None:
    """Takes the look of each week until `stop` is set; a fault is logged and tried again the next day."""

    def take() -> bool:
        look = take_look(database, load_drift_settings(), at=now())
        alarms = [finding.feature for finding in look.alarms]
        _log.info("drift_looked", week_on=str(look.week_on), alarms=alarms, sampled=look.sampled)
        return False  # so that the loop waits

    repeat(take, stop, wait_s=_DAY_S, name="drift")
