"""Processes that end by SIGKILL at the statement or at the line that they are told.

Run as a program, this takes one order a line on standard input, JSON, and answers how the process ended that it forked for it: 0, or
minus the number of the signal.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from traceback import print_exc
from types import FrameType
from typing import Any

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.orm import configure_mappers

from lossnlp.english import stop_words
from lossnlp.taxonomy import get_default_taxonomy
from serving import inbox, intake, outbox, receiver, worker, writeback
from serving.intake import Intake
from serving.metrics import Metrics
from serving.receiver import Receiver
from serving.schema import migrate
from serving.store import Database, now
from serving.worker import Worker
from tests.serving.conftest import KeywordAssessor
from tests.serving.faults.counting_crm import CountingCrm

ROOT = Path(__file__).parents[3]
WATCHED = {module.__file__ for module in (inbox, intake, outbox, receiver, worker, writeback)}


class Killed:
    """The hold on the processes."""

    def __init__(self) -> None:
        self._host = subprocess.Popen(
            [sys.executable, "-m", "tests.serving.faults.killed_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, act: str, **told: Any) -> int:
        """Gives how a process ended that did this."""
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        self._host.stdin.write(json.dumps({"act": act, **told}) + "\n")
        self._host.stdin.flush()
        return int(self._host.stdout.readline())

    def close(self) -> None:
        self._host.communicate(timeout=60)


def run_migration(url: str, at: int) -> None:
    """Migrates, and dies before the statement of this number."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    migrate(url)


def run_loops(url: str, folder: str, ahead_s: float, at: str | None = None, lines: str | None = None) -> None:
    """Takes in and sends what is due, and dies where it first comes to a line; or writes down the lines that it comes to."""
    database, crm = Database(url), CountingCrm(Path(folder))
    taking = Intake(KeywordAssessor(), database, Metrics(), crm="demo")

    def clock() -> Any:
        return now() + timedelta(seconds=ahead_s)

    loops = (Receiver(database, crm, taking, clock).take_due, Worker(database, crm, clock).send_due)
    seen: list[str] = []

    def on_line(frame: FrameType, what: str, _: object) -> Callable[..., Any]:
        place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        if what == "line":
            seen.append(place)
            if place == at:
                os.kill(os.getpid(), signal.SIGKILL)
        return on_line

    sys.settrace(lambda frame, what, told: on_line(frame, what, told) if frame.f_code.co_filename in WATCHED else None)
    while sum(loop() for loop in loops):
        continue
    sys.settrace(None)
    if lines:
        Path(lines).write_text(json.dumps(list(dict.fromkeys(seen))))


_PROGRAMS: Mapping[str, Callable[..., None]] = {"migrate": run_migration, "loops": run_loops}


def main() -> None:
    """Obeys until standard input ends."""
    get_default_taxonomy(), stop_words(), configure_mappers()  # once here, not in every process
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _PROGRAMS[told.pop("act")](**told)
                code = 0
            except Exception:  # noqa: BLE001 (whatever it is, it belongs into the test's output)
                print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 (the test reads it)


if __name__ == "__main__":
    main()
