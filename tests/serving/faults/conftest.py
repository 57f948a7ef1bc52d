"""A PostgreSQL server that a test may crash, and processes that it may kill."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing

import pytest

from serving.schema import migrate
from tests.serving.faults.killed_process import Killed
from tests.serving.postgres_server import PostgresServer, has_postgres


@pytest.fixture(scope="module")
def killed() -> Iterator[Killed]:
    with closing(Killed()) as opened:
        yield opened


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg")
    if not has_postgres():
        pytest.skip("no PostgreSQL server program on this machine")
    with tempfile.TemporaryDirectory(prefix="lossnlp-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(folder)
        server.start()
        migrate(server.url)
        yield server
        if server.is_running():
            server.stop()
