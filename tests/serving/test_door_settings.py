"""Settings of the doors: from the environment or from files, a wrong one named and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.door_settings import DoorSettings, load_door_settings, reveal
from serving.errors import ConfigurationError

SECRET = "only-for-tests-and-32-characters!!"  # noqa: S105


def test_secrets_may_stand_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lossnlp_door_deals_secret").write_text(SECRET + "\n", encoding="utf-8")
    monkeypatch.setenv("LOSSNLP_DOOR_SECRETS_DIR", str(tmp_path))
    secret = load_door_settings().deals_secret
    assert secret
    assert secret.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEALS_SECRET", "short"),
        ("DEALS_SECRET", f"{SECRET} short"),
        ("DEALS_SECRET", f"{SECRET} {SECRET} {SECRET}"),
        ("SALESFORCE_KEY", "fifteen-letters"),
        ("SALESFORCE_KEY", "sixteen+letters/"),
        ("SALESFORCE_ORGANIZATION", "acme"),
        ("PUBLIC_URL", "http://lossnlp.example.com"),
        ("HUBSPOT_SECRET", "without an address"),
        ("SECRETS_DIR", "no/such/folder"),
    ],
)
def test_wrong_door_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LOSSNLP_DOOR_{name}", value)
    with pytest.raises(ConfigurationError, match=f"LOSSNLP_DOOR_{name}") as raised:
        load_door_settings()
    assert value not in raised.value.message
    assert SECRET not in raised.value.message


def test_blank_secret_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSNLP_DOOR_BOTTLECRM_SECRET", " ")
    with pytest.raises(ConfigurationError, match="takes one value"):
        load_door_settings()


def test_two_values_count_while_a_secret_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSNLP_DOOR_DEALS_SECRET", f" {SECRET}  {SECRET[::-1]}\n")
    assert reveal(load_door_settings().deals_secret) == (SECRET, SECRET[::-1])
    assert reveal(None) == ()


def test_large_limit_stays_small_for_salesforce() -> None:
    settings = DoorSettings(max_body_bytes=4096 * 1024)
    assert (settings.body_limit("deals"), settings.body_limit("salesforce")) == (4096 * 1024, 128 * 1024)
    assert DoorSettings(max_body_bytes=2048).body_limit("salesforce") == 2048


def test_secrets_do_not_show_when_printed() -> None:
    assert SECRET not in repr(DoorSettings.model_validate({"deals_secret": SECRET}))
