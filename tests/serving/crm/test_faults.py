"""What a connector and its worker say and do when calls break: a proxy of ours stands between them and the stand-in of the CRM."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from lossnlp.taxonomy import get_default_taxonomy
from serving.crm.fields import CrmWords, FieldMap, read_words
from serving.crm.protocol import CrmError, FieldChange, Fields, Outcome, SendResult, fetch_all_lost
from serving.crm.rules import PRIMARY_REASON
from serving.intake import Intake, parse_deal
from serving.outbox import RETRY_AFTER_S
from serving.store import Database
from serving.tables import AttemptRow, WriteBackRow
from serving.worker import Worker
from tests.serving.conftest import Clock
from tests.serving.crm.fault_proxy import TURNED_AWAY, Fault, FaultProxy, fault_proxy, random_faults
from tests.serving.crm.hubspot_fake import rate_limited
from tests.serving.crm.hubspot_world import HubSpotWorld, hubspot_world
from tests.serving.crm.salesforce_world import SalesforceWorld, salesforce_world
from tests.serving.crm.served import Line, hubspot_line, salesforce_line, served
from tests.serving.crm.worlds import SeenDeal

PATIENT_S, HURRIED_S = 10.0, 0.2
PERSONS = "competitor"
HEARD = "They told me at the fair that they had signed with somebody else."
SALESFORCE_WORDS = Path(__file__).parents[3] / "integrations/salesforce/words.yaml"
USED_UP = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
OUTCOMES: dict[Fault, Outcome] = dict.fromkeys(Fault, "unknown") | {Fault.LIMITED: "refused", Fault.AWAY: "refused"}


def under(*faults: Fault | None) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", faults, ids=[fault.name.lower() if fault else "none" for fault in faults])


every_fault = under(*Fault)


@dataclass(frozen=True)
class Site:
    """A CRM with the fields set up, and a connector to it through the proxy.

    Args:
        world: The CRM itself, as its people see it.
        line: The connector.
        proxy: Between the two.
        fields: What our fields are called there; a newer value of ours replaces an older one.
        writes: Part of the path of a write.
        note: Name of the field that sellers write in.
    """

    world: HubSpotWorld | SalesforceWorld
    line: Line
    proxy: FaultProxy
    fields: FieldMap
    writes: str
    note: str

    @property
    def reason(self) -> str:
        return next(iter(self.fields.to_crm({PRIMARY_REASON: "price"})))

    def add_deals(self, number: int) -> list[str]:
        return [self.world.add_lost(SeenDeal(f"deal {one}", notes=["Lost on price."])) for one in range(number)]

    def send(self, deal_id: str, value: str = "price") -> SendResult:
        [result] = self.line.crm.send_fields([FieldChange(deal_id, {self.reason: value})])
        return result

    def suffer(self, fault: Fault, times: int, *, tries: int) -> None:
        """Breaks the next writes; only where the proxy stalls does the client hurry."""
        self.line.set_pace(tries=tries, timeout_s=HURRIED_S if fault is Fault.STALLED else PATIENT_S)
        self.proxy.order(*[fault] * times, into=self.writes)

    def find_reason(self, deal_id: str) -> object:
        return self.world.get_fields(deal_id).get(self.reason) or None

    def count_written(self) -> Counter[tuple[str, object]]:
        """Gives how often each reason has reached each deal."""
        bodies = [body for path, body in self.proxy.passed if self.writes in path]
        changes = [change for body in bodies for change in changes_of(body).items()]
        return Counter((deal_id, values[self.reason]) for deal_id, values in changes if self.reason in values)


def changes_of(body: bytes) -> dict[str, Fields]:
    """Gives the values that a write sets, by deal."""
    said: dict[str, Any] = json.loads(body)
    records = said.get("inputs") or said["records"]
    return {record["id"]: record.get("properties", record) for record in records}


@pytest.fixture(params=["hubspot", "salesforce"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    is_hubspot = request.param == "hubspot"
    words = CrmWords() if is_hubspot else read_words(SALESFORCE_WORDS)
    fields = FieldMap(get_default_taxonomy(), words.model_copy(update={"policy": "if_ours"}))
    with ExitStack() as stack:
        world = stack.enter_context(hubspot_world() if is_hubspot else salesforce_world())
        world.crm.set_up(fields.specs())
        body = rate_limited().body if is_hubspot else USED_UP
        proxy = stack.enter_context(fault_proxy(stack.enter_context(served(world.fake)), limit_body=body))
        line = stack.enter_context(hubspot_line(proxy.url) if is_hubspot else salesforce_line(proxy.url))
        line.set_pace(tries=5, timeout_s=PATIENT_S)
        names = ("batch/update", "description") if is_hubspot else ("composite/sobjects", "Description")
        yield Site(world, line, proxy, fields, *names)
        assert not proxy.endured, "the connector waits longer than it was told to"


@every_fault
def test_reading_gets_over_one_fault(site: Site, fault: Fault) -> None:
    [deal_id] = site.add_deals(1)
    site.world.set_by_person(deal_id, {site.reason: "budget"})
    site.suffer(fault, 0, tries=5)
    site.proxy.order(fault)
    assert site.line.crm.fetch_fields([deal_id])[deal_id][site.reason] == "budget"
    assert site.proxy.injected == {fault: 1}


@every_fault
def test_reading_under_lasting_faults_is_an_error(site: Site, fault: Fault) -> None:
    [deal_id] = site.add_deals(1)
    site.line.crm.fetch_fields([deal_id])
    site.suffer(fault, 0, tries=2)
    site.proxy.order(fault, fault)
    with pytest.raises(CrmError) as caught:
        site.line.crm.fetch_requests([deal_id])
    assert "price" not in str(caught.value)


def test_reading_waits_as_long_as_asked(site: Site) -> None:
    [deal_id] = site.add_deals(1)
    site.line.crm.fetch_fields([deal_id])
    for read in (site.line.crm.fetch_fields, site.line.crm.fetch_requests):
        site.proxy.order(Fault.LIMITED, Fault.LIMITED)
        assert set(read([deal_id])) == {deal_id}
    assert site.line.waits == [2.0, 2.0] * 2


def test_all_deals_come_whole_under_random_faults(site: Site) -> None:
    added = site.add_deals(60)
    site.line.set_pace(tries=12, timeout_s=HURRIED_S)
    site.proxy.plan = random_faults(7, share=0.4)
    requests = list(fetch_all_lost(site.line.crm))
    assert sorted(request["deal"]["id"] for request in requests) == sorted(added)
    assert {request["documents"][0]["text"] for request in requests} == {"Lost on price."}
    assert site.proxy.injected.total() > 0


@every_fault
def test_broken_write_is_told_and_tried_once(site: Site, fault: Fault) -> None:
    calm, deal_id = site.add_deals(2)
    assert site.send(calm).outcome == "sent"
    site.suffer(fault, 2, tries=5)
    result = site.send(deal_id)
    assert (result.outcome, result.is_retryable) == (OUTCOMES[fault], True)
    assert (site.find_reason(deal_id) == "price") is (fault not in TURNED_AWAY)
    assert (site.proxy.injected, site.line.waits) == ({fault: 1}, [])


def test_refusal_after_a_fault_is_still_one(site: Site) -> None:
    [deal_id] = site.add_deals(1)
    site.suffer(Fault.AWAY, 1, tries=5)
    results = [site.send(deal_id, "moonlight") for _ in range(2)]
    assert [(result.outcome, result.is_retryable) for result in results] == [("refused", True), ("refused", False)]


def test_refused_credentials_refuse_no_deal() -> None:
    with salesforce_world() as world, served(world.fake) as url:
        world.crm.set_up(world.specs)
        deal_ids = [world.add_lost(SeenDeal(name)) for name in ("one", "two")]
        with (
            salesforce_line(url, client_secret=SecretStr("wrong")) as line,
            pytest.raises(CrmError, match="invalid_client"),
        ):
            line.crm.send_fields([FieldChange(deal_id, {world.specs[0].name: "price"}) for deal_id in deal_ids])


@every_fault
@pytest.mark.parametrize("site", ["salesforce"], indirect=True)
def test_token_is_fetched_over_a_fault(site: Site, fault: Fault) -> None:
    [deal_id] = site.add_deals(1)
    site.suffer(fault, 0, tries=5)
    site.proxy.order(fault, into="oauth2/token")
    assert site.send(deal_id).outcome == "sent"
    assert site.proxy.injected == {fault: 1}


@dataclass
class Desk:
    """A worker that writes into a site, with its queue.

    `typed` are the deals that a person has typed into during a write, `outcomes` is how often each outcome was told.
    """

    site: Site
    worker: Worker
    intake: Intake
    clock: Clock
    typed: list[str] = field(default_factory=list)
    outcomes: Counter[str | None] = field(default_factory=Counter)
    _last: int = 0

    def take_in(self, deal_ids: Sequence[str], text: str = "The price was far too high.") -> None:
        """Has a person note the same on each deal, and queues what is read in it."""
        for deal_id in deal_ids:
            self.site.world.set_by_person(deal_id, {self.site.note: text})
        for request in self.site.world.crm.fetch_requests(deal_ids).values():
            self.intake.take_deal(parse_deal(request))

    def type_into_first(self, body: bytes) -> None:
        """Has a person set the reason and the note of the first deal of a write."""
        deal_id = next(iter(changes_of(body)))
        self.site.world.set_by_person(deal_id, {self.site.reason: PERSONS, self.site.note: HEARD})
        self.typed.append(deal_id)

    def finish(self) -> None:
        """Returns when nothing is left to send."""
        for _ in range(1_000):
            if self.send_some():
                continue
            if not self.find_rows("due", "sending"):
                return
            self.clock.move(RETRY_AFTER_S[-1])
        pytest.fail("some values never arrive")

    def send_some(self) -> int:
        """Gives how many write-backs were handled; what is told of each is held against what really stands in the CRM."""
        stood = {row.deal_id: self.site.find_reason(row.deal_id) for row in self.find_rows("due", "sending")}
        handled = self.worker.send_due()
        self.site.proxy.wait_idle(seen=self.site.line.http.calls)
        for deal_id, attempt in self._find_new_attempts():
            self.outcomes[attempt.outcome] += 1
            if deal_id not in self.typed:
                self._check(deal_id, attempt, stood[deal_id])
        return handled

    def find_rows(self, *states: str) -> list[WriteBackRow]:
        with self.worker.database.reading() as session:
            return list(session.scalars(select(WriteBackRow).where(WriteBackRow.state.in_(states))))

    def _find_new_attempts(self) -> list[tuple[str, AttemptRow]]:
        query = select(WriteBackRow.deal_id, AttemptRow).join(AttemptRow.write_back).where(AttemptRow.id > self._last)
        with self.worker.database.reading() as session:
            found = [(deal_id, attempt) for deal_id, attempt in session.execute(query.order_by(AttemptRow.id))]
        self._last = found[-1][1].id if found else self._last
        return found

    def _check(self, deal_id: str, attempt: AttemptRow, stood: object) -> None:
        value = attempt.after.get(self.site.reason, stood)
        allowed = {"sent": [value], "refused": [stood], "unknown": [stood, value]}[str(attempt.outcome)]
        assert self.site.find_reason(deal_id) in allowed, f"{attempt.outcome} is not true"


@pytest.fixture
def database_url(tmp_path: Path, migrated_file: Path) -> str:
    """One kind of database is enough here: it is the CRM that breaks."""
    shutil.copy(migrated_file, tmp_path / "lossnlp.sqlite3")
    return f"sqlite:///{tmp_path}/lossnlp.sqlite3"


@pytest.fixture
def desk(site: Site, intake: Intake, database: Database, clock: Clock) -> Desk:
    assert {step.act for step in site.line.crm.plan_setup(site.fields.specs())} == {"stands"}
    crm = site.line.crm
    crm.writes_at_once = 5  # type: ignore[misc]  # more rounds, so more calls that may break
    return Desk(site, Worker(database, crm, clock, site.fields), intake.for_crm(crm.name), clock)


@every_fault
def test_broken_write_arrives_once_after_a_fresh_read(desk: Desk, fault: Fault) -> None:
    desk.take_in(deal_ids := desk.site.add_deals(3))
    desk.site.suffer(fault, 1, tries=5)
    desk.finish()
    assert [desk.site.find_reason(deal_id) for deal_id in deal_ids] == ["price"] * 3
    assert desk.site.count_written() == {(deal_id, "price"): 1 for deal_id in deal_ids}
    assert desk.outcomes[OUTCOMES[fault]] >= 3
    assert len(desk.find_rows("sent")) == 3


@every_fault
def test_correction_of_a_broken_write_stays(desk: Desk, fault: Fault) -> None:
    desk.take_in(deal_ids := desk.site.add_deals(1))
    desk.site.proxy.meanwhile(desk.type_into_first, into=desk.site.writes, when="after")
    desk.site.suffer(fault, 1, tries=5)
    desk.finish()
    assert desk.typed == deal_ids
    assert desk.site.find_reason(deal_ids[0]) == PERSONS
    assert [row.kept[desk.site.reason] for row in desk.find_rows("sent")] == [PERSONS]


@under(None, *Fault)
def test_no_more_is_lost_than_one_typed_value(desk: Desk, fault: Fault | None) -> None:
    first, other = desk.site.add_deals(2)
    desk.take_in([first, other])
    desk.site.proxy.meanwhile(desk.type_into_first, into=desk.site.writes, when="before")
    if fault:
        desk.site.suffer(fault, 1, tries=5)
    desk.finish()
    assert desk.typed == [first]
    assert desk.site.find_reason(first) in ([PERSONS] if fault in TURNED_AWAY else [PERSONS, "price"])
    assert HEARD in str(desk.site.world.crm.fetch_requests([first])[first]["documents"])
    assert desk.site.find_reason(other) == "price"


@under(*TURNED_AWAY)
def test_value_of_a_lost_answer_stays_ours(desk: Desk, fault: Fault) -> None:
    desk.take_in(deal_ids := desk.site.add_deals(1))
    desk.site.suffer(Fault.LOST, 1, tries=1)
    desk.clock.move(RETRY_AFTER_S[-1])
    desk.send_some()
    desk.site.proxy.order(fault)  # it befalls the reading before the next try
    desk.finish()
    [row] = desk.find_rows("sent")
    assert (desk.outcomes, row.kept) == ({"unknown": 2, "sent": 1}, {})
    desk.worker.undo(row.id)
    assert desk.site.find_reason(deal_ids[0]) is None


def test_three_hundred_changes_arrive_through_random_faults(desk: Desk) -> None:
    site, chance = desk.site, random.Random(11)
    deal_ids, corrected = site.add_deals(100), set[str]()
    site.proxy.plan = random_faults(11, share=0.4)
    for tries, word in enumerate(("price", "budget", "timing"), start=1):
        desk.take_in(deal_ids, f"The {word} was not right for them.")
        site.line.set_pace(tries=tries, timeout_s=HURRIED_S)
        if word != "price":
            site.proxy.meanwhile(desk.type_into_first, into=site.writes, when="before" if word == "budget" else "after")
        desk.finish()
        for deal_id in chance.sample(deal_ids, 5) if word != "timing" else []:
            site.world.set_by_person(deal_id, {site.reason: PERSONS})
            corrected.add(deal_id)
    in_the_gap, right_after = desk.typed
    corrected |= {right_after} | ({in_the_gap} if site.find_reason(in_the_gap) == PERSONS else set())
    found = {deal_id: site.find_reason(deal_id) for deal_id in deal_ids}
    assert found == {deal_id: PERSONS if deal_id in corrected else "timing" for deal_id in deal_ids}
    assert set(site.count_written().values()) == {1}
    assert len(desk.find_rows("sent")) == 300
    assert (set(desk.outcomes), set(site.proxy.injected)) == ({"sent", "refused", "unknown"}, set(Fault))
