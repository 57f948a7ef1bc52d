"""Migrations that are interrupted, and two versions side by side on one database."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.command import upgrade
from alembic.script import ScriptDirectory
from fastapi.testclient import TestClient
from sqlalchemy import JSON, Boolean, Column, Date, DateTime, Float, Integer, LargeBinary, MetaData, Table, insert, text

from serving.errors import SchemaError
from serving.schema import head_revision, migrate, migration_config, open_database
from serving.settings import Settings
from serving.store import Database
from tests.serving.faults.killed_process import Killed

NOTE = {"id": "D-1", "text": "the price was too high"}
# From this revision on a migration only adds what an older version does without, see docs/decisions/0028
FIRST_THAT_ONLY_ADDS = "0010"
PATH_OF_A_DEAL = ("deals", "assessments", "write_backs", "write_back_attempts", "inbox", "batches", "polls", "reviews")


@pytest.mark.parametrize("at", [2, 40, 90])
def test_migration_killed_halfway_leaves_nothing_half_done(empty_url: str, killed: Killed, at: int) -> None:
    assert killed.run("migrate", url=empty_url, at=at) == -signal.SIGKILL
    with pytest.raises(SchemaError, match="revision None"):
        open_database(empty_url)
    assert migrate(empty_url) == head_revision()
    open_database(empty_url).close()


def newer_schema(database: Database) -> None:
    """What a newer version's migration does: it adds, and says so."""
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE assessments ADD COLUMN of_a_newer_version VARCHAR(20)"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_older_version_goes_on_beside_a_newer_schema(client: TestClient, settings: Settings) -> None:
    before = client.post("/v1/assessments", json=NOTE)
    with closing(Database(settings.database_url)) as database:
        newer_schema(database)
    again, other = (client.post("/v1/assessments", json=note) for note in (NOTE, NOTE | {"id": "D-2"}))
    assert [answer.status_code for answer in (before, again, other)] == [201, 200, 201]
    assert before.json()["id"] == again.json()["id"]
    assert client.get("/readyz").status_code == 200


def test_older_version_does_not_start_on_a_newer_schema(database: Database, database_url: str) -> None:
    newer_schema(database)
    with pytest.raises(SchemaError, match="9999"):
        open_database(database_url)
    with database.engine.begin() as connection:  # the database is one that other tests use
        connection.execute(text("ALTER TABLE assessments DROP COLUMN of_a_newer_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": head_revision()})


def test_service_is_not_ready_on_an_older_schema(client: TestClient, settings: Settings) -> None:
    with closing(Database(settings.database_url)) as database, database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    assert client.get("/readyz").status_code == 503


def steps() -> Iterator[tuple[str, str]]:
    """Gives each migration that only adds, as the revisions before and after it."""
    script = ScriptDirectory.from_config(migration_config())
    for one in script.walk_revisions():
        if one.revision >= FIRST_THAT_ONLY_ADDS and isinstance(one.down_revision, str):
            yield one.down_revision, one.revision


def set_revision(database: Database, revision: str) -> None:
    config = migration_config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, revision)


@pytest.mark.parametrize(("before", "after"), list(steps()))
def test_rows_of_an_older_version_fit_after_each_migration(tmp_path: Path, before: str, after: str) -> None:
    with closing(Database(f"sqlite:///{tmp_path}/old.sqlite3")) as database:
        set_revision(database, before)
        tables = [Table(name, MetaData(), autoload_with=database.engine) for name in PATH_OF_A_DEAL]
        set_revision(database, after)
        with database.engine.begin() as connection:
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
            for table in tables:
                connection.execute(insert(table).values({column.name: stand_in(column) for column in table.columns}))
                assert connection.execute(table.select()).first() is not None
            connection.rollback()


def stand_in(column: Column[Any]) -> object:
    """Gives some value that fits the column."""
    kinds: dict[type, object] = {
        Boolean: False,
        DateTime: datetime(2026, 11, 2),  # noqa: DTZ001 (SQLite keeps no zone)
        Date: date(2026, 11, 2),
        Integer: 1,
        Float: 1.0,
        JSON: {},
        LargeBinary: b"",
    }
    return next((value for kind, value in kinds.items() if isinstance(column.type, kind)), "x")
