"""A PostgreSQL server of a test's or a benchmark's own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def has_postgres() -> bool:
    """Says whether this machine has the server's programs."""
    return bool(shutil.which("initdb") and shutil.which("pg_ctl"))


class PostgresServer:
    """A PostgreSQL server of its own on a free port; run by a user that is not root, which it refuses."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"postgresql+psycopg://lossnlp@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        self._run("initdb", "-A", "trust", "-U", "lossnlp", "--no-sync")
        self.go_on()

    def go_on(self) -> None:
        """Starts the server over the data that it has."""
        options = f"-h 127.0.0.1 -p {self._port} -k {self._folder} -c fsync=off"
        self._run("pg_ctl", "-o", options, "-l", f"{self._folder}/log", "-w", "start")

    def stop(self) -> None:
        """Ends it as a crash does."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def is_running(self) -> bool:
        try:
            self._run("pg_ctl", "status")
        except subprocess.CalledProcessError:
            return False
        return True

    def _run(self, program: str, *words: str) -> None:
        command = [shutil.which(program) or program, "-D", f"{self._folder}/data", *words]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder, user=self._user)


@contextmanager
def running_postgres(folder: str) -> Iterator[PostgresServer]:
    """Gives a server that runs over a folder, and ends it where nothing has ended it before."""
    server = PostgresServer(folder)
    server.start()
    try:
        yield server
    finally:
        if server.is_running():
            server.stop()
