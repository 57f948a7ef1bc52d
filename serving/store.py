"""The database: engine, units of work, and the queries over deals and assessments."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from threading import RLock
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, DateTime, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.errors import ConfigurationError, UnknownIdError
from serving.tables import AssessmentRow, DealRow, LossRow
from serving.traces import part

# What a CRM says of a deal, by the same name in `Deal` and in the tables of deals and losses
DEAL_FIELDS = (
    "stated_reason",
    "stage",
    "amount",
    "currency",
    "owner",
    "account",
    "segment",
    "team",
    "region",
    "product",
)
_BUSY_TIMEOUT_MS = 10_000
_WRITES = "lossnlp_writes"
_ID = re.compile(r"[0-9a-f-]{36}")


def now() -> datetime:
    """Gives this moment, UTC-aware."""
    return datetime.now(UTC)


class Database:
    """One engine and its units of work.

    Args:
        url: SQLAlchemy URL of an SQLite file or a PostgreSQL database.

    Raises:
        ConfigurationError: The URL cannot be read or names an unknown kind of database.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._reading = sessionmaker(self.engine)
        self._writing = sessionmaker(self.engine.execution_options(**{_WRITES: True}), expire_on_commit=False)
        # SQLite has one writer at a time, and those that wait look again after ever longer sleeps: the unlucky among many would time out.
        self._turn: AbstractContextManager[object] = RLock() if self.engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Gives a session for looking; whatever it changed is dropped."""
        with part("read database"), self._reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Gives a unit of work; the caller commits in plain sight, or nothing has happened."""
        with part("write database"), self._turn, self._writing() as session:
            yield session

    def moment(self) -> datetime:
        """Gives this moment, UTC-aware, by the one clock that all share who use the database: the server's, or of a file the machine's."""
        if self.engine.dialect.name == "sqlite":
            return now()
        with self.engine.connect() as connection:
            return (
                connection.execute(select(func.clock_timestamp(type_=DateTime(timezone=True))))
                .scalar_one()
                .astimezone(UTC)
            )

    def close(self) -> None:
        """Gives all connections back."""
        self.engine.dispose()


def open_engine(url: str) -> Engine:
    """Gives the engine for a database URL.

    Raises:
        ConfigurationError: The URL cannot be read or names an unknown kind of database.
    """
    try:
        # Parameters of a failing statement would carry evidence quotes into error messages and from there into logs.
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        message = (
            "LOSSNLP_DATABASE_URL is not a usable database URL; give sqlite:///FILE, or postgresql+psycopg://… "
            "with lossnlp's extra 'postgres' installed."
        )
        raise ConfigurationError(message, field="LOSSNLP_DATABASE_URL") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def is_database_away(error: Exception) -> bool:
    """Says whether the database is away, locked or full: what failed by that may succeed later, unchanged."""
    return isinstance(error, OperationalError | InterfaceError | PoolTimeoutError)


def make_database_folder(url: str) -> None:
    """Makes the folder of an SQLite file; other databases need none."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)


def _prepare_sqlite(connection: SqliteConnection, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions by itself, and too late
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not left in the file's free pages


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another one wrote meanwhile, busy timeout or
    # not; a unit of work therefore takes the write lock at its start.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def find_assessment(session: Session, *, deal_id: str, content_sha256: str, model_version: str) -> AssessmentRow | None:
    """Gives the stored answer for this deal, content and model, or None."""
    query = select(AssessmentRow).filter_by(deal_id=deal_id, content_sha256=content_sha256, model_version=model_version)
    return session.scalar(query)


def get_assessment(session: Session, assessment_id: str) -> AssessmentRow:
    """Gives the stored answer with this id.

    Raises:
        UnknownIdError: No assessment has it.
    """
    row = session.get(AssessmentRow, assessment_id) if _ID.fullmatch(assessment_id) else None
    if row is None:
        raise UnknownIdError("No assessment has this id; use the 'id' of an earlier answer.")
    return row


def find_current(session: Session, deal_id: str) -> AssessmentRow | None:
    """Gives the assessment that a deal counts as: the newest, or after a rollback the model's in service; None before the first."""
    query = select(AssessmentRow).join(LossRow, LossRow.assessment_id == AssessmentRow.id)
    return session.scalar(query.where(LossRow.deal_id == deal_id))


def is_current(session: Session, row: AssessmentRow) -> bool:
    """Says whether the deal counts as this assessment, and not as another one that has come since."""
    return find_current(session, row.deal_id) is row


def add_assessment(session: Session, deal: Deal, *, content_sha256: str, assessment: Assessment) -> AssessmentRow:
    """Gives the new row of an answer; the deal's own fields are brought up to date beside it."""
    session.merge(_deal_row(deal))
    session.flush()  # the assessment refers to it
    row = AssessmentRow(
        id=str(uuid4()),
        deal_id=deal.id,
        content_sha256=content_sha256,
        words_sha256=words_digest(deal),
        model_version=assessment.model.version,
        primary_reason=assessment.primary.code,
        review_required=assessment.review.required,
        assessment=assessment.model_dump(mode="json"),
        created_at=now(),
    )
    session.add(row)
    session.flush()
    return row


def _deal_row(deal: Deal) -> DealRow:
    fields: dict[str, Any] = deal.model_dump(include={*DEAL_FIELDS})
    storable = {name: _storable(value) for name, value in fields.items()}
    return DealRow(id=deal.id, closed_on=deal.closed_at, received_at=now(), **storable)


def _storable(value: str | float | None) -> str | float | None:
    """Gives what PostgreSQL can hold: it takes no zero character."""
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value


def deal_fields(row: DealRow) -> dict[str, Any]:
    """Gives the CRM's own fields of a deal as `Deal` takes them, but for those that it has none of."""
    known = {"id": row.id, "closed_at": row.closed_on} | {name: getattr(row, name) for name in DEAL_FIELDS}
    return {name: value for name, value in known.items() if value is not None}


def words_digest(deal: Deal) -> str:
    """Gives the SHA-256 of a deal's documents, in hex: what a person judges, whatever the CRM says beside it."""
    words = json.dumps(deal.model_dump(mode="json", include={"documents"}, exclude_none=True), sort_keys=True)
    return hashlib.sha256(words.encode("ascii")).hexdigest()
