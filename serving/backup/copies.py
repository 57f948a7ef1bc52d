"""Copies of a database while it is in use, and back: SQLite's backup API, PostgreSQL's pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL, Connection, make_url, text

from serving.backup.archive import BackupError
from serving.store import open_engine

_PATIENCE_S = 30.0
_OWN = frozenset({"prepare_threshold"})


@contextmanager
def copied(url: str, copy: Path) -> Iterator[Connection]:
    """Gives a connection that sees exactly what is in the copy, which is whole when this begins.

    Args:
        url: Of the database; it may be in use.
        copy: File that is written.

    Raises:
        BackupError: It cannot be copied.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        _copy_sqlite(Path(parsed.database or ""), copy)
        with reading_copy(copy) as connection:
            yield connection
        return
    engine = open_engine(url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            _run_postgres("pg_dump", parsed, "--format=custom", f"--snapshot={snapshot}", f"--file={copy}")
            yield connection
    finally:
        engine.dispose()


@contextmanager
def reading_copy(copy: Path) -> Iterator[Connection]:
    """Gives a connection to the copy of an SQLite file."""
    engine = open_engine(f"sqlite:///{copy}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def put_back(url: str, copy: Path) -> None:
    """Makes the database hold what the copy holds: all of it, or none where it fails or is killed.

    Args:
        url: Of the database.
        copy: Of a database of the same kind.

    Raises:
        BackupError: It was refused.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        _copy_sqlite(copy, Path(parsed.database or ""))
        return
    whole = ("--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
    _run_postgres("pg_restore", parsed, *whole, str(copy))


def list_copy(copy: Path) -> None:
    """Passes where pg_restore can read the copy of a PostgreSQL database.

    Raises:
        BackupError: It cannot.
    """
    _run([_find_program("pg_restore"), "--list", str(copy)], {})


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copies page by page in one transaction of the target: whoever has it open sees the old or the new, never a mixture."""
    if not source.is_file():
        raise BackupError(f"There is no database at {source}.")
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=_PATIENCE_S)) as there,
            closing(sqlite3.connect(target, timeout=_PATIENCE_S)) as here,
        ):
            there.backup(here)
    except sqlite3.Error as error:
        raise BackupError(f"The database could not be copied: {error}.") from None


def _run_postgres(program: str, url: URL, *words: str) -> None:
    """Runs a program of PostgreSQL; a password lies in a file that only this account can read, for as long as it runs."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 (only who uses PostgreSQL has it)

    told = url.translate_connect_args(username="user", database="dbname")
    password = str(told.pop("password", "") or "")
    query = {name: str(value) for name, value in url.query.items() if name not in _OWN}
    password = query.pop("password", password)
    with TemporaryDirectory(prefix="lossnlp-pg-") as folder:
        secret = Path(folder) / "pass"
        if password:
            escaped = password.replace("\\", "\\\\").replace(":", "\\:")
            secret.touch(mode=0o600)
            secret.write_text(f"*:*:*:*:{escaped}\n", encoding="utf-8")
        own = {"PGPASSFILE": str(secret)} if password else {}
        _run([_find_program(program), "--no-password", f"--dbname={make_conninfo('', **told, **query)}", *words], own)


def _find_program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(
            f"'{name}' is not on this machine; install PostgreSQL's client programs of the server's version."
        )
    return found


def _run(command: list[str], own: dict[str, str]) -> None:
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | own)  # noqa: S603 (our own words)
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ["no cause given"]
        raise BackupError(f"{Path(command[0]).name} failed: {said[0]}")
