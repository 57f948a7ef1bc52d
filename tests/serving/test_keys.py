"""Keys and their scopes: every route names what it needs, and a key does no more than it may."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.command import upgrade
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy import select
from typer.testing import CliRunner

from serving import api_keys
from serving.auth import new_key
from serving.commands import app as commands
from serving.errors import ConfigurationError, UnknownIdError
from serving.schema import migrate, migration_config
from serving.scopes import SCOPES, Scope
from serving.secret_values import digest_secret
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import ApiKeyRow, WriteBackRow

# What needs neither key nor person: a service that answers, its description, the files of the pages, the way to sign in, and the doors
# that check a signature of their own.
_OPEN = {
    *("/healthz", "/readyz", "/openapi.json", "/openapi-3.0.json", "/docs", "/docs/oauth2-redirect", "/redoc"),
    *("/static", "/static-offline-docs", "/sign-in", "/sign-in/oidc", "/sign-in/oidc/callback"),
    *("/doors/hubspot", "/doors/bottlecrm", "/doors/salesforce", "/doors/deals"),
}
_NEEDED: dict[tuple[str, str], Scope] = {
    ("POST", "/v1/assessments"): "classify",
    ("POST", "/v1/assessments:batch"): "classify",
    ("POST", "/v1/assessments:flat"): "classify",
    ("GET", "/v1/assessments/{assessment_id}"): "read",
    ("GET", "/v1/taxonomy"): "read",
    ("GET", "/metrics"): "read",
    ("POST", "/doors/flow"): "write-back",
}
DEAL = {"id": "D-1", "text": "price was far too high"}


@pytest.fixture
def app(client: TestClient) -> FastAPI:
    opened: Any = client.app
    return opened  # type: ignore[no-any-return]


@pytest.fixture
def keys(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url)
    yield database
    database.close()


def add(database: Database, *scopes: Scope, name: str = "caller", **terms: Any) -> dict[str, str]:
    """Gives the header of a new key."""
    key = new_key()
    with database.writing() as session:
        api_keys.add_key(session, name=name, key_sha256=digest_secret(key), scopes=scopes, **terms)
        session.commit()
    return {"Authorization": f"Bearer {key}"}


def guards(dependant: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Gives the names of all that a route depends on, each with the scopes that it is asked for."""
    for part in dependant.dependencies:
        yield getattr(part.call, "__name__", ""), tuple(part.own_oauth_scopes or ())
        yield from guards(part)


def test_every_route_is_open_guarded_or_a_persons(app: FastAPI) -> None:
    unguarded = []
    for route in iter_route_contexts(app.routes):
        found = dict(guards(route.dependant)) if hasattr(route, "dependant") else {}
        has_scope = any(name in ("require_key", "_require_key") and scopes for name, scopes in found.items())
        if not has_scope and "require_viewer" not in found and route.path not in _OPEN:
            unguarded.append(route.path)
    assert unguarded == []


def test_description_names_the_scope_of_every_route(client: TestClient) -> None:
    described = {
        (method.upper(), path): tuple(operation["security"][0].values())
        for path, item in client.get("/openapi.json").json()["paths"].items()
        for method, operation in item.items()
        if operation.get("security")
    }
    assert described == {route: ([scope],) for route, scope in _NEEDED.items()}


@pytest.mark.parametrize("held", SCOPES)
def test_key_opens_what_its_scope_names(client: TestClient, keys: Database, held: Scope) -> None:
    headers = add(keys, held)
    refused = set()
    for method, path in _NEEDED:
        answer = client.request(method, path, headers=headers, json=DEAL if method == "POST" else None)
        if answer.status_code == 403:
            refused.add((method, path))
    assert refused == {route for route, scope in _NEEDED.items() if held not in (scope, "admin")}


def test_refusal_names_the_scope(client: TestClient, keys: Database) -> None:
    answer = client.get("/v1/taxonomy", headers=add(keys, "classify"))
    assert answer.headers["content-type"] == "application/problem+json"
    assert "'read'" in answer.json()["detail"]
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="read"'


@pytest.mark.parametrize(("scopes", "written"), [(("classify",), 0), (("classify", "write-back"), 1)])
def test_values_are_written_back_where_the_key_may(
    client: TestClient, keys: Database, scopes: tuple[Scope, ...], written: int
) -> None:
    assert client.post("/v1/assessments", json=DEAL, headers=add(keys, *scopes)).status_code == 201
    with keys.reading() as session:
        assert len(session.scalars(select(WriteBackRow)).all()) == written


def test_expired_key_opens_nothing(client: TestClient, keys: Database) -> None:
    headers = add(keys, "read", expires_at=now() - timedelta(seconds=1))
    assert client.get("/v1/taxonomy", headers=headers).status_code == 401


def test_last_use_is_noted_once_an_hour(database: Database) -> None:
    add(database, "read")
    at = now().replace(minute=10)
    for moment in (at, at + timedelta(minutes=5)):
        api_keys.note_key_use(database, 1, at=moment)
    with database.reading() as session:
        assert session.get_one(ApiKeyRow, 1).last_used_at == api_keys.hour_of(at)


def test_use_of_a_key_is_listed(client: TestClient, keys: Database) -> None:
    client.get("/v1/taxonomy", headers=add(keys, "read"))
    with keys.reading() as session:
        assert session.get_one(ApiKeyRow, 1).last_used_at is not None


def test_rotation_keeps_both_for_the_overlap(database: Database) -> None:
    add(database, "read", "classify", expires_at=now() + timedelta(days=90))
    with database.writing() as session:
        new = api_keys.rotate_key(session, "caller", key_sha256="1" * 64, overlap=timedelta(hours=24))
        session.commit()
    with database.reading() as session:
        old = session.get_one(ApiKeyRow, 1)
        assert [key.id for key in api_keys.find_keys(session, name="caller")] == [1, new.id]
    assert old.expires_at is not None
    assert new.expires_at is not None
    assert old.expires_at - now() < timedelta(hours=25)
    assert (new.scopes, new.expires_at - now() > timedelta(days=89)) == (["read", "classify"], True)


def test_rotation_never_lengthens_a_life(database: Database) -> None:
    add(database, "read", expires_at=now() + timedelta(hours=1))
    with database.writing() as session:
        api_keys.rotate_key(session, "caller", key_sha256="1" * 64, overlap=timedelta(days=7))
        end = session.get_one(ApiKeyRow, 1).expires_at
    assert end is not None
    assert end < now() + timedelta(hours=2)


def test_name_without_key_cannot_be_rotated(database: Database) -> None:
    with database.writing() as session, pytest.raises(UnknownIdError, match="keys list"):
        api_keys.rotate_key(session, "nobody", key_sha256="1" * 64, overlap=timedelta(0))


@pytest.mark.parametrize("name", ["", "x" * 101, "two\nlines"])
def test_unusable_name_is_refused(database: Database, name: str) -> None:
    with database.writing() as session, pytest.raises(ConfigurationError, match="printable"):
        api_keys.add_key(session, name=name, key_sha256="1" * 64)


def test_older_key_keeps_all_that_it_could(tmp_path: Path) -> None:
    database, config = Database(f"sqlite:///{tmp_path}/old.sqlite3"), migration_config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, "0009")
        row = "INSERT INTO api_keys (name, key_sha256, created_at) VALUES ('old', '0', '2026-01-01 00:00:00')"
        connection.exec_driver_sql(row)
    migrate(f"sqlite:///{tmp_path}/old.sqlite3")
    with database.reading() as session:
        assert [key.scopes for key in api_keys.find_keys(session)] == [list(SCOPES)]
    database.close()


@pytest.fixture
def run(settings: Settings, set_up_logs: object) -> Any:
    """Runs a command; gives how it ended."""
    del set_up_logs

    def invoke(*words: str) -> Any:
        env = {"LOSSNLP_VAR_DIR": str(settings.var_dir), "COLUMNS": "200"}
        return CliRunner().invoke(commands, list(words), env=env)

    return invoke


def test_commands_make_rotate_and_list(run: Any, client: TestClient) -> None:
    made = run("keys", "create", "Ana", "--scope", "read", "--expires", "90").output.splitlines()[0]
    fresh = run("keys", "rotate", "Ana", "--overlap", "30m").output.splitlines()[0]
    for key in (made, fresh):
        assert client.get("/v1/taxonomy", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    listed = run("keys", "list").output
    assert [line.count("read") for line in listed.splitlines() if "Ana" in line] == [1, 1]
    assert made not in listed
    assert fresh not in listed


def test_name_in_use_is_taken(run: Any) -> None:
    run("keys", "create", "Ana")
    assert "keys rotate" in run("keys", "create", "Ana").exception.message


@pytest.mark.parametrize(
    "words",
    [
        ("create", "Ana", "--scope", "write"),
        ("create", "Ana", "--expires", "soon"),
        ("create", "Ana", "--expires", "2020-01-01"),
        ("create", "Ana", "--expires", "0"),
        ("rotate", "Ana", "--overlap", "a while"),
    ],
)
def test_unreadable_option_is_named(run: Any, words: tuple[str, ...]) -> None:
    assert run("keys", *words).exception.message.startswith(words[2])
