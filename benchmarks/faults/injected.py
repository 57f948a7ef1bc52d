"""The faults: each happens for real, to a process, the database, its disk, the clock or the CRM."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from benchmarks.faults.crm import CrmFault
from benchmarks.faults.world import SERVERS, WORKERS, Kind, World

Fault = Callable[[World], None]
_GONE_S, _HELD_S, _PAUSED_S, _AWAY_S, _FULL_S = 1.0, 1.5, 1.5, 3.0, 1.0
_HOUR_S = 3600.0
_MIB = b"\0" * 1024 * 1024


def _kill_server(world: World) -> None:
    world.restart(world.choose(0, SERVERS))


def _kill_worker(world: World) -> None:
    world.restart(world.choose(SERVERS, SERVERS + WORKERS))


def _pause(world: World, *, low: int, high: int) -> None:
    victim = world.ids[world.choose(low, high)]
    os.kill(victim, signal.SIGSTOP)
    time.sleep(_PAUSED_S)
    os.kill(victim, signal.SIGCONT)


def _break_write(world: World, fault: CrmFault) -> None:
    """Waits until the next write has suffered it."""
    wanted = world.crm.injected[fault.value] + 1
    world.crm.ordered.append(fault)
    until_s = time.monotonic() + 60
    while world.crm.injected[fault.value] < wanted and time.monotonic() < until_s:
        time.sleep(0.02)


def _leave_crm(world: World) -> None:
    world.crm.away_until_s = time.monotonic() + _AWAY_S


def _jump(world: World, *, seconds: float) -> None:
    world.jump(seconds)


def _fill_disk(world: World) -> None:
    ballast = world.folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(_MIB)
    time.sleep(_FULL_S)
    ballast.unlink()
    if world.postgres and not world.postgres.is_running():
        _bring_back(world)


def _hold_lock(world: World) -> None:
    with closing(sqlite3.connect(world.folder / "lossnlp.sqlite3", timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(_HELD_S)
        other.execute("ROLLBACK")


def _cut_connections(world: World) -> None:
    """Ends every connection at once, in whatever it is doing."""
    engine = create_engine(world.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    with suppress(SQLAlchemyError), engine.connect() as connection:
        connection.execute(text(cut))


def _crash_database(world: World) -> None:
    assert world.postgres is not None  # noqa: S101
    world.postgres.stop()
    time.sleep(_GONE_S)
    _bring_back(world)


def _bring_back(world: World) -> None:
    assert world.postgres is not None  # noqa: S101
    for _ in range(20):
        with suppress(subprocess.CalledProcessError):
            return world.postgres.go_on()
        if world.postgres.is_running():
            return None
        time.sleep(0.5)
    raise RuntimeError("PostgreSQL did not come back.")


_ANY: dict[str, tuple[int, Fault]] = {
    "worker killed (SIGKILL)": (8, _kill_worker),
    "server killed (SIGKILL)": (6, _kill_server),
    "worker stopped for 1.5 s": (2, partial(_pause, low=SERVERS, high=SERVERS + WORKERS)),
    "server stopped for 1.5 s": (1, partial(_pause, low=0, high=SERVERS)),
    "CRM answers 503 for 3 s": (1, _leave_crm),
    "workers' clock set an hour ahead": (1, partial(_jump, seconds=_HOUR_S)),
    "workers' clock set an hour back": (1, partial(_jump, seconds=-_HOUR_S)),
    **{fault.value: (2, partial(_break_write, fault=fault)) for fault in CrmFault},
}
_OF: dict[Kind, dict[str, tuple[int, Fault]]] = {
    "sqlite": {"another process holds the file's write lock for 1.5 s": (2, _hold_lock)},
    "postgres": {
        "all connections to PostgreSQL cut": (5, _cut_connections),
        "PostgreSQL crashes and is back after a second": (3, _crash_database),
    },
}
_DISK: dict[str, tuple[int, Fault]] = {"disk full for a second": (2, _fill_disk)}


def plan_faults(world: World, count: int) -> Iterator[tuple[str, Fault]]:
    """Gives the faults of a run in a random order, each kind as often as its weight has it."""
    known = _ANY | _OF[world.kind] | (_DISK if world.has_own_disk else {})
    weights = [weight for weight, _ in known.values()]
    names = list(known)[:count] + world.luck.choices(list(known), weights, k=max(0, count - len(known)))
    world.luck.shuffle(names)
    for name in names:
        yield name, known[name][1]
