"""Server and worker of a service as processes that a test can kill, and the test's hold on them.

Run as a program, this obeys (`tests.serving.forked`): `server PORT`, `worker SECONDS` and `once SECONDS` start a process. The seconds are
those by which a worker's clock is ahead: leases of a killed one are over for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Thread
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
from tests.serving.forked import Forks, obey

Part = Literal["server", "worker"]
POLL_S = 0.02


class Service:
    """The server and the worker of one service.

    Args:
        variables: The service's environment.
        port: Where the server listens.
        log: Where all processes write their logs.
    """

    def __init__(self, variables: dict[str, str], *, port: int, log: IO[str]) -> None:
        self._forks = Forks("tests.serving.crm.service_process", variables, log)
        self._port = port
        self._running: dict[Part, int] = {}
        self._lives = 0

    def start(self, part: Part) -> None:
        """Starts it where it does not run."""
        if part not in self._running:
            self._running[part] = self._forks.order(part, self._port if part == "server" else self._next_ahead_s())

    def kill(self, part: Part) -> int:
        """Gives minus the number of the signal that ended it, or the code that it had ended with before."""
        return self._forks.order("kill", self._running.pop(part))

    def work_to_the_end(self) -> int:
        """Gives the code that a worker ends with which stops when nothing is due."""
        return self._forks.order("wait", self._forks.order("once", self._next_ahead_s()))

    def close(self) -> None:
        self._forks.close()

    def _next_ahead_s(self) -> int:
        self._lives += 1
        return self._lives * 5 * int(LEASE_S)


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


if __name__ == "__main__":
    obey(_PROGRAMS)
