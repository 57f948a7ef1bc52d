"""Whatever a CRM or a rep writes, pages and files show it as text: no element, no script, no turned line, no formula, no query."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import func, select

from serving.app import create_app
from serving.intake import Assessor
from serving.people.access import Viewer
from serving.rendering import page_environment
from serving.reports import loss_pages
from serving.settings import Settings
from serving.store import Database
from serving.tables import Table
from tests.serving.reports.loss_world import LEADER, WINDOW, Browse, add_losses
from tests.serving.reports.pack_world import read_all
from tests.serving.reports.test_rows_by_team import pages

_KEY = "a-key-that-is-long-enough"
_HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' onfocus=alert(3) \u202e{{7*7}}"
_FIELDS = (
    "account",
    "owner",
    "team",
    "region",
    "segment",
    "product",
    "stage",
    "stated_reason",
    "revisit_text",
    "rival",
)
_ADMIN = Viewer(0, "Ada", "admin")
_MANAGER = Viewer(0, "Mo", "manager", ("North",))
_SQL = "' OR 1=1; DROP TABLE deals; --"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def loss_app(database_url: str, tmp_path: Path, assessor: Assessor) -> Iterator[FastAPI]:
    """The service with texts kept, so that the pages show them too."""
    keys = SecretStr(Fernet.generate_key().decode())
    app = create_app(
        Settings(var_dir=tmp_path, database_url=database_url, api_key=SecretStr(_KEY), text_keys=keys, audit_rate=1),
        assessor=assessor,
    )
    app.include_router(loss_pages.router)
    with TestClient(app):
        yield app


def fill(database: Database, written: str) -> None:
    """Adds losses in whose every field the same words were written."""
    with database.writing() as session:
        add_losses(session, 120, **dict.fromkeys(_FIELDS, written), winback="open")
        session.flush()
        read_all(session)
        session.commit()


def send(app: FastAPI, written: str) -> None:
    """Sends a deal with a note and a call that hold the words, as a CRM would."""
    labels = {name: written for name in _FIELDS if name not in ("revisit_text", "rival")}
    documents = [
        {"id": f"n {written}", "kind": "rep_note", "text": f"price {written} price"},
        {"id": "c", "kind": "call_transcript", "turns": [{"speaker": written, "text": f"budget {written}"}]},
    ]
    deal = {"deal": {"id": f"W {written}", "closed_at": "2026-09-15", **labels}, "documents": documents}
    answer = TestClient(app).post("/v1/assessments", json=deal, headers={"Authorization": f"Bearer {_KEY}"})
    assert answer.status_code == 201


class _Running(HTMLParser):
    """Collects what a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.found += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]
        if (tag == "script" and not (told.get("src") or "").startswith("/static/")) or told.get("src") == "x":
            self.found.append(tag)


def running_parts(page: str) -> list[str]:
    parser = _Running()
    parser.feed(page)
    return parser.found


def seen(app: FastAPI, browser: TestClient) -> dict[str, httpx2.Response]:
    return {path: browser.get(path) for path in pages(app)}  # type: ignore[misc]


@on_sqlite
def test_words_of_a_deal_are_no_element_on_any_page(loss_app: FastAPI, database: Database, browse: Browse) -> None:
    fill(database, _HTML)
    send(loss_app, _HTML)
    answers = seen(loss_app, browse(_ADMIN)) | seen(loss_app, browse(LEADER))
    shown = {path: answer for path, answer in answers.items() if "text/html" in answer.headers.get("content-type", "")}
    assert max(answer.status_code for answer in answers.values()) < 500
    assert sum("&lt;img" in answer.text for answer in shown.values()) >= 3
    for path, answer in shown.items():
        assert running_parts(answer.text) == [], path
        assert "\u202e" not in answer.text, path
        assert "49}" not in answer.text, path
        policy = answer.headers.get("content-security-policy", "")
        assert policy.partition("script-src")[2].partition(";")[0] in ("", " 'self'"), path
        assert "default-src 'none'" in policy or answer.status_code >= 300, path


@on_sqlite
def test_drawn_labels_are_no_element(database: Database, browse: Browse) -> None:
    fill(database, _HTML)
    drawn = browse(LEADER).get(f"/losses/charts/groups?{WINDOW}&by=team").text
    assert not re.search(r"<img|<script", drawn)


def test_templates_hold_no_script_of_their_own() -> None:
    loader = page_environment().loader
    assert loader is not None
    for name in loader.list_templates():
        source = loader.get_source(page_environment(), name)[0]
        assert not re.search(r"<script(?![^>]* src=)|\son[a-z]+=|javascript:|hx-on|hx-vals=.js", source), name


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", " =1", "\uff1d1", '=HYPERLINK("x")']
)
@on_sqlite
def test_no_exported_cell_runs(loss_app: FastAPI, database: Database, browse: Browse, formula: str) -> None:
    fill(database, formula)
    browser = browse(LEADER)
    paths = ["/winbacks.csv", *(path for path in pages(loss_app) if ".csv" in path)]
    cells = [
        cell
        for answer in map(browser.get, paths)
        if answer.status_code == 200
        for row in csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
        for cell in row
    ]
    assert any(cell.lstrip("' \t").startswith(formula.strip()[:1]) for cell in cells)
    assert [cell for cell in cells if re.match(r"\s*[=+@\uff1d]|\s*-(?![\d.]+$)", cell)] == []


@on_sqlite
def test_filter_is_no_query(loss_app: FastAPI, database: Database, browse: Browse) -> None:
    fill(database, "South")
    before = count_rows(database)
    browser = browse(_MANAGER)
    named = (
        "team",
        "of",
        "by",
        "reason",
        "since",
        "until",
        "q",
        "owner",
        "region",
        "month",
        "segment",
        "cause",
        "order",
    )
    for path in pages(loss_app):
        answer = browser.get(path.partition("?")[0], params=dict.fromkeys(named, _SQL))
        assert answer.status_code < 500, path
        assert "South" not in answer.text, path
    after = count_rows(database)
    assert {name for name in before if before[name] != after[name]} <= {"people", "sessions", "audit_log"}


@on_sqlite
@pytest.mark.parametrize("wildcard", ["%", "_____", "S%", "*", "south"])
def test_filter_knows_no_wildcard(database: Database, browse: Browse, wildcard: str) -> None:
    fill(database, "South")
    assert "South" not in browse(_ADMIN).get("/review", params={"team": wildcard}).text


def count_rows(database: Database) -> dict[str, int]:
    with database.reading() as session:
        tables = Table.metadata.tables
        return {name: session.scalar(select(func.count()).select_from(table)) or 0 for name, table in tables.items()}
