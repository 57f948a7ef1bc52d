"""Settings come from the environment, and a wrong one is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from serving.crm.connect import connect_crm, crm_names
from serving.errors import ConfigurationError
from serving.settings import Settings, load_settings

FROM_ENVIRONMENT = {
    "var_dir": ("here", Path("here")),
    "database_url": ("sqlite:///x", "sqlite:///x"),
    "api_key": ("first", SecretStr("first")),
    "model": ("some/bundle", "some/bundle"),
    "bundle_key": ("RWone, RWtwo", ("RWone", "RWtwo")),
    "model_every_s": ("5", 5.0),
    "shadow_model": ("registry:lossnlp", "registry:lossnlp"),
    "rivals": ("Rostera, Shift Peak ,", ("Rostera", "Shift Peak")),
    "own_names": ("Acme", ("Acme",)),
    "fiscal_year_starts": ("7", 7),
    "env": ("development", "development"),
    "crm": ("demo", "demo"),
    "crm_words": ("words.yaml", Path("words.yaml")),
    "poll_since": ("2026-11-01", date(2026, 11, 1)),
    "poll_every_s": ("60", 60.0),
    "audit_rate": ("0.05", 0.05),
    "agreement_rate": ("0.2", 0.2),
    "text_keys": ("one,two", SecretStr("one,two")),
    "redact": ("true", True),
    "label_errors": ("errors.jsonl", Path("errors.jsonl")),
    "max_body_bytes": ("2048", 2048),
    "max_batch_items": ("9", 9),
    "max_waiting": ("7", 7),
    "max_connections": ("50", 50),
    "head_timeout_s": ("5", 5.0),
    "body_timeout_s": ("30", 30.0),
    "request_timeout_s": ("2.5", 2.5),
    "batch_timeout_s": ("60", 60.0),
    "round_deals": ("8", 8),
    "round_chars": ("9000", 9000),
    "round_window_ms": ("0", 0.0),
    "rounds_at_once": ("1", 1),
    "tls_cert": ("cert.pem", Path("cert.pem")),
    "tls_key": ("key.pem", Path("key.pem")),
    "behind_proxy": ("10.0.0.5, 10.1.0.0/16", ("10.0.0.5", "10.1.0.0/16")),
    "processes": ("0", 0),
    "threads": ("3", 3),
    "log_level": ("error", "error"),
}


def test_environment_sets_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (said, _) in FROM_ENVIRONMENT.items():
        monkeypatch.setenv(f"LOSSNLP_{name.upper()}", said)
    settings = load_settings()
    assert {name: getattr(settings, name) for name in Settings.model_fields} == {
        name: meant for name, (_, meant) in FROM_ENVIRONMENT.items()
    }


@pytest.mark.parametrize("month", ["0", "13", "July"])
def test_wrong_fiscal_month_is_named(monkeypatch: pytest.MonkeyPatch, month: str) -> None:
    monkeypatch.setenv("LOSSNLP_FISCAL_YEAR_STARTS", month)
    with pytest.raises(ConfigurationError, match="LOSSNLP_FISCAL_YEAR_STARTS"):
        load_settings()


def test_default_database_stands_under_var() -> None:
    assert Settings(var_dir=Path("elsewhere")).database_url == "sqlite:///elsewhere/lossnlp.sqlite3"


@pytest.mark.parametrize("url", ["postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"])
def test_postgres_url_gets_its_driver(url: str) -> None:
    assert Settings(database_url=url).database_url == "postgresql+psycopg://u@h/d"


def test_production_is_the_default() -> None:
    assert Settings().env == "production"


def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSNLP_MAX_BODY_BYTES", "lots")
    with pytest.raises(ConfigurationError, match="LOSSNLP_MAX_BODY_BYTES"):
        load_settings()


@pytest.mark.parametrize("crm", [None, "nosuch", "protocol"])
def test_unknown_crm_lists_the_known(crm: str | None) -> None:
    with pytest.raises(ConfigurationError, match="demo"):
        connect_crm(Settings(crm=crm))


def test_demo_is_a_connector(tmp_path: Path) -> None:
    assert "demo" in crm_names()
    assert connect_crm(Settings(crm="demo", var_dir=tmp_path)).name == "demo"


def test_readme_names_every_setting() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`LOSSNLP_{name.upper()}`" not in readme] == []
