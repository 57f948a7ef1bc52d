"""Notices of win-backs: tasks in each CRM that takes them, signed calls, each once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer
from typer.testing import CliRunner

from serving.cli_winbacks import winbacks
from serving.crm.demo import TASKS_FILE, DemoCrm
from serving.crm.protocol import CrmError
from serving.crm.signed_doors import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from serving.crm.tasks import TaskCrm
from serving.errors import ConfigurationError
from serving.intake import Assessor
from serving.reports.winback_entries import Winback
from serving.reports.winback_notices import Channel, CrmTasks, HandOverError, Reminders, SignedCalls
from serving.reports.winback_reminders import open_reminders
from serving.reports.winback_settings import load_winback_settings
from serving.settings import Settings
from serving.store import Database
from tests.serving.crm.hubspot_world import HubSpotWorld, hubspot_world
from tests.serving.crm.salesforce_world import SalesforceWorld
from tests.serving.crm.served import served
from tests.serving.crm.worlds import SeenDeal
from tests.serving.plain_http import NO_TLS
from tests.serving.reports.winback_world import Losses, in_days, open_list

SECRET = "a-shared-secret-of-32-characters"  # noqa: S105 - of a test
DUE = date(2027, 2, 1)
TEXT = "Known objection: Price.\nTo open with: what changed?"


class Receiver:
    """A company's own address for reminders, as a WSGI application."""

    def __init__(self) -> None:
        self.status = 204
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        self.bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        names = {"X-Lossnlp-Timestamp": "HTTP_X_LOSSNLP_TIMESTAMP", "X-Lossnlp-Signature": "HTTP_X_LOSSNLP_SIGNATURE"}
        self.headers.append({name: environ[key] for name, key in names.items()})
        start_response(f"{self.status} Answer", [("Content-Length", "0")])
        return [b""]


class Forgetful:
    """A channel whose answer is lost."""

    name = "task"

    def __init__(self) -> None:
        self.taken: list[str] = []

    def hand_over(self, winback: Winback) -> None:
        self.taken.append(winback.loss.deal_id)
        raise HandOverError("no whole answer", is_certain=False)


@pytest.fixture
def lost(database: Database, assessor: Assessor) -> Losses:
    return Losses(database, assessor)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def calls(receiver: Receiver) -> Iterator[SignedCalls]:
    with served(receiver) as url, httpx2.Client(verify=NO_TLS) as client:
        yield SignedCalls(client, f"{url}/reminders", SECRET)


def reminders(lost: Losses, *channels: Channel) -> Reminders:
    return Reminders(lost.database, open_list(), channels)


def outcomes(found: Reminders, **how: Any) -> list[tuple[str, str]]:
    return [(notice.deal_id, notice.outcome) for notice in found.remind(**how)]


# Signed calls


def test_reminder_says_whom_to_call(lost: Losses, calls: SignedCalls, receiver: Receiver) -> None:
    lost.add("a", revisit_on=in_days(3), gaps=["champion"], owner="Riley")
    assert outcomes(reminders(lost, calls)) == [("a", "sent")]
    (told,) = map(json.loads, receiver.bodies)
    assert told["deal"] == {"id": "a", "account": "Account a", "owner": "Riley", "team": None}
    assert (told["due_on"], told["reason"]["code"], told["gaps"]) == (str(in_days(3)), "price", ["Champion"])


def test_reminder_is_signed_over_its_bytes(lost: Losses, calls: SignedCalls, receiver: Receiver) -> None:
    lost.add("a", revisit_on=in_days(3))
    reminders(lost, calls).remind()
    (body,), (headers,) = receiver.bodies, receiver.headers
    at = datetime.fromtimestamp(int(headers[TIMESTAMP_HEADER]), UTC)
    assert sign(body, secret=SECRET, at=at)[SIGNATURE_HEADER] == headers[SIGNATURE_HEADER]


def test_reminder_quotes_no_words(lost: Losses, calls: SignedCalls, receiver: Receiver) -> None:
    lost.add("a", "timing, said Dana Brandl", revisit_on=in_days(3), revisit_text="after Dana's leave")
    reminders(lost, calls).remind()
    assert b"Dana" not in receiver.bodies[0]


def test_each_reminder_goes_out_once(lost: Losses, calls: SignedCalls, receiver: Receiver) -> None:
    lost.add("a", revisit_on=in_days(3))
    again = reminders(lost, calls)
    assert (outcomes(again), outcomes(again)) == ([("a", "sent")], [])
    assert len(receiver.bodies) == 1


def test_moved_date_is_told_again(lost: Losses, calls: SignedCalls, receiver: Receiver) -> None:
    lost.add("a", revisit_on=in_days(3))
    reminders(lost, calls).remind()
    lost.add("a", "now the timing", revisit_on=in_days(5))
    reminders(lost, calls).remind()
    assert [json.loads(body)["due_on"] for body in receiver.bodies] == [str(in_days(3)), str(in_days(5))]


def test_refused_reminder_is_tried_again(lost: Losses, calls: SignedCalls, receiver: Receiver) -> None:
    lost.add("a", revisit_on=in_days(3))
    receiver.status = 503
    assert outcomes(reminders(lost, calls)) == [("a", "failed")]
    receiver.status = 200
    assert outcomes(reminders(lost, calls)) == [("a", "sent")]


def test_redirect_takes_no_reminder(lost: Losses, calls: SignedCalls, receiver: Receiver) -> None:
    lost.add("a", revisit_on=in_days(3))
    receiver.status = 307
    assert outcomes(reminders(lost, calls)) == [("a", "failed")]


def test_dead_address_is_told_plainly(lost: Losses) -> None:
    lost.add("a", revisit_on=in_days(3))
    with served(Receiver()) as url:
        pass
    with httpx2.Client(verify=NO_TLS) as client:
        (notice,) = reminders(lost, SignedCalls(client, url, SECRET)).remind()
    assert notice.outcome == "failed"
    assert "ConnectError" in notice.error


def test_only_what_is_due_is_told(lost: Losses, calls: SignedCalls) -> None:
    for days in (-30, -7, 0, 7, 8):
        lost.add(f"in {days}", revisit_on=in_days(days))
    assert [deal_id for deal_id, _ in outcomes(reminders(lost, calls))] == ["in -7", "in 0", "in 7"]


def test_plan_sends_nothing(lost: Losses, calls: SignedCalls, receiver: Receiver) -> None:
    lost.add("a", revisit_on=in_days(3))
    assert outcomes(reminders(lost, calls), plan=True) == [("a", "planned")]
    assert receiver.bodies == []
    assert outcomes(reminders(lost, calls)) == [("a", "sent")]


def test_lost_answer_is_not_tried_again(lost: Losses) -> None:
    lost.add("a", revisit_on=in_days(3))
    channel = Forgetful()
    assert (outcomes(reminders(lost, channel)), outcomes(reminders(lost, channel))) == ([("a", "unknown")], [])
    assert channel.taken == ["a"]


def test_reopened_deal_is_not_told(lost: Losses, calls: SignedCalls, receiver: Receiver) -> None:
    lost.add("a", revisit_on=in_days(3))
    lost.told_by("demo", "a")
    asked = Reminders(lost.database, open_list(), [calls], DemoCrm(deals=[]))
    assert outcomes(asked) == []
    assert receiver.bodies == []


# Tasks


def test_task_stands_in_the_demo(lost: Losses) -> None:
    lost.add("a", revisit_on=in_days(3))
    crm = DemoCrm(deals=[{"deal": {"id": "a", "closed_at": "2026-11-02"}, "documents": []}])
    assert outcomes(reminders(lost, CrmTasks(crm))) == [("a", "sent")]
    (task,) = crm.tasks
    assert task["due_on"] == str(in_days(3))
    assert "Account a" in task["subject"]
    assert "“price”" in task["text"]


def test_unknown_deal_gets_no_task(lost: Losses) -> None:
    lost.add("a", revisit_on=in_days(3))
    assert outcomes(reminders(lost, CrmTasks(DemoCrm(deals=[])))) == [("a", "failed")]


def test_demo_keeps_tasks_beside_its_fields(tmp_path: Path) -> None:
    crm = DemoCrm(tmp_path / "state.json")
    crm.add_task(crm.find_lost().deal_ids[0], DUE, subject="Call", text=TEXT)
    assert "lossnlp: Call" in (tmp_path / TASKS_FILE).read_text(encoding="utf-8")


@contextmanager
def hubspot_with_tasks() -> Iterator[HubSpotWorld]:
    with hubspot_world() as world:
        world.fake.scopes.add("crm.objects.contacts.write")
        yield world


def test_hubspot_task_hangs_on_its_deal() -> None:
    with hubspot_with_tasks() as world:
        deal_id = world.add_lost(SeenDeal("one"))
        world.set_by_person(deal_id, {"hubspot_owner_id": "77"})
        task = world.fake.records["tasks"][world.crm.add_task(deal_id, DUE, subject="Call\nDana", text="a < b\nc")]
        assert world.fake.links[deal_id, "tasks"]
    assert (task["hs_timestamp"], task["hubspot_owner_id"]) == ("2027-02-01T09:00:00Z", "77")
    assert (task["hs_task_subject"], task["hs_task_body"]) == ("lossnlp: Call Dana", "a &lt; b<br>c")


def test_hubspot_names_the_missing_scope() -> None:
    with hubspot_world() as world, pytest.raises(CrmError, match=r"crm\.objects\.contacts\.write|403"):
        world.crm.add_task(world.add_lost(SeenDeal("one")), DUE, subject="Call", text=TEXT)


def test_salesforce_task_is_the_owners() -> None:
    world = SalesforceWorld()
    deal_id = world.add_lost(SeenDeal("one", note="Lost on price."))
    world.fake.rows["Opportunity"][deal_id]["OwnerId"] = "005Hs0000000001AAA"
    task_id = world.crm.add_task(deal_id, DUE, subject="Call", text=TEXT)
    task = world.fake.rows["Task"][task_id]
    assert (task["WhatId"], task["OwnerId"], task["ActivityDate"]) == (deal_id, "005Hs0000000001AAA", "2027-02-01")


def test_own_task_is_not_read_as_a_note() -> None:
    world = SalesforceWorld()
    deal_id = world.add_lost(SeenDeal("one", note="Lost on price."))
    before = world.crm.fetch_requests([deal_id])
    world.fake.rows["Opportunity"][deal_id]["OwnerId"] = "005Hs0000000001AAA"
    world.crm.add_task(deal_id, DUE, subject="Call", text=TEXT)
    assert world.crm.fetch_requests([deal_id]) == before


@pytest.mark.parametrize("deal_id", ["1", "0061234567890AB"])
def test_deal_that_is_not_there_gets_no_task(deal_id: str) -> None:
    with hubspot_with_tasks() as hubspot:
        for crm in (hubspot.crm, SalesforceWorld().crm, DemoCrm(deals=[])):
            assert isinstance(crm, TaskCrm)
            with pytest.raises(CrmError, match="not hold"):
                crm.add_task(deal_id, DUE, subject="Call", text=TEXT)


# Settings and command


def test_plain_address_is_refused_in_production(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("LOSSNLP_REMINDER_URL", "http://example.com/reminders")
    monkeypatch.setenv("LOSSNLP_REMINDER_SECRET", SECRET)
    with pytest.raises(ConfigurationError, match="https"):
        open_reminders(settings, Database(settings.database_url))


@pytest.mark.parametrize(
    ("name", "value"), [("URL", "ftp://example.com"), ("URL", "https://u:p@example.com/"), ("SECRET", "short")]
)
def test_wrong_reminder_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LOSSNLP_REMINDER_{name}", value)
    with pytest.raises(ConfigurationError, match=f"LOSSNLP_REMINDER_{name}"):
        load_winback_settings()


def test_address_needs_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSNLP_REMINDER_URL", "https://example.com/reminders")
    with pytest.raises(ConfigurationError, match="LOSSNLP_REMINDER_SECRET"):
        load_winback_settings()


def test_crm_without_tasks_is_named(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("LOSSNLP_WINBACK_TASKS", "true")
    with pytest.raises(ConfigurationError, match="LOSSNLP_WINBACK_TASKS: no CRM is connected"):
        open_reminders(settings.model_copy(update={"crm": None}), Database(settings.database_url))


@pytest.fixture
def in_environment(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Settings:
    """Settings that a command finds."""
    monkeypatch.setenv("LOSSNLP_VAR_DIR", str(settings.var_dir))
    monkeypatch.setenv("LOSSNLP_ENV", "development")
    return settings


def run(*words: str) -> str:
    commands = typer.Typer()
    commands.add_typer(winbacks, name="winbacks")
    return CliRunner().invoke(commands, ["winbacks", "remind", *words], catch_exceptions=False).output


@pytest.mark.usefixtures("set_up_logs")
def test_command_tells_what_it_sent(
    monkeypatch: pytest.MonkeyPatch, in_environment: Settings, assessor: Assessor, receiver: Receiver
) -> None:
    Losses(Database(in_environment.database_url), assessor).add("deal-1", revisit_on=in_days(20))
    monkeypatch.setenv("LOSSNLP_REMINDER_SECRET", SECRET)
    with served(receiver) as url:
        monkeypatch.setenv("LOSSNLP_REMINDER_URL", url)
        assert "deal-1" not in run()
        assert "planned" in run("--days", "30", "--plan")
        assert "sent" in run("--days", "30")
    assert len(receiver.bodies) == 1


@pytest.mark.usefixtures("in_environment", "set_up_logs")
def test_command_names_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="LOSSNLP_REMINDER_URL"):
        run()
