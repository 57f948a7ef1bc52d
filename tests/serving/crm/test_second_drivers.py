"""The vendors' own client libraries on our stand-ins: each side sees what the other wrote, and is refused the same things."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import requests
from hubspot import HubSpot
from hubspot.crm import associations, deals, properties
from hubspot.crm.associations import v4 as associations_v4
from simple_salesforce import Salesforce as SalesforceClient
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from serving.crm.protocol import FieldChange
from tests.serving.crm.hubspot_fake import TOKEN, rate_limited
from tests.serving.crm.hubspot_world import HubSpotWorld, hubspot_world
from tests.serving.crm.salesforce_fake import CLIENT_ID, CLIENT_SECRET, VERSION
from tests.serving.crm.salesforce_world import SalesforceWorld, salesforce_world
from tests.serving.crm.served import served
from tests.serving.crm.worlds import SeenDeal

HS_REASON, HS_RIVAL = "lossnlp_primary_reason", "lossnlp_rival"
SF_REASON, SF_RIVAL = "Lossnlp_Primary_Reason__c", "Lossnlp_Rival__c"


# HubSpot: hubspot-api-client, which speaks v3 and v4.


@pytest.fixture
def account() -> Iterator[HubSpotWorld]:
    with hubspot_world() as world:
        world.crm.set_up(world.specs)
        yield world


@pytest.fixture
def hubspot(account: HubSpotWorld) -> Iterator[HubSpot]:
    with served(account.fake) as url:
        yield HubSpot(access_token=TOKEN, host=url)


def lost_search(after: str | None = None, *, limit: int = 100) -> deals.PublicObjectSearchRequest:
    lost = {"propertyName": "hs_is_closed_lost", "operator": "EQ", "value": "true"}
    sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
    return deals.PublicObjectSearchRequest(
        filter_groups=[{"filters": [lost]}], sorts=sorts, properties=[HS_REASON], limit=limit, after=after
    )


def batch_of(deal_id: str, **values: str) -> deals.BatchInputSimplePublicObjectBatchInput:
    return deals.BatchInputSimplePublicObjectBatchInput(inputs=[{"id": deal_id, "properties": values}])


def cause_of(error: Any) -> tuple[int, str]:
    body = json.loads(error.body)
    return error.status, body.get("category") or body["errorType"]


def test_hubspot_search_finds_what_we_find(account: HubSpotWorld, hubspot: HubSpot) -> None:
    account.add_won("won")
    added = [account.add_lost(SeenDeal(f"deal {number}")) for number in range(5)]
    first = hubspot.crm.deals.search_api.do_search(lost_search(limit=3))
    rest = hubspot.crm.deals.search_api.do_search(lost_search(first.paging.next.after, limit=3))
    assert (first.total, rest.paging) == (5, None)
    assert [found.id for found in (*first.results, *rest.results)] == added
    assert account.crm.find_lost().deal_ids == tuple(added)


def test_hubspot_client_reads_what_we_wrote(account: HubSpotWorld, hubspot: HubSpot) -> None:
    added = account.add_lost(SeenDeal("deal"))
    account.crm.send_fields([FieldChange(added, {HS_REASON: "price", HS_RIVAL: "Rostera"})])
    asked = deals.BatchReadInputSimplePublicObjectId(
        inputs=[{"id": added}], properties=[HS_REASON, HS_RIVAL], properties_with_history=[]
    )
    [found] = hubspot.crm.deals.batch_api.read(asked).results
    assert (found.properties[HS_REASON], found.properties[HS_RIVAL]) == ("price", "Rostera")


def test_we_read_what_hubspot_client_wrote(account: HubSpotWorld, hubspot: HubSpot) -> None:
    added = account.add_lost(SeenDeal("deal"))
    answer = hubspot.crm.deals.batch_api.update(batch_of(added, lossnlp_primary_reason="budget", lossnlp_rival="X"))
    assert (answer.status, [found.id for found in answer.results]) == ("COMPLETE", [added])
    fields = account.crm.fetch_fields([added])[added]
    assert (fields[HS_REASON], fields[HS_RIVAL]) == ("budget", "X")


def test_hubspot_client_reads_our_property(account: HubSpotWorld, hubspot: HubSpot) -> None:
    found = hubspot.crm.properties.core_api.get_by_name("deals", HS_REASON)
    assert (found.type, found.field_type, found.group_name) == ("enumeration", "select", "dealinformation")
    assert [(option.value, option.label) for option in found.options] == [("price", "Price"), ("budget", "Budget")]
    names = {one.name for one in hubspot.crm.properties.core_api.get_all("deals").results}
    assert {spec.name for spec in account.specs} <= names


def test_property_of_hubspot_client_stands_for_us(hubspot: HubSpot, account: HubSpotWorld) -> None:
    spec = account.specs[0]
    del account.fake.properties[spec.name]
    options = [
        properties.OptionInput(label=choice.label, value=choice.value, display_order=order, hidden=False)
        for order, choice in enumerate(spec.choices)
    ]
    made = properties.PropertyCreate(
        name=spec.name,
        label=spec.label,
        group_name="dealinformation",
        type="enumeration",
        field_type="select",
        options=options,
    )
    hubspot.crm.properties.core_api.create("deals", made)
    assert [step.act for step in account.crm.plan_setup(account.specs)] == ["stands"] * len(account.specs)


def test_links_are_the_same_in_v3_and_v4(account: HubSpotWorld, hubspot: HubSpot) -> None:
    added = account.add_lost(SeenDeal("deal", notes=["one", "two"]))
    old = hubspot.crm.associations.batch_api.read(
        "deals", "notes", associations.BatchInputPublicObjectId(inputs=[{"id": added}])
    )
    new = hubspot.crm.associations.v4.batch_api.get_page(
        "deals",
        "notes",
        associations_v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": added}]),
    )
    ids = account.fake.links[added, "notes"]
    assert [link.id for link in old.results[0].to] == ids
    assert [link.to_object_id for link in new.results[0].to] == ids


def test_hubspot_client_is_refused_a_foreign_value(account: HubSpotWorld, hubspot: HubSpot) -> None:
    added = account.add_lost(SeenDeal("deal"))
    with pytest.raises(deals.ApiException) as caught:
        hubspot.crm.deals.batch_api.update(batch_of(added, lossnlp_primary_reason="moonlight"))
    assert cause_of(caught.value) == (400, "VALIDATION_ERROR")
    [ours] = account.crm.send_fields([FieldChange(added, {HS_REASON: "moonlight"})])
    assert ours.outcome == "refused"
    assert str(ours.error).startswith("VALIDATION_ERROR")


def test_hubspot_client_is_told_of_a_gone_deal(account: HubSpotWorld, hubspot: HubSpot) -> None:
    gone = account.add_lost(SeenDeal("gone"))
    account.delete(gone)
    answer = hubspot.crm.deals.batch_api.update(batch_of(gone, lossnlp_primary_reason="price"))
    assert (answer.num_errors, answer.errors[0].category) == (1, "OBJECT_NOT_FOUND")
    assert answer.errors[0].context == {"ids": [gone]}


def test_hubspot_client_raises_on_refused_calls(account: HubSpotWorld, hubspot: HubSpot) -> None:
    with pytest.raises(properties.ApiException) as unknown:
        hubspot.crm.properties.core_api.get_by_name("deals", "nothing")
    account.fake.faults = [rate_limited()]
    with pytest.raises(deals.ApiException) as limited:
        hubspot.crm.deals.search_api.do_search(lost_search())
    hubspot.access_token = "nobody"  # noqa: S105 - of nobody
    with pytest.raises(deals.ApiException) as stranger:
        hubspot.crm.deals.search_api.do_search(lost_search())
    causes = [cause_of(error.value) for error in (unknown, limited, stranger)]
    assert causes == [(404, "OBJECT_NOT_FOUND"), (429, "RATE_LIMIT"), (401, "INVALID_AUTHENTICATION")]


# Salesforce: simple-salesforce, over REST.


@pytest.fixture
def org() -> Iterator[SalesforceWorld]:
    with salesforce_world() as world:
        world.crm.set_up(world.specs)
        yield world


@pytest.fixture
def client(org: SalesforceWorld) -> Iterator[SalesforceClient]:
    """The library on the port; it takes https for granted, so its addresses are set by hand."""
    with served(org.fake) as url, requests.Session() as session:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        token = httpx2.post(f"{url}/services/oauth2/token", data=form).json()["access_token"]
        made = SalesforceClient(session_id=token, instance_url=url, version=VERSION.removeprefix("v"), session=session)
        made.base_url = f"{url}/services/data/{VERSION}/"
        made.tooling_url = f"{made.base_url}tooling/"
        yield made


def patch(client: SalesforceClient, *records: dict[str, Any]) -> list[dict[str, Any]]:
    kind = {"attributes": {"type": "Opportunity"}}
    body = {"allOrNone": False, "records": [kind | record for record in records]}
    found = client.restful("composite/sobjects", method="PATCH", json=body)
    assert isinstance(found, list)
    return found


def describe(client: SalesforceClient) -> dict[str, dict[str, Any]]:
    table = client.Opportunity
    table.base_url = f"{client.base_url}sobjects/Opportunity/"
    return {field["name"]: field for field in table.describe()["fields"]}


def test_salesforce_query_finds_what_we_find(org: SalesforceWorld, client: SalesforceClient) -> None:
    org.add_won("won")
    added = [org.add_lost(SeenDeal(f"deal {number}")) for number in range(5)]
    org.fake.batch = 3
    soql = "SELECT Id FROM Opportunity WHERE IsClosed = true AND IsWon = false ORDER BY Id"
    first = client.query(soql)
    rest = client.query_more(first["nextRecordsUrl"].rsplit("/", 1)[1])
    assert (first["totalSize"], first["done"], rest["done"]) == (5, False, True)
    assert [row["Id"] for row in (*first["records"], *rest["records"])] == added
    ours = org.crm.find_lost()
    assert [*ours.deal_ids, *org.crm.find_lost(cursor=ours.cursor).deal_ids] == added


def test_salesforce_client_reads_what_we_wrote(org: SalesforceWorld, client: SalesforceClient) -> None:
    added = org.add_lost(SeenDeal("deal"))
    org.crm.send_fields([FieldChange(added, {SF_REASON: "price", SF_RIVAL: "Rostera"})])
    [row] = client.query(f"SELECT {SF_REASON}, {SF_RIVAL} FROM Opportunity WHERE Id = '{added}'")["records"]  # noqa: S608
    assert (row[SF_REASON], row[SF_RIVAL]) == ("price", "Rostera")


def test_we_read_what_salesforce_client_wrote(org: SalesforceWorld, client: SalesforceClient) -> None:
    added = org.add_lost(SeenDeal("deal"))
    assert patch(client, {"id": added, SF_REASON: "budget"}) == [{"id": added, "success": True, "errors": []}]
    assert org.crm.fetch_fields([added])[added][SF_REASON] == "budget"


def test_salesforce_client_is_refused_record_by_record(org: SalesforceWorld, client: SalesforceClient) -> None:
    bad, good = (org.add_lost(SeenDeal(name)) for name in ("bad", "good"))
    refused, done = patch(client, {"id": bad, SF_REASON: "moonlight"}, {"id": good, SF_REASON: "price"})
    assert (refused["success"], done["success"]) == (False, True)
    assert refused["errors"][0]["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    [ours] = org.crm.send_fields([FieldChange(bad, {SF_REASON: "moonlight"})])
    assert str(ours.error).startswith("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")


def test_salesforce_client_sees_our_field(org: SalesforceWorld, client: SalesforceClient) -> None:
    fields = describe(client)
    assert {spec.name for spec in org.specs} <= fields.keys()
    assert [value["value"] for value in fields[SF_REASON]["picklistValues"]] == ["price", "budget"]
    soql = "SELECT Id, DeveloperName FROM CustomField WHERE TableEnumOrId = 'Opportunity'"
    found = client.toolingexecute("query", params={"q": soql})["records"]
    assert {f"{row['DeveloperName']}__c" for row in found} == {spec.name for spec in org.specs}


def test_field_of_salesforce_client_stands_for_us(org: SalesforceWorld, client: SalesforceClient) -> None:
    spec = org.specs[2]
    del org.fake.customs[spec.name]
    metadata = {"label": spec.label, "type": "LongTextArea", "length": 32768, "visibleLines": 4}
    body = {"FullName": f"Opportunity.{spec.name}", "Metadata": metadata}
    assert client.toolingexecute("sobjects/CustomField", "POST", data=body)["success"]
    assert spec.name not in describe(client)
    [step] = org.crm.set_up([spec])
    assert (step.act, step.detail.startswith("stands; only access")) == ("create", True)
    assert [step.act for step in org.crm.plan_setup([spec])] == ["stands"]


def test_salesforce_client_counts_calls_as_told(org: SalesforceWorld, client: SalesforceClient) -> None:
    client.query("SELECT Id FROM Opportunity")
    usage = client.api_usage["api-usage"]
    assert (usage.used, usage.total) == (org.fake.used, org.fake.allowed)


def test_salesforce_client_raises_on_refused_calls(org: SalesforceWorld, client: SalesforceClient) -> None:
    with pytest.raises(SalesforceMalformedRequest) as malformed:
        client.query("SELECT Nothing FROM Opportunity")
    with pytest.raises(SalesforceResourceNotFound) as unknown:
        client.restful("sobjects/Nothing/describe")
    org.fake.used = org.fake.allowed
    with pytest.raises(SalesforceRefusedRequest) as limited:
        client.query("SELECT Id FROM Opportunity")
    org.fake.tokens.clear()
    with pytest.raises(SalesforceExpiredSession) as stranger:
        client.query("SELECT Id FROM Opportunity")
    causes = [error.value.content[0]["errorCode"] for error in (malformed, unknown, limited, stranger)]
    assert causes == ["INVALID_FIELD", "NOT_FOUND", "REQUEST_LIMIT_EXCEEDED", "INVALID_SESSION_ID"]
