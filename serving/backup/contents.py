"""What a database holds, by table: how many rows, and a digest of all of them that does not depend on the kind of database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from alembic.runtime.migration import MigrationContext
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Column, Connection, MetaData, String, Table, func, inspect, select
from sqlalchemy.sql.elements import ColumnElement

AUDIT_LOG, REVISION_TABLE = "audit_log", "alembic_version"
_HOLDERS = ("deals", "people", "api_keys")
_PORTION = 1000


class TableContent(BaseModel):
    """What a table holds.

    Args:
        rows: How many.
        sha256: Of all of them in the order of their keys, in hex.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    sha256: str


def find_revision(connection: Connection) -> str | None:
    """Gives the schema revision; None where nothing was ever migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def read_contents(connection: Connection) -> dict[str, TableContent]:
    """Gives what each table holds, but for the one that names the revision."""
    found = MetaData()
    found.reflect(connection)
    tables = sorted(found.tables.values(), key=lambda table: table.name)
    return {table.name: read_table(connection, table) for table in tables if table.name != REVISION_TABLE}


def read_table(connection: Connection, table: Table, *, first: int | None = None) -> TableContent:
    """Gives what a table holds.

    Args:
        connection: To the database.
        table: The table.
        first: Only so many rows from the beginning; None is all.
    """
    query = select(table).order_by(*map(_in_byte_order(connection), table.primary_key.columns)).limit(first)
    digest, count = hashlib.sha256(), 0
    rows = connection.execution_options(yield_per=_PORTION).execute(query)
    for row in rows:
        digest.update(_canonical(row._asdict()))
        count += 1
    return TableContent(rows=count, sha256=digest.hexdigest())


def holds_anything(connection: Connection) -> bool:
    """Says whether there are deals, people or keys, which nobody may overwrite by mistake."""
    there = set(inspect(connection).get_table_names())
    counts = (
        connection.scalar(select(func.count()).select_from(Table(name, MetaData())))
        for name in _HOLDERS
        if name in there
    )
    return any(counts)


def count_models(connection: Connection) -> dict[str, int]:
    """Gives how many answers each model version has given: without its bundle none of them can be given anew."""
    table = Table("assessments", MetaData(), autoload_with=connection)
    version = table.c.model_version
    return dict(connection.execute(select(version, func.count()).group_by(version).order_by(version)).all())


def _in_byte_order(connection: Connection) -> Any:  # noqa: ANN401 (a function over columns of any type)
    """Gives what orders text as SQLite does: PostgreSQL would follow the language that its database was made with."""
    is_postgres = connection.dialect.name == "postgresql"

    def order(column: Column[Any]) -> ColumnElement[Any]:
        return column.collate("C") if is_postgres and isinstance(column.type, String) else column

    return order


def _canonical(row: Mapping[str, Any]) -> bytes:
    plain = {name: _plain(value) for name, value in row.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"


def _plain(value: Any) -> Any:  # noqa: ANN401 (a value of any column)
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return aware.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value
