"""Servers and workers as processes that can be killed, forked from one that has everything imported already.

Run as a program, this obeys (`tests.serving.forked`): `server PORT` and `worker 0` start a process. A worker's clock
runs sixty times as fast, so that leases and pauses that last minutes last seconds; a file says by how many seconds it has jumped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Thread
from typing import IO, TypeVar

from fastapi import FastAPI

from benchmarks.faults.crm import LineCrm
from benchmarks.faults.deals import Reader
from lossnlp.english import stop_words
from serving.app import create_app, require_start
from serving.intake import Intake
from serving.leases import ClockWatch
from serving.load.caller import Caller
from serving.logs import configure_logs
from serving.metrics import Metrics
from serving.receiver import Receiver
from serving.schema import open_database
from serving.server import open_port, serve
from serving.settings import load_settings
from serving.worker import Worker, stop_on_signal
from tests.serving.forked import ROOT, Forks, obey

SPEED = 60.0
EPOCH, JUMP_FILE, CRM_URL = "FAULTS_EPOCH", "FAULTS_JUMP_FILE", "FAULTS_CRM_URL"
_POLL_S = 0.2
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FastClock:
    """Gives the moment by a clock that runs fast, and jumps when it is told to.

    Args:
        epoch_s: When it showed the true time, in seconds since 1970.
        jump_file: Holds by how many seconds it has jumped.
    """

    epoch_s: float
    jump_file: Path

    def __call__(self) -> datetime:
        """Gives the moment."""
        passed_s = (time.time() - self.epoch_s) * SPEED
        return datetime.fromtimestamp(self.epoch_s, UTC) + timedelta(
            seconds=passed_s + float(self.jump_file.read_text())
        )

    @staticmethod
    def steady() -> float:
        """Gives seconds of the same speed that never jump."""
        return time.monotonic() * SPEED


class Host:
    """The hold on the processes of one service.

    Args:
        variables: Their environment.
        log: Where they write their logs.
    """

    def __init__(self, variables: Mapping[str, str], log: IO[str]) -> None:
        self._forks = Forks("benchmarks.faults.processes", dict(variables) | {"PYTHONPATH": str(ROOT)}, log)

    def start(self, part: str, port: int = 0) -> int:
        """Gives the id of a new process."""
        return self._forks.order(part, port)

    def kill(self, process_id: int) -> int:
        """Gives how a process ended that was killed at once: minus the number of the signal."""
        return self._forks.order("kill", process_id)

    def close(self) -> None:
        """Kills all that run."""
        self._forks.close()


@cache
def _make_app() -> FastAPI:
    """Gives the app; made before the forks, since it takes a second, and not connected to anything yet."""
    settings = load_settings()
    configure_logs(settings)
    return create_app(settings, assessor=Reader())


def run_server(port: int) -> None:
    """Does what `lossnlp-serve run` does, with the stand-in classifier."""
    listener = open_port("127.0.0.1", port)
    app = _make_app()
    _patiently(lambda: require_start(app.state.settings, app.state.database))
    serve(app, listener)


def run_worker(_: int) -> None:
    """Does what `lossnlp-serve worker --no-poll` does, with the stand-in classifier and a fast clock."""
    stop, settings = stop_on_signal(), load_settings()
    configure_logs(settings)
    database = _patiently(lambda: open_database(settings.database_url))
    clock = FastClock(float(os.environ[EPOCH]), Path(os.environ[JUMP_FILE]))
    crm = LineCrm(os.environ[CRM_URL])
    intake = Intake(Reader(), database, Metrics(), crm=crm.name).asked_by(Caller(is_bulk=True))
    receiver = Receiver(database, crm, intake, clock)
    worker = Worker(database, crm, clock, watch=ClockWatch(clock.steady))
    for loop in (receiver, worker):
        Thread(target=loop.run, args=(stop,), kwargs={"poll_s": _POLL_S}, daemon=True).start()
    stop.wait()


def _patiently(start: Callable[[], T]) -> T:
    """Gives what starts once the database is there, as a supervisor that starts a process again until it stays."""
    while True:
        try:
            return start()
        except Exception:  # noqa: BLE001 (whatever keeps it from starting, it is started again)
            time.sleep(0.2)


if __name__ == "__main__":
    stop_words(), _make_app()  # what takes long the first time is behind every process
    obey({"server": run_server, "worker": run_worker})
