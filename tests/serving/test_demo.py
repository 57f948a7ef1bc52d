"""The walk that a newcomer sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from serving.app import create_app
from serving.crm.connect import connect_crm
from serving.crm.protocol import fetch_all_lost
from serving.demo import run_demo
from serving.errors import ConfigurationError
from serving.server import open_port, serving_beside
from serving.settings import Settings


@pytest.fixture
def url(settings: Settings, assessor: Any) -> Iterator[str]:
    with serving_beside(create_app(settings, assessor=assessor), open_port("127.0.0.1", 0)) as base_url:
        yield base_url


@pytest.fixture(autouse=True)
def quiet(settings: Settings, set_up_logs: Callable[[Settings], None]) -> None:
    set_up_logs(settings.model_copy(update={"log_level": "error"}))


def walk(settings: Settings, url: str, capsys: pytest.CaptureFixture[str]) -> str:
    run_demo(settings, url=url, address=("127.0.0.1", 0), keep_serving=False)
    return capsys.readouterr().out


def test_walk_shows_every_deal(settings: Settings, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = walk(settings, url, capsys)
    accounts = [str(deal["deal"]["account"]) for deal in fetch_all_lost(connect_crm(settings))]
    assert [account for account in accounts if account.split()[0] not in shown] == []
    assert len(accounts) == 25
    assert len(re.findall(r"written|waits", shown)) >= 25
    assert max(map(len, shown.splitlines()[:40])) <= 140


def test_walk_writes_accepted_values_back(settings: Settings, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    walk(settings, url, capsys)
    fields = connect_crm(settings).fetch_fields(["OV-2098", "OV-2150"])
    assert fields["OV-2150"]["lossnlp_winback"] == "open"
    assert fields["OV-2098"]["lossnlp_primary_reason"] == "competitor"


def test_second_walk_changes_nothing(settings: Settings, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    first = walk(settings, url, capsys)
    assert walk(settings, url, capsys) == first


def test_walk_never_prints_the_key(settings: Settings, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "test-key" not in walk(settings, url, capsys)


def test_walk_without_service_says_so(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="is the service running"):
        run_demo(settings, url="http://127.0.0.1:9", address=("127.0.0.1", 0), keep_serving=False)


def test_walk_with_wrong_key_says_so(settings: Settings, url: str) -> None:
    stranger = settings.model_copy(update={"api_key": SecretStr("wrong")})
    with pytest.raises(ConfigurationError, match="401"):
        run_demo(stranger, url=url, address=("127.0.0.1", 0), keep_serving=False)
