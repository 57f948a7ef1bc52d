"""Stand-ins and databases for the tests of the service."""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import delete
from sqlalchemy.engine import make_url

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from serving.app import create_app
from serving.crm.demo import DemoCrm
from serving.intake import Intake
from serving.logs import configure_logs
from serving.metrics import Metrics
from serving.schema import migrate
from serving.settings import Settings
from serving.store import Database
from serving.tables import Table
from tests.serving.postgres_server import PostgresServer, has_postgres, running_postgres

KEY = "test-key-that-is-long-enough"
_WORDS = {
    "price": "price",
    "budget": "budget",
    "legal": "procurement_legal",
    "timing": "timing",
    "rostera": "competitor",
}
_ACCEPTED = ("primary_reason", "external_only", "winback", "meddpicc.champion")


class KeywordAssessor:
    """Reads a deal by a handful of words; the same deal gives the same answer. A text with 'explode' raises with that text.

    Nothing is accepted of a text below three words, and no win-back of one with 'perhaps'.
    """

    model_version = "keywords-1"

    def __init__(self, before_answer: Callable[[], object] = lambda: None) -> None:
        self.calls: list[str] = []
        self._before_answer = before_answer

    @property
    def taxonomy(self) -> Taxonomy:
        return get_default_taxonomy()

    def assess(self, deal: Deal, /) -> Assessment:
        self.calls.append(deal.id)
        self._before_answer()
        document = deal.documents[0]
        text = document.text if document.text is not None else " ".join(turn.text for turn in document.turns or ())
        if "explode" in text:
            raise RuntimeError(text)
        model = {"version": self.model_version, "taxonomy_version": "1"}
        return Assessment.model_validate({**_reading(deal.id, document.id, text), "model": model})


def _reading(deal_id: str, document_id: str, text: str) -> dict[str, Any]:
    found = [(match.start(), word) for word in _WORDS if (match := re.search(word, text.lower()))]
    codes = [(_WORDS[word], start, start + len(word)) for start, word in sorted(found)] or [("unknown", 0, 0)]
    reasons = [_reason(code, i == 0, (document_id, text, start, end)) for i, (code, start, end) in enumerate(codes)]
    is_thin = len(text.split()) < 3
    accepted = [] if is_thin else [name for name in _ACCEPTED if name != "winback" or "perhaps" not in text]
    element = {"state": "not_mentioned", "confidence": 0.9}
    flag = {"value": False, "confidence": 0.9}
    names = ("external_only", "insufficient_detail", "rep_buyer_conflict", "stated_reason_conflict")
    return {
        "deal_id": deal_id,
        "reasons": reasons,
        "meddpicc": dict.fromkeys(get_default_taxonomy().element_codes, element),
        "attribution": {"value": "external_only", "confidence": 0.9},
        "flags": dict.fromkeys(names, flag),
        "winback": {"state": "open", "confidence": 0.8, "revisit_on": "2027-02-01"},
        "review": {"required": is_thin, "because": ["primary_reason_uncertain"] if is_thin else []},
        "accepted": accepted,
    }


def _reason(code: str, primary: bool, quote: tuple[str, str, int, int]) -> dict[str, Any]:
    document_id, text, start, end = quote
    evidence = {"document_id": document_id, "start": start, "end": end, "text": text[start:end], "role": "rep"}
    reason = {"code": code, "label": code.title(), "group": "g", "primary": primary, "confidence": 0.9}
    return {**reason, "evidence": [evidence] if end else []}


@pytest.fixture
def assessor() -> KeywordAssessor:
    return KeywordAssessor()


@pytest.fixture
def make_assessor() -> type[KeywordAssessor]:
    return KeywordAssessor


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "lossnlp.sqlite3"
    migrate(f"sqlite:///{file}")
    return file


@contextmanager
def open_postgres() -> Iterator[PostgresServer]:
    """Gives a PostgreSQL server of a test's own; skips where there is none to be had."""
    pytest.importorskip("psycopg")
    if not has_postgres():
        pytest.skip("no PostgreSQL server program on this machine")
    with (
        tempfile.TemporaryDirectory(prefix="lossnlp-pg-", ignore_cleanup_errors=True) as folder,
        running_postgres(folder) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with open_postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
def migrated_postgres_url(postgres_url: str) -> str:
    migrate(postgres_url)
    return postgres_url


_KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=_KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> str:
    """A migrated database, once of each kind."""
    if request.param == "sqlite":
        shutil.copy(migrated_file, tmp_path / "lossnlp.sqlite3")
        return f"sqlite:///{tmp_path}/lossnlp.sqlite3"
    url: str = request.getfixturevalue("migrated_postgres_url")
    _empty(url)
    return url


@pytest.fixture(scope="module", params=_KINDS)
def make_shared_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path
) -> Callable[[], str]:
    """Gives a migrated database, once of each kind, that tests of a module share and none of them changes; it is empty each time."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{shutil.copy(migrated_file, tmp_path_factory.mktemp('shared') / 'shared.sqlite3')}"
    url = add_postgres_database(request.getfixturevalue("postgres_url"))
    migrate(url)

    def empty() -> str:
        _empty(url)
        return url

    return empty


@pytest.fixture(params=_KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any tables, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty/lossnlp.sqlite3"
    return add_postgres_database(request.getfixturevalue("postgres_url"))


def add_postgres_database(postgres_url: str) -> str:
    """Gives the URL of a new database, without tables, on the same server."""
    name = f"empty_{uuid4().hex}"
    server = Database(postgres_url)
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    server.close()
    return make_url(postgres_url).set(database=name).render_as_string(hide_password=False)


def _empty(postgres_url: str) -> None:
    """Deletes all rows and counts from one again; truncating makes new files for every table, which costs ten times as much."""
    rows = [str(delete(table)) for table in Table.metadata.tables.values()]
    counters = "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"
    database = Database(postgres_url)
    with database.engine.begin() as connection:  # a replica checks no references: tables may be emptied in any order
        connection.exec_driver_sql("; ".join(["SET LOCAL session_replication_role = replica", *rows, counters]))
    database.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC) + timedelta(hours=1)  # later than all that a slow test still stores

    def __call__(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def crm() -> DemoCrm:
    return DemoCrm()


@pytest.fixture
def intake(assessor: KeywordAssessor, database: Database) -> Intake:
    return Intake(assessor, database, Metrics(), crm="demo")


@pytest.fixture
def settings(tmp_path: Path, migrated_file: Path) -> Settings:
    """Settings over a migrated SQLite file, with a small body limit."""
    shutil.copy(migrated_file, tmp_path / "lossnlp.sqlite3")
    return Settings(var_dir=tmp_path, api_key=SecretStr(KEY), crm="demo", max_body_bytes=16 * 1024 * 1024)


@pytest.fixture
def client(settings: Settings, assessor: KeywordAssessor) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(create_app(settings, assessor=assessor), headers=headers) as opened:
        yield opened


@pytest.fixture
def set_up_logs() -> Iterator[Callable[[Settings], None]]:
    """Sets up the service's logging; the process's own is put back after the test."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    yield configure_logs
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    logging.raiseExceptions = True
    structlog.reset_defaults()
