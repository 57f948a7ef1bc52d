"""Runs migrations over the connection that `serving.schema.migrate` opened, or over the one the settings name."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from serving.settings import load_settings
from serving.store import open_engine
from serving.tables import Table

_LOCK = 5_706_221  # any number that only this migration takes


def run(connection: Connection) -> None:
    """Brings the schema up to date; two migrations at once wait for each other."""
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=is_sqlite)
    with context.begin_transaction():
        if not is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with open_engine(load_settings().database_url).begin() as opened:
        run(opened)
