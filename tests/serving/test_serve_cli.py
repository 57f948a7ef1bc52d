"""The command `lossnlp-serve`, as it is typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lossnlp.errors import LossNlpError
from serving import outbox
from serving.commands import app
from serving.crm.connect import connect_crm
from serving.intake import Intake, parse_deal
from serving.metrics import Metrics
from serving.settings import Settings
from serving.store import Database, now

DEAL = "OV-2133"
pytestmark = pytest.mark.usefixtures("set_up_logs")


@pytest.fixture
def env(settings: Settings) -> dict[str, str]:
    return {"LOSSNLP_VAR_DIR": str(settings.var_dir), "LOSSNLP_CRM": "demo", "COLUMNS": "160"}


@pytest.fixture
def queued(settings: Settings, assessor: object) -> Settings:
    """Settings over a database in which one write-back is due."""
    database = Database(settings.database_url)
    Intake(assessor, database, Metrics(), crm="demo").take_deal(parse_deal({"id": DEAL, "text": "price was too high"}))  # type: ignore[arg-type]
    database.close()
    return settings


def say(env: dict[str, str], *words: str) -> str:
    result = CliRunner().invoke(app, list(words), env=env, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_key_is_shown_once_and_listed(env: dict[str, str]) -> None:
    key = say(env, "keys", "create", "Ana").splitlines()[0]
    listed = say(env, "keys", "list")
    assert "Ana" in listed
    assert key not in listed


def test_revoked_key_is_marked(env: dict[str, str]) -> None:
    say(env, "keys", "create", "Ana")
    say(env, "keys", "revoke", "1")
    [listed] = [line for line in say(env, "keys", "list").splitlines() if "Ana" in line]
    assert len(re.findall(r"\d{4}-\d\d-\d\d", listed)) == 2


def test_plan_shows_writes_before_they_happen(env: dict[str, str], queued: Settings) -> None:
    planned = say(env, "write-backs", "plan")
    assert "lossnlp_primary_reason" in planned
    assert connect_crm(queued).fetch_fields([DEAL]) == {DEAL: {}}


@pytest.mark.usefixtures("queued")
def test_plan_says_whose_value_stays(env: dict[str, str], queued: Settings) -> None:
    connect_crm(queued).set_by_person(DEAL, {"lossnlp_winback": "closed"})  # type: ignore[attr-defined]
    assert "leave: a person's" in say(env, "write-backs", "plan")


def test_plan_shows_what_the_worker_takes(env: dict[str, str], queued: Settings, assessor: Any) -> None:
    database = Database(queued.database_url)
    for crm, deal_id, text in (("demo", DEAL, "budget cut in May"), ("other", "OV-2098", "legal took too long")):
        Intake(assessor, database, Metrics(), crm=crm).take_deal(parse_deal({"id": deal_id, "text": text}))
    with database.writing() as session:
        outbox.claim_due(session, crm="demo", at=now() - timedelta(hours=1), lease_s=1)
        session.commit()
    database.close()
    planned = say(env, "write-backs", "plan")
    assert "price" in planned
    assert "budget" not in planned
    assert "OV-2098" not in planned


def test_plan_has_no_limit(env: dict[str, str], settings: Settings, assessor: Any) -> None:
    database = Database(settings.database_url)
    intake = Intake(assessor, database, Metrics(), crm="demo")
    for number in range(201):
        intake.take_deal(parse_deal({"id": f"D-{number:03}", "text": "price was too high"}))
    database.close()
    planned = say(env, "write-backs", "plan")
    assert planned.count("does not hold this deal") == 201


def test_plan_shows_what_is_cleared(env: dict[str, str], queued: Settings, assessor: Any, tmp_path: Path) -> None:
    words = tmp_path / "words.yaml"
    words.write_text("policy: if_ours")
    env = env | {"LOSSNLP_CRM_WORDS": str(words)}
    say(env, "worker", "--once")
    database = Database(queued.database_url)
    Intake(assessor, database, Metrics(), crm="demo").take_deal(parse_deal({"id": DEAL, "text": "timing"}))
    database.close()
    assert "clear: no longer read" in say(env, "write-backs", "plan")


@pytest.mark.usefixtures("queued")
def test_worker_sends_and_list_shows(env: dict[str, str]) -> None:
    say(env, "worker", "--once")
    listed = say(env, "write-backs", "list", "--state", "sent")
    assert DEAL in listed
    assert "price" in listed


def test_undo_takes_the_values_back(env: dict[str, str], queued: Settings) -> None:
    say(env, "worker", "--once")
    assert "lossnlp_primary_reason" in say(env, "write-backs", "undo", "1")
    assert connect_crm(queued).fetch_fields([DEAL]) == {DEAL: {}}


def test_migrate_makes_the_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/var/new.sqlite3"
    say({"LOSSNLP_DATABASE_URL": url}, "migrate")
    assert (tmp_path / "var" / "new.sqlite3").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "LOSSNLP_API_KEY"),
        (["keys", "revoke", "9"], "keys list"),
        (["write-backs", "undo", "9"], "write-backs list"),
    ],
)
def test_fault_names_the_way_out(env: dict[str, str], words: list[str], message: str) -> None:
    result = CliRunner().invoke(app, words, env=env)
    assert isinstance(result.exception, LossNlpError)
    assert message in result.exception.message


def test_fault_ends_in_one_sentence(env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "serving.cli", "keys", "revoke", "9"]
    ended = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1


def test_base_install_names_the_extra() -> None:
    program = "import sys; sys.modules['sqlalchemy'] = None; from serving.cli import main; main(['migrate'])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "pip install 'lossnlp[serve]'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
