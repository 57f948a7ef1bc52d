"""A service with its sign-in, people in it, and browsers in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.people.access import FORM_HEADER, Role, require_role
from serving.people.accounts import Access, NewPerson, add_person
from serving.people.oidc_settings import OidcSettings
from serving.people.sign_in import add_sign_in
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import SessionRow

PHRASE = "four plain words here"
AddPerson = Callable[..., int]
OpenBrowser = Callable[..., TestClient]


def answer_nothing() -> dict[str, str]:
    return {}


@pytest.fixture
def people_database(settings: Settings) -> Iterator[Database]:
    opened = Database(settings.database_url)
    yield opened
    opened.close()


@pytest.fixture
def add(people_database: Database) -> AddPerson:
    def add_one(name: str = "ana", role: Role = "ops", password: str | None = PHRASE, **access: object) -> int:
        new = NewPerson(f"{name}@firm.example", name.title(), Access(role, **access), password)  # type: ignore[arg-type]
        with people_database.writing() as session:
            person = add_person(session, new, at=now())
            session.commit()
        return person.id

    return add_one


@pytest.fixture
def open_app(settings: Settings, assessor: object) -> Callable[..., FastAPI]:
    def make(oidc: OidcSettings | None = None, **changed: object) -> FastAPI:
        app = create_app(settings.model_copy(update=changed), assessor=assessor)  # type: ignore[arg-type]
        add_sign_in(app, oidc=oidc or OidcSettings())
        for path, role in (("/for-ops", "ops"), ("/for-manager", "manager"), ("/for-leader", "leader")):
            app.get(path, dependencies=[Depends(require_role(role))])(answer_nothing)  # type: ignore[arg-type]
        return app

    return make


@pytest.fixture
def open_browser(open_app: Callable[..., FastAPI]) -> Iterator[OpenBrowser]:
    with ExitStack() as browsers:

        def make(app: FastAPI | None = None, url: str = "https://testserver") -> TestClient:
            return browsers.enter_context(TestClient(app or open_app(), base_url=url, follow_redirects=False))

        yield make


@pytest.fixture
def browser(open_browser: OpenBrowser) -> TestClient:
    return open_browser()


@pytest.fixture
def sign_in(browser: TestClient, people_database: Database) -> Callable[..., TestClient]:
    """Signs the browser in; from then on it sends the token that its pages carry."""

    def sign(name: str = "ana") -> TestClient:
        answer = browser.post("/sign-in", data={"email": f"{name}@firm.example", "password": PHRASE})
        assert answer.status_code == 303, answer.text
        with people_database.reading() as session:
            newest = session.query(SessionRow).order_by(SessionRow.created_at.desc()).first()
            assert newest is not None
            browser.headers[FORM_HEADER] = newest.form_token
        return browser

    return sign
