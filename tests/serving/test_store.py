"""The database: schema, durability settings, keys."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, inspect

from serving import api_keys
from serving.errors import ConfigurationError, SchemaError, UnknownIdError
from serving.schema import migrate, migration_config, open_database
from serving.store import Database
from serving.tables import Table


def test_migrations_give_exactly_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == migrate(database_url)


def test_migrations_can_be_taken_back(empty_url: str) -> None:
    migrate(empty_url)
    config = migration_config()
    database = Database(empty_url)
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        downgrade(config, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.close()


def test_unmigrated_database_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="lossnlp-serve migrate"):
        open_database(f"sqlite:///{tmp_path}/empty.sqlite3")


def test_unreachable_database_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="cannot be reached"):
        open_database(f"sqlite:///{tmp_path}/no/such/folder.sqlite3")


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x", "sqlite:/x:y:z//"])
def test_unusable_url_is_one_message(url: str) -> None:
    with pytest.raises(ConfigurationError, match="LOSSNLP_DATABASE_URL"):
        Database(url)


def test_sqlite_is_set_up_for_concurrency(migrated_file: Path) -> None:
    database = Database(f"sqlite:///{migrated_file}")
    with database.engine.connect() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys")]
    database.close()
    assert pragmas == ["wal", 1]


def test_uncommitted_work_is_dropped(database: Database) -> None:
    with database.writing() as session:
        api_keys.add_key(session, name="lost", key_sha256="0" * 64)
    with database.reading() as session:
        assert api_keys.find_keys(session) == []


def test_revoked_key_is_not_found(database: Database) -> None:
    with database.writing() as session:
        row = api_keys.add_key(session, name="old", key_sha256="0" * 64)
        api_keys.revoke_key(session, row.id)
        session.commit()
    with database.reading() as session:
        assert api_keys.find_keys(session) == []
        assert [key.name for key in api_keys.find_keys(session, with_ended=True)] == ["old"]


def test_unknown_key_cannot_be_revoked(database: Database) -> None:
    with database.writing() as session, pytest.raises(UnknownIdError):
        api_keys.revoke_key(session, 7)


def test_moments_come_back_in_utc(database: Database) -> None:
    with database.writing() as session:
        made_at = api_keys.add_key(session, name="k", key_sha256="0" * 64).created_at
        session.commit()
    with database.reading() as session:
        [row] = api_keys.find_keys(session)
        assert row.created_at == made_at
        assert row.created_at.utcoffset() is not None


def test_writers_of_a_file_take_turns(tmp_path: Path, migrated_file: Path) -> None:
    shutil.copy(migrated_file, tmp_path / "shared.sqlite3")
    database, together = Database(f"sqlite:///{tmp_path}/shared.sqlite3"), Barrier(8, timeout=30)
    event.listen(database.engine, "connect", lambda opened, _: opened.execute("PRAGMA busy_timeout = 0"))

    def write(number: int) -> None:
        together.wait()
        with database.writing() as session:
            api_keys.add_key(session, name=f"writer {number}", key_sha256=f"{number:064}")
            session.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with database.reading() as session:
        assert len(api_keys.find_keys(session)) == 8
    database.close()
