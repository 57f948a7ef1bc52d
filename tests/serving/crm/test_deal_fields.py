"""Team, region, product and segment out of a company's own fields: which are read, what counts, and what each CRM has by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from lossnlp.deal import Deal
from serving.crm.connect import connect_crm
from serving.crm.deal_fields import MAX_LABEL, DealFields, find_label, walk
from serving.crm.demo import DemoCrm
from serving.crm.fields import read_words
from serving.crm.protocol import CrmError
from serving.errors import ConfigurationError
from serving.intake import Intake
from serving.poller import Poller
from serving.receiver import Receiver
from serving.settings import Settings
from serving.store import Database
from serving.tables import LossRow
from tests.serving.crm.bottlecrm_world import BottleCrmWorld, bottlecrm_world
from tests.serving.crm.hubspot_world import HubSpotWorld, hubspot_world
from tests.serving.crm.salesforce_world import SalesforceWorld, org_settings
from tests.serving.crm.tryton_world import TrytonWorld, tryton_world
from tests.serving.crm.worlds import SeenDeal

NOTE = "Lost on price."
DEMO_DEAL = "OV-2133"


@pytest.fixture
def account() -> Iterator[HubSpotWorld]:
    with hubspot_world() as opened:
        yield opened


@pytest.fixture
def org() -> SalesforceWorld:
    return SalesforceWorld()


@pytest.fixture
def bottle() -> Iterator[BottleCrmWorld]:
    with bottlecrm_world() as opened:
        yield opened


@pytest.fixture
def tryton() -> Iterator[TrytonWorld]:
    with tryton_world() as opened:
        yield opened


def words_file(folder: Path, text: str) -> Path:
    path = folder / "words.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# The mapping file


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("deal_fields: {squad: Team__c}", r"deal_fields.squad.*'team', 'region', 'product' or 'segment'"),
        ("deal_fields: {team: Team__c FROM Lead}", r"deal_fields.team: should be the CRM's own name of a field"),
        ("deal_fields: {team: 'Owner..Name'}", r"deal_fields.team: should be"),
        ("deal_fields: {team: [a, b]}", r"deal_fields.team: Input should be a valid string"),
    ],
)
def test_a_wrong_deal_field_is_named(tmp_path: Path, text: str, cause: str) -> None:
    with pytest.raises(ConfigurationError, match=cause):
        read_words(words_file(tmp_path, text))


def test_a_field_of_the_company_comes_before_the_natural_one() -> None:
    fields = DealFields("X", {"team": "Squad__c", "product": None}, {"team": "team", "product": "lines"})
    assert fields.names == ("Squad__c",)


def test_the_connected_crm_reads_the_mapping_file(tmp_path: Path) -> None:
    words = words_file(tmp_path, "deal_fields: {team: squad, region: null}")
    crm = connect_crm(Settings(crm="demo", var_dir=tmp_path, crm_words=words))
    crm.set_by_person(DEMO_DEAL, {"squad": "Key accounts"})  # type: ignore[attr-defined]
    read = crm.fetch_requests([DEMO_DEAL])[DEMO_DEAL]["deal"]
    assert (read["team"], read.get("region"), read["segment"]) == ("Key accounts", None, "mid-market")


def test_shipped_demo_deals_can_be_cut_every_way(tmp_path: Path) -> None:
    crm = connect_crm(Settings(crm="demo", var_dir=tmp_path))
    [request] = crm.fetch_requests([DEMO_DEAL]).values()
    read = Deal.from_request(request)
    assert all((read.team, read.region, read.product, read.segment))


def test_team_of_the_crm_is_that_of_the_loss(intake: Intake, database: Database) -> None:
    crm = DemoCrm(deal_fields={"team": "squad"})
    crm.set_by_person(DEMO_DEAL, {"squad": "Key accounts"})
    Poller(database, crm, since_on=date(2026, 1, 1)).poll()
    while Receiver(database, crm, intake.for_crm(crm.name)).take_due():
        continue
    with database.reading() as session:
        teams = {row.deal_id: row.team for row in session.scalars(select(LossRow))}
    assert teams[DEMO_DEAL] == "Key accounts"
    assert {team for deal_id, team in teams.items() if deal_id != DEMO_DEAL} == {None}


# What counts as a value


@pytest.mark.parametrize(
    ("values", "label"),
    [
        (["North"], "North"),
        ([" North \n"], "North"),
        (["North", "North", None, ""], "North"),
        (["North", "South"], None),
        ([12], "12"),
        ([True], None),
        ([{"city": "Graz"}], None),
        (["x" * MAX_LABEL], "x" * MAX_LABEL),
        (["x" * (MAX_LABEL + 1)], None),
        ([], None),
    ],
)
def test_one_short_text_is_a_value(values: list[object], label: str | None) -> None:
    assert find_label(values) == label


def test_a_path_goes_through_records_and_lists() -> None:
    row = {"lines": [{"product": {"name": "Fleet"}}, {"product": None}, {"product": {"name": "Time"}}], "party": None}
    assert walk(row, "lines.product.name") == ["Fleet", "Time"]
    assert walk(row, "party.code") == []
    with pytest.raises(KeyError):
        walk(row, "lines.price")


# HubSpot


def test_hubspot_options_come_with_their_labels(account: HubSpotWorld) -> None:
    account.fake.define("area", "enumeration", "select", option_1="DACH", option_2="Nordics")
    account.fake.define("offers", "enumeration", "checkbox", a="Fleet", b="Time")
    added = account.add_lost(SeenDeal("one", note=NOTE))
    account.set_by_person(added, {"area": "option_2", "offers": "a;b"})
    read = account.reading({"region": "area", "product": "offers"}).fetch_requests([added])[added]["deal"]
    assert (read["region"], read.get("product")) == ("Nordics", None)


def test_hubspot_takes_one_call_more_for_any_number(account: HubSpotWorld) -> None:
    added = [account.add_lost(SeenDeal(f"deal {one}", note=NOTE, told={"team": "North"})) for one in range(120)]
    calls = []
    for named in ({}, account.deal_fields):
        crm = account.reading(named)
        read = crm.fetch_requests(crm.find_lost().deal_ids)
        calls.append(crm.http.calls)
    assert calls[1] == calls[0] + 1
    assert [read[deal_id]["deal"]["team"] for deal_id in added] == ["North"] * 120


# Salesforce


def test_salesforce_choices_come_with_their_labels(org: SalesforceWorld) -> None:
    org.crm.set_up(org.specs)
    added = org.add_lost(SeenDeal("one", note=NOTE))
    org.set_by_person(added, {"Lossnlp_Primary_Reason__c": "price", "Lossnlp_Contributing_Reasons__c": "price;budget"})
    crm = org.reading({"team": "Lossnlp_Primary_Reason__c", "region": "Lossnlp_Contributing_Reasons__c"})
    read = crm.fetch_requests([added])[added]["deal"]
    assert (read["team"], read.get("region")) == ("Price", None)


def test_salesforce_takes_no_call_more(org: SalesforceWorld) -> None:
    added = org.add_lost(SeenDeal("one", note=NOTE, told={"team": "North", "segment": "Energy"}))
    calls = []
    for named in ({}, org.deal_fields):
        crm = org.reading(named)
        crm.fetch_requests([added])
        calls.append(crm.org.http.calls)
    assert calls[0] == calls[1]


def test_salesforce_field_of_another_record_may_be_missing(
    org: SalesforceWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    added = org.add_lost(SeenDeal("one", note=NOTE, told={"region": "DACH", "segment": "Energy"}))
    crm = org.reading({**org.deal_fields, "team": "Owner.Squad__c", "product": "owner.name"})
    read = crm.fetch_requests([added])[added]["deal"]
    assert (read["region"], read["segment"], read["owner"]) == ("DACH", "Energy", "Ada Rep")
    said = capsys.readouterr().out
    assert said.count("crm_lacks_deal_field") == 2
    assert "Owner.Squad__c" in said


def test_salesforce_field_that_goes_is_left_out(org: SalesforceWorld) -> None:
    added = org.add_lost(SeenDeal("one", note=NOTE, told={"region": "DACH", "product": "Fleet"}))
    crm = org.reading(org.deal_fields)
    assert crm.fetch_requests([added])[added]["deal"]["product"] == "Fleet"
    del org.fake.tables["Opportunity"]["Offer__c"]
    read = crm.fetch_requests([added])[added]["deal"]
    assert (read["region"], read.get("product")) == ("DACH", None)


def test_salesforce_reason_field_that_is_missing_is_still_refused() -> None:
    org = SalesforceWorld(org_settings(stated_reason_field="Nowhere__c"))
    added = org.add_lost(SeenDeal("one", note=NOTE))
    with pytest.raises(CrmError, match="Nowhere__c"):
        org.reading(org.deal_fields).fetch_requests([added])


# BottleCRM


@pytest.mark.crm
def test_bottlecrm_team_and_product_come_by_themselves(bottle: BottleCrmWorld) -> None:
    added = bottle.add_lost(SeenDeal("one", note=NOTE))
    bottle.edit(added, teams=[bottle.add_team("North")])
    bottle.offer(added, "Fleet planner")
    bottle.line.calls.clear()
    read = bottle.crm.fetch_requests([added])[added]["deal"]
    assert (read["team"], read["product"], read.get("region")) == ("North", "Fleet planner", None)
    assert len(bottle.line.calls) == 2
    bottle.offer(added, "Time clock")
    assert "product" not in bottle.crm.fetch_requests([added])[added]["deal"]


@pytest.mark.crm
def test_bottlecrm_options_come_with_their_labels(bottle: BottleCrmWorld) -> None:
    bottle.define("area", "dropdown", options=[{"value": "n", "label": "Nordics"}])
    added = bottle.add(name="one", stage="CLOSED_LOST", closed_on="2026-11-02", custom_fields={"area": "n"})
    bottle.line.calls.clear()
    read = bottle.reading({"region": "area"}).fetch_requests([added])[added]["deal"]
    assert read["region"] == "Nordics"
    assert len(bottle.line.calls) == 2 + 1


# Tryton


@pytest.mark.crm
def test_tryton_product_comes_by_itself(tryton: TrytonWorld) -> None:
    told = {"region": "Graz", "segment": "Mid-market"}
    one, two = (
        tryton.add_lost(SeenDeal(name, note=NOTE, told={**told, "product": name}))  # type: ignore[dict-item]
        for name in ("Fleet planner", "Fleet planner;Time clock")
    )
    read = tryton.crm.fetch_requests([one, two])
    assert read[one]["deal"]["product"] == "Fleet planner"
    assert "product" not in read[two]["deal"]


@pytest.mark.crm
def test_tryton_field_that_is_hidden_is_named(tryton: TrytonWorld, capsys: pytest.CaptureFixture[str]) -> None:
    added = tryton.add_lost(SeenDeal("one", note=NOTE))
    with tryton.hidden("reference"):
        read = tryton.reading({"team": "reference"}).fetch_requests([added])[added]
    assert "team" not in read["deal"]
    assert "let our user read it" in capsys.readouterr().out
