"""Server and worker of a service as processes that a test can kill, and the test's hold on them.

Run as a program, this takes one order for each line on standard input. `server PORT`, `worker SECONDS` and `once SECONDS` start a
process and answer with its id; `kill ID` and `wait ID` answer with how it ended. The seconds are those by which a worker's clock is
ahead: leases of a killed one are over for the next. Each process is forked from this one, which has everything imported already.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from traceback import print_exc
from typing import IO, Literal

from serving.app import create_app, require_start
from serving.closed_loop import ClosedLoop
from serving.crm.connect import connect_crm, read_field_map
from serving.intake import Intake
from serving.logs import configure_logs
from serving.metrics import Metrics
from serving.poller import Poller
from serving.receiver import Receiver
from serving.schema import open_database
from serving.server import open_port, serve
from serving.settings import load_settings
from serving.store import now
from serving.worker import LEASE_S, Worker, stop_on_signal
from tests.serving.conftest import KeywordAssessor

Part = Literal["server", "worker"]
POLL_S = 0.02
ROOT = Path(__file__).parents[3]


class Service:
    """The server and the worker of one service.

    Args:
        variables: The service's environment.
        port: Where the server listens.
        log: Where all processes write their logs.
    """

    def __init__(self, variables: dict[str, str], *, port: int, log: IO[str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOSSNLP_")}
        self._host = subprocess.Popen(
            [sys.executable, "-m", "tests.serving.crm.service_process"],
            cwd=ROOT,
            env=inherited | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        self._port = port
        self._running: dict[Part, int] = {}
        self._lives = 0

    def start(self, part: Part) -> None:
        """Starts it where it does not run."""
        if part not in self._running:
            self._running[part] = self._order(part, self._port if part == "server" else self._next_ahead_s())

    def kill(self, part: Part) -> int:
        """Gives minus the number of the signal that ended it, or the code that it had ended with before."""
        return self._order("kill", self._running.pop(part))

    def work_to_the_end(self) -> int:
        """Gives the code that a worker ends with which stops when nothing is due."""
        return self._order("wait", self._order("once", self._next_ahead_s()))

    def close(self) -> None:
        self._host.communicate(timeout=60)

    def _next_ahead_s(self) -> int:
        self._lives += 1
        return self._lives * 5 * int(LEASE_S)

    def _order(self, act: str, number: int) -> int:
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        self._host.stdin.write(f"{act} {number}\n")
        self._host.stdin.flush()
        return int(self._host.stdout.readline())


def run_server(port: int) -> None:
    """Does what `lossnlp-serve run` does, with the classifier of the tests."""
    settings = load_settings()
    configure_logs(settings)
    require_start(settings, open_database(settings.database_url))
    listener = open_port("127.0.0.1", port)
    serve(create_app(settings, assessor=KeywordAssessor()), listener)


def run_worker(ahead_s: int) -> None:
    """Does what `lossnlp-serve worker --no-poll` does, and looks for work more often."""
    stop = stop_on_signal()
    closed_loop = _open_closed_loop(ahead_s)
    for loop in (closed_loop.receiver, closed_loop.worker):
        Thread(target=loop.run, args=(stop,), kwargs={"poll_s": POLL_S}, daemon=True).start()
    stop.wait()


def run_worker_once(ahead_s: int) -> None:
    """Does what `lossnlp-serve worker --once --no-poll` does."""
    _open_closed_loop(ahead_s).run_once(poll=False)


def _open_closed_loop(ahead_s: int) -> ClosedLoop:
    """Gives the loops over what the environment names, with the classifier of the tests and a clock that is ahead."""

    def clock() -> datetime:
        return now() + timedelta(seconds=ahead_s)

    settings, assessor = load_settings(), KeywordAssessor()
    configure_logs(settings)
    crm, database = connect_crm(settings), open_database(settings.database_url)
    return ClosedLoop(
        Poller(database, crm, clock),
        Receiver(database, crm, Intake(assessor, database, Metrics(), crm=crm.name), clock),
        Worker(database, crm, clock, fields=read_field_map(settings, assessor.taxonomy)),
    )


_PROGRAMS: Mapping[str, Callable[[int], None]] = {
    "server": run_server,
    "worker": run_worker,
    "once": run_worker_once,
}


def main() -> None:
    """Obeys until standard input ends; what still runs then is killed."""
    children: set[int] = set()
    try:
        for line in sys.stdin:
            act, number = line.split()
            if act in _PROGRAMS:
                answer = _fork(_PROGRAMS[act], int(number))
                children.add(answer)
            else:
                answer = _end(int(number), is_killed=act == "kill")
                children.discard(int(number))
            print(answer, flush=True)  # noqa: T201 (the test reads it)
    finally:
        for child in children:
            _end(child, is_killed=True)


def _fork(program: Callable[[int], None], number: int) -> int:
    """Gives the id of a process that runs the program."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        program(number)
        code = 0
    except Exception:  # noqa: BLE001 (whatever it is, it belongs into the log of the test)
        print_exc()
    finally:
        os._exit(code)


def _end(child: int, *, is_killed: bool) -> int:
    """Gives the code that a process ended with: minus the number of the signal where one has ended it."""
    if is_killed:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
