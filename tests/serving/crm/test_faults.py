"""What a connector says and does when calls break: a proxy of ours stands between it and the stand-in of its CRM."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from serving.crm.protocol import CrmError, FieldChange, Fields, Outcome, SendResult, fetch_all_lost
from tests.serving.crm.fault_proxy import TURNED_AWAY, Fault, FaultProxy, fault_proxy, random_faults
from tests.serving.crm.hubspot_fake import rate_limited
from tests.serving.crm.hubspot_world import HubSpotWorld, hubspot_world
from tests.serving.crm.salesforce_world import SalesforceWorld, salesforce_world
from tests.serving.crm.served import Line, hubspot_line, salesforce_line, served
from tests.serving.crm.worlds import SeenDeal

PATIENT_S = 10.0
HURRIED_S = 0.2
USED_UP = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
OUTCOMES: dict[Fault, Outcome] = dict.fromkeys(Fault, "unknown") | {
    Fault.LIMITED: "refused",
    Fault.AWAY: "refused",
}
every_fault = pytest.mark.parametrize("fault", list(Fault), ids=[fault.name.lower() for fault in Fault])


@dataclass(frozen=True)
class Site:
    """A CRM with the fields set up, and a connector to it through the proxy.

    Args:
        world: The CRM itself, as its people see it.
        line: The connector.
        proxy: Between the two.
        writes: Part of the path of a write.
        choice: Name of a field with the values price and budget.
        text: Name of a field of free text.
    """

    world: HubSpotWorld | SalesforceWorld
    line: Line
    proxy: FaultProxy
    writes: str
    choice: str
    text: str

    def add_deals(self, number: int) -> list[str]:
        return [self.world.add_lost(SeenDeal(f"deal {one}", notes=["Lost on price."])) for one in range(number)]

    def send(self, deal_id: str, value: str = "price") -> SendResult:
        [result] = self.line.crm.send_fields([FieldChange(deal_id, {self.choice: value})])
        return result

    def suffer(self, fault: Fault, times: int, *, tries: int) -> None:
        """Breaks the next writes; only where the proxy stalls does the client hurry."""
        self.line.set_pace(tries=tries, timeout_s=HURRIED_S if fault is Fault.STALLED else PATIENT_S)
        self.proxy.order(*[fault] * times, into=self.writes)


@pytest.fixture(params=["hubspot", "salesforce"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    is_hubspot = request.param == "hubspot"
    with ExitStack() as stack:
        world = stack.enter_context(hubspot_world() if is_hubspot else salesforce_world())
        world.crm.set_up(world.specs)
        body = rate_limited().body if is_hubspot else USED_UP
        proxy = stack.enter_context(fault_proxy(stack.enter_context(served(world.fake)), limit_body=body))
        line = stack.enter_context(hubspot_line(proxy.url) if is_hubspot else salesforce_line(proxy.url))
        line.set_pace(tries=5, timeout_s=PATIENT_S)
        writes = "batch/update" if is_hubspot else "composite/sobjects"
        yield Site(world, line, proxy, writes, world.specs[0].name, world.specs[2].name)
        assert not proxy.endured, "the connector waits longer than it was told to"


@every_fault
def test_reading_gets_over_one_fault(site: Site, fault: Fault) -> None:
    [deal_id] = site.add_deals(1)
    site.world.set_by_person(deal_id, {site.choice: "budget"})
    site.suffer(fault, 0, tries=5)
    site.proxy.order(fault)
    assert site.line.crm.fetch_fields([deal_id])[deal_id][site.choice] == "budget"
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


def test_all_deals_come_whole_under_random_faults(site: Site) -> None:
    added = site.add_deals(60)
    site.line.set_pace(tries=12, timeout_s=HURRIED_S)
    site.proxy.plan = random_faults(7, share=0.4)
    requests = list(fetch_all_lost(site.line.crm))
    assert sorted(request["deal"]["id"] for request in requests) == sorted(added)
    assert {request["documents"][0]["text"] for request in requests} == {"Lost on price."}
    assert site.proxy.injected.total() > 0


@every_fault
def test_broken_write_tells_what_is_known(site: Site, fault: Fault) -> None:
    [deal_id] = site.add_deals(1)
    site.line.crm.fetch_fields([deal_id])
    site.suffer(fault, 1, tries=1)
    result = site.send(deal_id)
    assert (result.outcome, result.is_retryable) == (OUTCOMES[fault], True)
    assert (site.world.get_fields(deal_id).get(site.choice) == "price") is (fault not in TURNED_AWAY)


@every_fault
def test_broken_write_is_sent_again(site: Site, fault: Fault) -> None:
    [deal_id] = site.add_deals(1)
    site.suffer(fault, 1, tries=5)
    assert site.send(deal_id).outcome == "sent"
    assert site.world.get_fields(deal_id)[site.choice] == "price"
    assert site.proxy.injected == {fault: 1}


@pytest.mark.parametrize("last", TURNED_AWAY, ids=[fault.name.lower() for fault in TURNED_AWAY])
def test_lost_answer_stays_in_doubt(site: Site, last: Fault) -> None:
    [deal_id] = site.add_deals(1)
    site.suffer(Fault.LOST, 1, tries=3)
    site.suffer(last, 2, tries=3)
    assert site.send(deal_id).outcome == "unknown"
    assert site.world.get_fields(deal_id)[site.choice] == "price"


def test_wait_is_as_long_as_asked(site: Site) -> None:
    [deal_id] = site.add_deals(1)
    site.suffer(Fault.LIMITED, 2, tries=5)
    assert site.send(deal_id).outcome == "sent"
    assert site.line.waits == [2.0, 2.0]


def test_refusal_after_a_fault_is_still_one(site: Site) -> None:
    [deal_id] = site.add_deals(1)
    site.suffer(Fault.AWAY, 1, tries=5)
    result = site.send(deal_id, "moonlight")
    assert (result.outcome, result.is_retryable) == ("refused", False)


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


class Sender:
    """Sends values again and again until the CRM has them, as the worker does: reads first, and never over a person's value.

    Every result is held against what really stands in the CRM.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ours: dict[str, set[str]] = {}
        self.kept: set[str] = set()
        self.outcomes: set[Outcome] = set()

    def send_all(self, planned: dict[str, str]) -> None:
        """Returns when each deal has its value or keeps a person's."""
        pending = dict(planned)
        for _ in range(500):
            if not pending:
                return
            some = dict(list(pending.items())[:10])
            for deal_id in self._send(some):
                pending.pop(deal_id)
        pytest.fail(f"{len(pending)} changes never arrived")

    def _send(self, some: dict[str, str]) -> list[str]:
        """Gives the deals that are settled."""
        try:
            current = self._site.line.crm.fetch_fields(list(some))
        except CrmError:
            return []
        kept = [deal_id for deal_id in some if not self._is_free(deal_id, current[deal_id])]
        self.kept.update(kept)
        changes = [self._change(deal_id, some[deal_id], current[deal_id]) for deal_id in some if deal_id not in kept]
        self._site.proxy.wait_idle()
        stood = {change.deal_id: self._stands(change.deal_id) for change in changes}
        results = self._results(changes)
        self._site.proxy.wait_idle()
        for result in results:
            self._check(result, stood[result.deal_id], some[result.deal_id])
        return [*kept, *(result.deal_id for result in results if result.outcome == "sent")]

    def _change(self, deal_id: str, value: str, current: Fields) -> FieldChange:
        field = self._site.text
        self._ours.setdefault(deal_id, set()).add(value)
        return FieldChange(deal_id, {field: value}, before={field: current.get(field)})

    def _results(self, changes: list[FieldChange]) -> list[SendResult]:
        try:
            return self._site.line.crm.send_fields(changes) if changes else []
        except CrmError:
            return [SendResult(change.deal_id, "call failed", True, False) for change in changes]

    def _is_free(self, deal_id: str, current: Fields) -> bool:
        stands = current.get(self._site.text)
        return not stands or stands in self._ours.get(deal_id, ())

    def _stands(self, deal_id: str) -> object:
        return self._site.world.get_fields(deal_id).get(self._site.text)

    def _check(self, result: SendResult, stood: object, value: str) -> None:
        self.outcomes.add(result.outcome)
        allowed = {"sent": [value], "refused": [stood], "unknown": [stood, value]}[result.outcome]
        assert self._stands(result.deal_id) in allowed, f"{result.outcome} is not true"
        assert result.outcome == "sent" or result.is_retryable


def test_three_hundred_changes_arrive_through_random_faults(site: Site) -> None:
    deal_ids, chance = site.add_deals(100), random.Random(11)
    site.proxy.plan = random_faults(11, share=0.4)
    sender, touched = Sender(site), set()
    for wave in range(3):
        site.line.set_pace(tries=1 + wave, timeout_s=HURRIED_S)
        sender.send_all({deal_id: f"value {wave} of {deal_id}" for deal_id in deal_ids})
        some = chance.sample(deal_ids, 5) if wave < 2 else []
        touched.update(some)
        for deal_id in some:
            site.world.set_by_person(deal_id, {site.text: "of a person"})
    found = {deal_id: site.world.get_fields(deal_id)[site.text] for deal_id in deal_ids}
    assert found == {one: "of a person" if one in touched else f"value 2 of {one}" for one in deal_ids}
    assert sender.kept == touched
    assert (sender.outcomes, set(site.proxy.injected)) == ({"sent", "refused", "unknown"}, set(Fault))
