"""A service whose server and worker are killed while deals come in loses nothing, doubles nothing and touches no person's value."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from serving.crm.fields import FieldMap
from serving.crm.rules import PRIMARY_REASON
from serving.record import RecordEntry, find_record
from serving.store import Database
from serving.tables import AssessmentRow, InboxRow, WriteBackRow
from tests.serving.conftest import KEY
from tests.serving.crm.hubspot_fake import TOKEN
from tests.serving.crm.hubspot_traffic import SECRET, Sender, WatchedCrm
from tests.serving.crm.hubspot_world import HubSpotWorld, hubspot_world
from tests.serving.crm.served import served
from tests.serving.crm.service_process import Part, Service
from tests.serving.crm.worlds import SeenDeal

DEALS, PERSONS, KILLS, SERVER_KILLS, EDITS = 300, 30, 100, 30, 10
WORKER_KILLS_AN_EDIT = (KILLS - SERVER_KILLS) // EDITS
TOLD_A_KILL = DEALS // KILLS
# What three deals told cause in any case, however the work is shared out among lives: answers of the server, calls of the worker
ANSWERS, CALLS = 3, 7
JITTER_S = 0.03
# Share of a worker's lives that last until it has come to the deals told: others end with work left, which would pile up
WRITES = 0.3
PERSONS_REASON = "timing"
NOTES = {
    "price": "price was far too high",
    "budget": "their budget was frozen",
    "procurement_legal": "legal took far too long",
}
pytestmark = pytest.mark.slow


@dataclass
class Ordeal:
    """What the service goes through, and what has to stand in the CRM afterwards.

    Args:
        account: The CRM.
        crm: What is in front of it.
        url: Where it is served.
        service: The processes.
        sender: Who tells them of deals.
        reasons: The reason that each deal's text holds.
        persons: The deals in which a person has set the reason.
        never_ours: Those among them that held none of ours before.
        edited: Those among them that a person has set while deals came in.
        ends: How each process ended that was killed.
    """

    account: HubSpotWorld
    crm: WatchedCrm
    url: str
    service: Service
    sender: Sender
    reasons: dict[str, str]
    persons: set[str] = field(default_factory=set)
    never_ours: set[str] = field(default_factory=set)
    edited: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def run(self, moments: random.Random) -> None:
        """Kills a part after every few deals told, and at last lets the service work to the end."""
        is_server = set(moments.sample(range(KILLS - 1), SERVER_KILLS))
        worker_kills = 0
        for number, low in enumerate(range(0, DEALS, TOLD_A_KILL)):
            victim: Part = "server" if number in is_server else "worker"
            self._tell_and_kill(list(self.reasons)[low : low + TOLD_A_KILL], victim, moments)
            worker_kills += victim == "worker"
            if victim == "worker" and worker_kills % WORKER_KILLS_AN_EDIT == 0:
                self._edit()
        self.service.start("server")
        self.sender.finish()
        assert self.service.work_to_the_end() == 0

    def _tell_and_kill(self, deal_ids: list[str], victim: Part, moments: random.Random) -> None:
        """Kills a part a few milliseconds after it has done something that telling the deals makes it do."""
        self.service.start("server")
        self.service.start("worker")
        answered, called = self.sender.answers.seen.total(), self.crm.calls.seen.total()
        self.sender.tell(deal_ids)
        if victim == "server":
            answered += moments.randrange(1, ANSWERS)
            self.sender.answers.wait_until(lambda seen: seen.total() >= answered)
        elif moments.random() < WRITES:
            self.crm.taken.wait_until(lambda seen: any(deal_id == deal_ids[0] for deal_id, _ in seen))
        else:
            called += moments.randint(1, CALLS)
            self.crm.calls.wait_until(lambda seen: seen.total() >= called)
        time.sleep(moments.uniform(0, JITTER_S))
        self.ends.append(self.service.kill(victim))

    def _edit(self) -> None:
        """Sets a reason as a person does, in turn over the last one of ours and in the first deal that waits for ours.

        The worker is dead by now. The call before it makes sure that the CRM has answered all that it had sent: it answers one
        at a time, and what is under way while a person types is nobody's fault.
        """
        httpx2.get(self.url)
        theirs = [deal_id for deal_id in self.reasons if deal_id not in self.persons]
        ours = [deal_id for deal_id in theirs if self.account.get_fields(deal_id).get(PRIMARY_REASON)]
        waiting = [deal_id for deal_id in theirs if deal_id not in ours]
        is_over_ours = bool(ours) and (len(self.edited) % 2 == 0 or not waiting)
        self.edited.append(ours[-1] if is_over_ours else waiting[0])
        self.set_by_person(self.edited[-1], is_over_ours=is_over_ours)

    def set_by_person(self, deal_id: str, *, is_over_ours: bool = False) -> None:
        self.account.set_by_person(deal_id, {PRIMARY_REASON: PERSONS_REASON})
        self.persons.add(deal_id)
        if not is_over_ours:
            self.never_ours.add(deal_id)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Database]:
    file = shutil.copy(migrated_file, tmp_path_factory.mktemp("killed_service") / "lossnlp.sqlite3")
    with closing(Database(f"sqlite:///{file}")) as opened:
        yield opened


@pytest.fixture(scope="module")
def ordeal(database: Database) -> Iterator[Ordeal]:
    """What the service went through; the CRM and the database are as they were left."""
    with ExitStack() as stack:
        account = stack.enter_context(hubspot_world())
        account.crm.set_up(FieldMap.plain().specs())
        crm, port = WatchedCrm(account.fake), find_port()
        crm_url, url = stack.enter_context(served(crm)), f"http://127.0.0.1:{port}"
        log = stack.enter_context(Path(f"{database.engine.url.database}.log").open("w", encoding="utf-8"))
        service = stack.enter_context(closing(Service(variables(database, url, crm_url), port=port, log=log)))
        sender = stack.enter_context(closing(Sender(url)))
        gone_through = Ordeal(account, crm, crm_url, service, sender, add_deals(account))
        for deal_id in list(gone_through.reasons)[:: DEALS // PERSONS]:
            gone_through.set_by_person(deal_id)
        gone_through.run(random.Random(20))
        yield gone_through


def add_deals(account: HubSpotWorld) -> dict[str, str]:
    """Gives the reason that the text of each new deal holds."""
    said = [list(NOTES.items())[number % len(NOTES)] for number in range(DEALS)]
    return {account.add_lost(SeenDeal(f"deal {n}", note=note)): reason for n, (reason, note) in enumerate(said)}


def variables(database: Database, url: str, crm_url: str) -> dict[str, str]:
    """Gives the environment of a service that is connected to the CRM."""
    return {
        "LOSSNLP_DATABASE_URL": str(database.engine.url),
        "LOSSNLP_API_KEY": KEY,
        "LOSSNLP_LOG_LEVEL": "warning",
        "LOSSNLP_DOOR_PUBLIC_URL": url,
        "LOSSNLP_DOOR_HUBSPOT_SECRET": SECRET,
        "LOSSNLP_CRM": "hubspot",
        "LOSSNLP_HUBSPOT_URL": crm_url,
        "LOSSNLP_HUBSPOT_TOKEN": TOKEN,
        "LOSSNLP_HUBSPOT_CALLS_PER_10_S": "100000",
    }


def find_port() -> int:
    """Gives a free port below those that the system hands out: no call may leave from it while the server is down."""
    for port in range(20_000, 30_000):
        with ExitStack() as stack:
            try:
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return port
    raise AssertionError("No port is free.")


def read_record(database: Database) -> list[RecordEntry]:
    with database.reading() as session:
        return list(find_record(session, FieldMap.plain()))


def test_every_kill_hits_a_running_process(ordeal: Ordeal) -> None:
    assert ordeal.ends == [-signal.SIGKILL] * KILLS
    assert len(ordeal.edited) == EDITS


def test_every_deal_holds_its_value(ordeal: Ordeal) -> None:
    expected = ordeal.reasons | dict.fromkeys(ordeal.persons, PERSONS_REASON)
    stored = {deal_id: deal[PRIMARY_REASON] for deal_id, deal in ordeal.account.fake.records["deals"].items()}
    assert stored == expected
    assert len(ordeal.persons) == PERSONS + EDITS


def test_every_value_is_written_once(ordeal: Ordeal, database: Database) -> None:
    reasons = {deal_id: count for (deal_id, name), count in ordeal.crm.taken.seen.items() if name == PRIMARY_REASON}
    assert reasons == dict.fromkeys(ordeal.reasons.keys() - ordeal.never_ours, 1)
    with database.reading() as session:
        planned = {row.deal_id: row.planned for row in session.scalars(select(WriteBackRow))}
    untouched = ordeal.reasons.keys() - ordeal.persons
    taken = {key: count for key, count in ordeal.crm.taken.seen.items() if key[0] in untouched}
    assert taken == {(deal_id, name): 1 for deal_id in untouched for name in planned[deal_id]}


@pytest.mark.usefixtures("ordeal")
def test_every_event_is_taken_in_once(database: Database) -> None:
    with database.reading() as session:
        events = list(session.scalars(select(InboxRow)))
        answers = list(session.scalars(select(AssessmentRow.deal_id)))
        write_backs = list(session.scalars(select(WriteBackRow)))
    assert Counter(row.state for row in events) == {"taken": DEALS}
    assert Counter(row.state for row in write_backs) == {"sent": DEALS}
    assert len({row.deal_id for row in events}) == len(set(answers)) == len(answers) == DEALS


def test_every_write_is_on_record(ordeal: Ordeal, database: Database) -> None:
    record = read_record(database)
    told_sent = Counter((entry.deal_id, entry.field) for entry in record if entry.outcome == "sent")
    assert {(entry.deal_id, entry.field) for entry in record if entry.by == "lossnlp"} >= ordeal.crm.taken.seen.keys()
    assert told_sent <= ordeal.crm.taken.seen
    assert {entry.deal_id for entry in record if entry.act == "kept"} >= ordeal.never_ours


@pytest.mark.usefixtures("ordeal")
def test_every_write_names_its_assessment(database: Database) -> None:
    with database.reading() as session:
        answers = {row.id: (row.deal_id, row.primary_reason) for row in session.scalars(select(AssessmentRow))}
    record = read_record(database)
    assert all(answers[entry.assessment_id][0] == entry.deal_id for entry in record)
    written = {(entry.deal_id, entry.after) for entry in record if entry.field == PRIMARY_REASON and entry.act == "set"}
    assert written <= set(answers.values())
