"""The database schema: brought up to date by migrations, and checked before the service says that it is ready."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from serving.errors import SchemaError
from serving.store import Database, make_database_folder, open_engine


def migration_config() -> Config:
    """Gives Alembic's configuration; it needs no file beside the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def migrate(database_url: str) -> str:
    """Gives the revision after bringing the database up to date; an SQLite file is made if it is missing.

    Raises:
        SchemaError: The database cannot be reached or refuses the change.
    """
    make_database_folder(database_url)
    engine = open_engine(database_url)
    if engine.dialect.name == "sqlite":  # a table is rebuilt by dropping it, while others refer to it
        event.listen(engine, "connect", _ignore_references)
    config = migration_config()
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        raise SchemaError(f"The database could not be migrated: {_first_line(error)}") from error
    finally:
        engine.dispose()
    return head_revision()


def _ignore_references(connection: SqliteConnection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = OFF")


@cache
def head_revision() -> str:
    """Gives the revision that this version of the service works with."""
    return ScriptDirectory.from_config(migration_config()).get_current_head() or ""


@cache
def _known_revisions() -> frozenset[str]:
    return frozenset(one.revision for one in ScriptDirectory.from_config(migration_config()).walk_revisions())


def require_current_schema(engine: Engine) -> None:
    """Passes when the database can be reached and has this version's tables.

    Raises:
        SchemaError: It has not; the message says what to do.
    """
    revision = _find_revision(engine)
    if revision != head_revision():
        raise _wrong_revision(revision)


def require_usable_schema(engine: Engine) -> None:
    """Passes when a service that runs already can go on: its tables are there, or a newer version has added to them meanwhile.

    A migration only adds, so that both versions work side by side until the older one has been replaced.

    Raises:
        SchemaError: The database is away or older than this version.

    Source: decision record 28.
    """
    revision = _find_revision(engine)
    if revision is None or revision in _known_revisions() - {head_revision()}:
        raise _wrong_revision(revision)


def open_database(url: str) -> Database:
    """Gives the database, checked to be reachable and of this version.

    Raises:
        ConfigurationError: The URL cannot be used.
        SchemaError: The database is away or not migrated.
    """
    database = Database(url)
    try:
        require_current_schema(database.engine)
    except SchemaError:
        database.close()
        raise
    return database


def _find_revision(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        raise SchemaError(f"The database cannot be reached: {_first_line(error)}") from error


def _wrong_revision(revision: str | None) -> SchemaError:
    return SchemaError(f"The database is at revision {revision}, not {head_revision()}; run `lossnlp-serve migrate`.")


def _first_line(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
