"""Everything that a run under faults is made of: a disk, a database on it, a CRM, four servers and two workers."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from benchmarks.faults.crm import CrmState, serving_crm
from benchmarks.faults.deals import KnownDeal
from benchmarks.faults.processes import CRM_URL, EPOCH, JUMP_FILE, Host
from serving.schema import migrate
from serving.store import Database
from tests.serving.postgres_server import PostgresServer, running_postgres

Kind = Literal["sqlite", "postgres"]
KEY = "only-for-this-benchmark-and-long-enough"
SECRET = "only-for-this-benchmark-and-32-characters"  # noqa: S105
SERVERS, WORKERS = 4, 2
_DISK_MB = 700


@dataclass
class World:
    """The hold on it.

    Args:
        kind: Of the database.
        folder: Where all its files lie.
        has_own_disk: Whether that is a disk of its own, which can be filled up.
        url: Of the database.
        crm: The CRM.
        host: Starts and kills processes.
        ports: Of the servers.
        postgres: The database's server; None for a file.
        luck: Chooses victims.
        ids: Of the processes, servers first.
        spared: Places of processes that no fault befalls.
    """

    kind: Kind
    folder: Path
    has_own_disk: bool
    url: str
    crm: CrmState
    host: Host
    ports: list[int]
    postgres: PostgresServer | None
    luck: random.Random
    ids: list[int] = field(default_factory=list)
    spared: frozenset[int] = frozenset()

    def start_all(self) -> None:
        """Starts servers and workers, and waits until the servers listen."""
        self.ids = [self.host.start("server", port) for port in self.ports]
        self.ids += [self.host.start("worker") for _ in range(WORKERS)]
        for port in self.ports:
            _await(lambda port=port: _is_open(port))  # type: ignore[misc]

    def restart(self, place: int) -> None:
        """Kills a process and starts it anew."""
        self.host.kill(self.ids[place])
        self.ids[place] = self.host.start("server", self.ports[place]) if place < SERVERS else self.host.start("worker")

    def choose(self, low: int, high: int) -> int:
        """Gives the place of a victim among those from `low` up to `high`."""
        return self.luck.choice([place for place in range(low, high) if place not in self.spared])

    def jump(self, seconds: float) -> None:
        """Sets the workers' clock, ahead or back, by so many of its seconds."""
        file = self.folder / "jump"
        part = file.with_suffix(".part")
        part.write_text(str(float(file.read_text()) + seconds))
        part.replace(file)

    def database(self) -> Database:
        """Gives the database."""
        return Database(self.url)


@contextmanager
def open_world(kind: Kind, deals: dict[str, KnownDeal], *, seed: int, log_file: Path | None = None) -> Iterator[World]:
    """Gives a world that is ready, with nothing running yet but database and CRM.

    Args:
        kind: Of the database.
        deals: Those that the CRM holds.
        seed: Of the luck.
        log_file: Where the processes write their logs; None keeps none.
    """
    with ExitStack() as stack:
        folder, has_own_disk = stack.enter_context(_disk())
        postgres = stack.enter_context(_postgres(folder)) if kind == "postgres" else None
        url = postgres.url if postgres else f"sqlite:///{folder}/lossnlp.sqlite3"
        migrate(url)
        crm = CrmState(deals)
        (folder / "jump").write_text("0")
        log = stack.enter_context((log_file or Path(os.devnull)).open("w", encoding="utf-8"))
        told = _variables(url, folder, stack.enter_context(serving_crm(crm)))
        host = stack.enter_context(closing(Host(told, log)))
        ports = _free_ports(SERVERS)
        yield World(kind, folder, has_own_disk, url, crm, host, ports, postgres, random.Random(seed))


def _variables(url: str, folder: Path, crm_url: str) -> dict[str, str]:
    return {
        "LOSSNLP_DATABASE_URL": url,
        "LOSSNLP_VAR_DIR": str(folder),
        "LOSSNLP_API_KEY": KEY,
        "LOSSNLP_DOOR_DEALS_SECRET": SECRET,
        "LOSSNLP_CRM": "demo",
        "LOSSNLP_LOG_LEVEL": "error",
        "LOSSNLP_AUDIT_RATE": "0",
        CRM_URL: crm_url,
        EPOCH: str(time.time()),
        JUMP_FILE: str(folder / "jump"),
    }


@contextmanager
def _disk() -> Iterator[tuple[Path, bool]]:
    """Gives a folder, and whether it is a disk of its own: only who may mount one has it."""
    folder = Path(tempfile.mkdtemp(prefix="lossnlp-faults-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m,mode=755", "none", str(folder)]
    has_own = bool(shutil.which("mount")) and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield folder, has_own
    finally:
        if has_own:
            subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _postgres(folder: Path) -> Iterator[PostgresServer]:
    (folder / "pg").mkdir()
    with running_postgres(str(folder / "pg")) as server:
        yield server


def _free_ports(count: int) -> list[int]:
    """Gives free ports below those that the system hands out: no call may leave from one while its server is down."""
    first = 20_000 + os.getpid() % 5_000
    free = (port for port in range(first, first + 2_000) if not _is_open(port))
    return list(islice(free, count))


def _is_open(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def _await(is_so: Callable[[], bool], *, most_s: float = 120.0) -> None:
    until_s = time.monotonic() + most_s
    while not is_so():
        if time.monotonic() > until_s:
            raise RuntimeError("A process of the service did not start.")
        time.sleep(0.1)
