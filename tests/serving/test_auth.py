"""Keys: made well, kept as digests, demanded from the start."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving import api_keys, auth
from serving.app import create_app, require_start
from serving.errors import ConfigurationError
from serving.secret_values import digest_secret
from serving.settings import Settings
from serving.store import Database


def add_key(settings: Settings) -> str:
    key = auth.new_key()
    with Database(settings.database_url).writing() as session:
        api_keys.add_key(session, name="test", key_sha256=digest_secret(key))
        session.commit()
    return key


def test_keys_are_long_and_differ() -> None:
    assert len(auth.new_key()) > 40
    assert auth.new_key() != auth.new_key()


def test_only_exact_key_is_known() -> None:
    one, two = (auth.KnownKey(name, digest_secret(name), ("read",)) for name in ("one", "two"))
    assert auth.find_known("one", [one, two]) is one
    assert auth.find_known("two", [one, two]) is two
    assert auth.find_known("One", [one, two]) is None
    assert auth.find_known("one", []) is None


def test_made_key_opens_the_service(client: TestClient, settings: Settings) -> None:
    key = add_key(settings)
    assert client.get("/v1/taxonomy", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_revoked_key_opens_nothing(client: TestClient, settings: Settings) -> None:
    key = add_key(settings)
    with Database(settings.database_url).writing() as session:
        api_keys.revoke_key(session, 1)
        session.commit()
    assert client.get("/v1/taxonomy", headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_key_itself_is_stored_nowhere(settings: Settings) -> None:
    key = add_key(settings)
    assert all(key.encode() not in file.read_bytes() for file in settings.var_dir.iterdir())


def test_start_without_key_is_refused(settings: Settings) -> None:
    bare = settings.model_copy(update={"api_key": None})
    with pytest.raises(ConfigurationError, match="LOSSNLP_API_KEY"), TestClient(create_app(bare)):
        pass


def test_stored_key_is_enough_to_start(settings: Settings) -> None:
    add_key(settings)
    require_start(settings.model_copy(update={"api_key": None}), Database(settings.database_url))


def test_key_file_is_made_once_for_owner(tmp_path: Path) -> None:
    first, second = auth.read_or_make_key(tmp_path / "var"), auth.read_or_make_key(tmp_path / "var")
    assert first == second
    assert stat.S_IMODE((tmp_path / "var" / "api-key").stat().st_mode) == 0o600


def test_empty_key_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "api-key").touch()
    assert auth.read_or_make_key(tmp_path)


def test_settings_never_show_their_secrets(settings: Settings) -> None:
    shown = repr(settings.model_copy(update={"database_url": "postgresql+psycopg://u:hush@host/db"}))
    assert "hush" not in shown
    assert "test-key" not in shown
