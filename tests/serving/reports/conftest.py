"""Losses by the hundred, reports on them, and browsers of people who look."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy.orm import Session

from lossnlp.taxonomy import get_default_taxonomy
from serving.app import create_app
from serving.intake import Assessor
from serving.people.access import COOKIE, Viewer
from serving.reports import loss_pages
from serving.reports.cuts import parse_cut
from serving.reports.report import Report
from serving.secret_values import digest_secret
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import PersonRow, SessionRow
from tests.serving.reports.loss_world import FIRST_DAY, LAST_DAY, LEADER, AddLosses, Browse, add_losses


@pytest.fixture
def losses(database: Database) -> AddLosses:
    """Adds n losses; the same ones for the same seed."""

    def add(n: int, *, seed: int = 1, **fixed: Any) -> None:
        with database.writing() as session:
            add_losses(session, n, seed=seed, **fixed)
            session.commit()

    return add


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.reading() as opened:
        yield opened


@pytest.fixture
def report(session: Session) -> Any:
    """Gives the report on the window of the losses, for a leader where no other viewer is named."""
    return partial(make_report, session)


def make_report(session: Session, viewer: Viewer = LEADER, **query: str) -> Report:
    given = {"since": str(FIRST_DAY), "until": str(LAST_DAY), **query}
    return Report.of_cut(session, viewer, parse_cut(given, today=LAST_DAY), get_default_taxonomy())


@pytest.fixture(scope="module")
def shared_report(make_shared_url: Callable[[], str]) -> Iterator[Any]:
    """Gives the report on n losses, for tests that share it and change nothing; each call ends the one before."""
    with ExitStack() as opened:

        def make(n: int, *, seed: int) -> Report:
            opened.close()
            database = opened.enter_context(closing(Database(make_shared_url())))
            with database.writing() as session:
                add_losses(session, n, seed=seed)
                session.commit()
            return make_report(opened.enter_context(database.reading()))

        yield make


@pytest.fixture
def loss_app(database_url: str, tmp_path: Path, assessor: Assessor) -> Iterator[FastAPI]:
    key = SecretStr("a-key-that-is-long-enough")
    app = create_app(Settings(var_dir=tmp_path, database_url=database_url, api_key=key), assessor=assessor)
    app.include_router(loss_pages.router)
    with TestClient(app):
        yield app


@pytest.fixture
def browse(loss_app: FastAPI, database: Database) -> Browse:
    """Gives the browser of a signed-in viewer."""

    def sign_in(viewer: Viewer) -> TestClient:
        cookie = secrets.token_urlsafe(32)
        with database.writing() as session:
            person = PersonRow(
                email=f"{cookie}@example.com",
                name=viewer.name,
                role=viewer.role,
                teams=list(viewer.teams),
                owner=viewer.owner,
                created_at=now(),
            )
            session.add(person)
            session.flush()
            expires_at = now() + timedelta(hours=1)
            session.add(
                SessionRow(
                    token_sha256=digest_secret(cookie),
                    person_id=person.id,
                    form_token=cookie,
                    created_at=now(),
                    seen_at=now(),
                    expires_at=expires_at,
                )
            )
            session.commit()
        return TestClient(loss_app, cookies={COOKIE: cookie}, follow_redirects=False)

    return sign_in
