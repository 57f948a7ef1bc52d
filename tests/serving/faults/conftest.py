"""A PostgreSQL server that a test may crash, and processes that it may kill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from serving.schema import migrate
from tests.serving.conftest import open_postgres
from tests.serving.faults.killed_process import Killed
from tests.serving.postgres_server import PostgresServer


@pytest.fixture(scope="module")
def killed() -> Iterator[Killed]:
    with closing(Killed()) as opened:
        yield opened


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    with open_postgres() as server:
        migrate(server.url)
        yield server
