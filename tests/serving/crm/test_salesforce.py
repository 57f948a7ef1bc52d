"""What is special to Salesforce: token, queries, collections, field access, and the causes it gives."""

from __future__ import annotations

from datetime import UTC, date, datetime
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2
import pytest
from pydantic import SecretStr

from lossnlp.deal import Deal
from serving.crm.protocol import Choice, CrmError, FieldChange, FieldSpec, fetch_all_lost
from serving.crm.salesforce import connect, connect_org
from serving.crm.salesforce_org import quoted
from serving.errors import ConfigurationError
from serving.settings import Settings
from tests.serving.crm.salesforce_fake import CLIENT_ID, CLIENT_SECRET
from tests.serving.crm.salesforce_world import URL, SalesforceWorld, org_settings
from tests.serving.crm.worlds import SeenDeal

REASON, REASONS, RIVAL, CONFIDENCE, REVISIT, MOMENT, FLAG = (spec.name for spec in SalesforceWorld.specs)
NOTE = "Their CFO said no to the price."


@pytest.fixture
def org() -> SalesforceWorld:
    """An org with nothing set up."""
    return SalesforceWorld()


@pytest.fixture
def ready() -> SalesforceWorld:
    """An org with all fields."""
    made = SalesforceWorld()
    made.crm.set_up(made.specs)
    return made


def lost(world: SalesforceWorld, count: int = 1, **values: Any) -> list[str]:
    return [world.add_lost(SeenDeal(f"deal {number}", note=NOTE, **values)) for number in range(count)]


def send(world: SalesforceWorld, deal_id: str, **values: Any) -> str | None:
    return world.crm.send_fields([FieldChange(deal_id, values)])[0].error


def calls(world: SalesforceWorld, path: str) -> int:
    return sum(path in seen for _, seen in world.fake.seen)


def text_of(world: SalesforceWorld, deal_id: str, kind: str) -> str:
    documents = world.crm.fetch_requests([deal_id])[deal_id]["documents"]
    return "\n".join(document["text"] for document in documents if document["kind"] == kind)


# Token


def test_token_is_fetched_once_for_many_calls(org: SalesforceWorld) -> None:
    for _ in range(3):
        org.crm.find_lost()
    assert calls(org, "oauth2/token") == 1


def test_expired_token_is_fetched_anew_once(org: SalesforceWorld) -> None:
    org.crm.find_lost()
    org.fake.tokens.clear()
    assert org.crm.find_lost().deal_ids == ()
    assert calls(org, "oauth2/token") == 2


def test_refused_new_token_is_no_endless_loop(org: SalesforceWorld) -> None:
    org.crm.find_lost()
    org.fake.answers += [(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}], {})] * 2
    with pytest.raises(CrmError, match="INVALID_SESSION_ID"):
        org.crm.find_lost()
    assert calls(org, "oauth2/token") == 2


def test_wrong_secret_is_named_without_it() -> None:
    wrong = org_settings().model_copy(update={"client_secret": SecretStr("guessed-wrong")})
    world = SalesforceWorld(wrong)
    with pytest.raises(CrmError, match="gave no token: 400 invalid_client") as caught:
        world.crm.find_lost()
    assert "guessed-wrong" not in str(caught.value)


@pytest.mark.parametrize("missing", ["INSTANCE_URL", "CLIENT_ID", "CLIENT_SECRET"])
def test_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    values = {"INSTANCE_URL": URL, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
    for name, value in values.items():
        monkeypatch.setenv(f"LOSSNLP_SALESFORCE_{name}", value)
    assert connect(Settings()).name == "salesforce"
    monkeypatch.delenv(f"LOSSNLP_SALESFORCE_{missing}")
    with pytest.raises(ConfigurationError, match=f"LOSSNLP_SALESFORCE_{missing}"):
        connect(Settings())


def test_secrets_never_go_over_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"INSTANCE_URL": "http://example.com", "CLIENT_ID": "a", "CLIENT_SECRET": "b"}.items():
        monkeypatch.setenv(f"LOSSNLP_SALESFORCE_{name}", value)
    with pytest.raises(ConfigurationError, match="LOSSNLP_SALESFORCE_INSTANCE_URL"):
        connect(Settings())


# Lists and queries


def test_deals_changed_in_one_second_all_come(org: SalesforceWorld) -> None:
    added = lost(org, 25)
    assert [request["deal"]["id"] for request in fetch_all_lost(org.crm)] == added
    assert {row["LastModifiedDate"] for row in org.fake.rows["Opportunity"].values()} == {
        "2026-11-02T09:30:00.000+0000"
    }


def test_cursor_outlives_process_and_query_locators(org: SalesforceWorld) -> None:
    added = lost(org, 15)
    cursor = org.crm.find_lost().cursor
    org.fake.tokens.clear()
    later = connect_org(org_settings(), transport=httpx2.WSGITransport(org.fake), page_size=10)
    assert later.find_lost(cursor=cursor).deal_ids == tuple(added[10:])


def test_deal_changed_while_listing_comes_again(org: SalesforceWorld) -> None:
    added = lost(org, 15)
    page = org.crm.find_lost()
    org.fake.change(added[0], {"Description": "More was said."})
    org.fake.rows["Opportunity"][added[0]]["LastModifiedDate"] = "2026-11-03T09:00:00.000+0000"
    assert org.crm.find_lost(cursor=page.cursor).deal_ids == (*added[10:], added[0])


def test_moment_is_asked_for_in_utc(org: SalesforceWorld) -> None:
    [added] = lost(org)
    assert org.crm.find_lost(datetime.fromisoformat("2026-11-02T10:30:00+01:00")).deal_ids == (added,)
    assert org.crm.find_lost(datetime(2026, 11, 2, 9, 30, 1, tzinfo=UTC)).deal_ids == ()


@pytest.mark.parametrize("cursor", ["", "10", "2026-11-02T09:30:00.000+0000 x' OR Id > '"])
def test_foreign_cursor_is_refused_unsent(org: SalesforceWorld, cursor: str) -> None:
    with pytest.raises(CrmError, match="not one that it gave"):
        org.crm.find_lost(cursor=cursor)
    assert org.fake.seen == []


def test_soql_values_are_escaped() -> None:
    world = SalesforceWorld(org_settings(permission_set="O'Neill\\' OR Name != '"))
    with pytest.raises(CrmError, match="has no permission set O'Neill"):
        world.crm.set_up(world.specs)
    assert quoted("a'b\\c\n") == "'a\\'b\\\\c\\n'"
    assert world.fake.customs == {}


def test_what_is_no_id_is_never_asked_for(org: SalesforceWorld) -> None:
    [added] = lost(org)
    odd = ["nowhere", "006' OR Id != '", "", "001Hs00000000AAQQW"]
    assert set(org.crm.fetch_requests([added, *odd])) == {added}
    assert set(org.crm.fetch_fields([added, *odd])) == {added}


def test_short_and_long_ids_name_one_deal(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    short = added[:15]
    assert send(ready, short, **{REASON: "price"}) is None
    assert ready.crm.fetch_fields([short])[short][REASON] == "price"
    assert ready.crm.fetch_requests([short])[short]["deal"]["id"] == added


def test_answers_in_pages_are_read_whole(org: SalesforceWorld) -> None:
    org.fake.batch = 3
    added = lost(org, 7, calls=["One.", "Two."])
    requests = org.crm.fetch_requests(added)
    assert [len(requests[deal_id]["documents"]) for deal_id in added] == [3] * 7
    assert calls(org, "query/0r8") == 2 + 4


def test_three_hundred_deals_take_few_calls() -> None:
    world = SalesforceWorld(page_size=2000)
    world.crm.set_up(world.specs)
    lost(world, 300)
    world.fake.seen.clear()
    counts = []
    ids = world.crm.find_lost().deal_ids
    counts.append(len(world.fake.seen))
    assert len(world.crm.fetch_requests(ids)) == 300
    counts.append(len(world.fake.seen))
    assert len(world.crm.fetch_fields(ids)) == 300
    counts.append(len(world.fake.seen))
    assert not any(result.error for result in world.crm.send_fields([FieldChange(i, {REASON: "price"}) for i in ids]))
    counts.append(len(world.fake.seen))
    assert counts == [1, 9, 11, 13]


# Texts


def test_note_holds_description_step_and_tasks(org: SalesforceWorld) -> None:
    added = org.add_lost(SeenDeal("deal", note=NOTE, notes=["Asked for a rebate."]))
    org.fake.change(added, {"NextStep": "Call in February."})
    org.fake.add("Task", WhatId=added, TaskSubtype="Task", Description="First meeting.", ActivityDate="2026-01-05")
    assert text_of(org, added, "rep_note") == f"{NOTE}\n\nCall in February.\n\nFirst meeting.\n\nAsked for a rebate."


def test_calls_and_events_come_with_their_day(org: SalesforceWorld) -> None:
    added = org.add_lost(SeenDeal("deal", calls=["The CFO was silent."], closed_on=date(2026, 10, 2)))
    org.fake.add("Event", WhatId=added, Description="Demo went well.", ActivityDate="2026-09-01")
    found = org.crm.fetch_requests([added])[added]["documents"]
    assert [(one["kind"], one["text"], one["recorded_at"]) for one in found] == [
        ("call_transcript", "Demo went well.", "2026-09-01"),
        ("call_transcript", "The CFO was silent.", "2026-10-02"),
    ]


def test_archived_activities_are_read_deleted_not(org: SalesforceWorld) -> None:
    [added] = lost(org)
    org.fake.add("Task", WhatId=added, TaskSubtype="Call", Description="Old call.", IsArchived=True)
    gone = org.fake.add("Task", WhatId=added, TaskSubtype="Call", Description="Thrown away.")
    org.fake.delete("Task", gone)
    assert text_of(org, added, "call_transcript") == "Old call."


def test_mails_are_one_thread_oldest_first(org: SalesforceWorld) -> None:
    [added] = lost(org)
    later = {"MessageDate": "2026-10-09T08:00:00.000+0000", "HtmlBody": "<p>We chose <b>Rostera</b>.</p>"}
    first = {"MessageDate": "2026-10-01T08:00:00.000+0000", "TextBody": "Any news?", "Subject": "Offer"}
    org.fake.add("EmailMessage", RelatedToId=added, FromName="Dana Ortiz", **later)
    org.fake.add("EmailMessage", RelatedToId=added, FromAddress="rep@example.com", **first)
    assert text_of(org, added, "email_thread") == (
        "From: rep@example.com\nDate: 2026-10-01\nSubject: Offer\n\nAny news?\n\n"
        "From: Dana Ortiz\nDate: 2026-10-09\n\nWe chose Rostera."
    )


def test_mail_kept_as_task_too_comes_once(org: SalesforceWorld) -> None:
    [added] = lost(org)
    task = org.fake.add(
        "Task", WhatId=added, TaskSubtype="Email", Subject="Email: Offer", Description="Body: Any news?"
    )
    org.fake.add("EmailMessage", RelatedToId=added, ActivityId=task, TextBody="Any news?")
    assert text_of(org, added, "email_thread").count("Any news?") == 1


def test_org_without_mails_is_still_read(org: SalesforceWorld) -> None:
    del org.fake.tables["EmailMessage"]
    [added] = lost(org, calls=["The CFO was silent."])
    org.fake.add("Task", WhatId=added, TaskSubtype="Email", Description="Body: Any news?")
    for _ in range(2):
        assert "Any news?" in text_of(org, added, "email_thread")
    assert calls(org, "queryAll") == 3 + 2


def test_deal_with_many_calls_stays_readable(org: SalesforceWorld) -> None:
    [added] = lost(org, calls=[f"Call {number}." for number in range(250)])
    assert len(Deal.from_request(org.crm.fetch_requests([added])[added]).documents) == 191


def test_own_reason_field_and_currency_are_read() -> None:
    world = SalesforceWorld(org_settings(stated_reason_field="Loss_Reason__c"))
    world.fake.tables["Opportunity"] |= {"Loss_Reason__c": "picklist", "CurrencyIsoCode": "picklist"}
    [added] = lost(world)
    world.fake.change(added, {"Loss_Reason__c": "Price", "CurrencyIsoCode": "CHF"})
    assert world.crm.fetch_requests([added])[added]["deal"] == {
        "id": added,
        "closed_at": "2026-11-02",
        "stated_reason": "Price",
        "stage": "Closed Lost",
        "amount": 42_000.0,
        "currency": "CHF",
        "owner": "Ada Rep",
        "account": "Nordwind Logistics",
    }


# Values


def test_every_kind_is_read_back_as_sent(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    sent = {
        REASON: "price",
        REASONS: "price;budget",
        RIVAL: "Rostera",
        CONFIDENCE: 0.8712,
        REVISIT: "2027-02-01",
        MOMENT: datetime(2026, 11, 20, 10, tzinfo=UTC).isoformat(timespec="seconds"),
        FLAG: True,
    }
    assert send(ready, added, **sent) is None
    found = ready.crm.fetch_fields([added])[added]
    assert {name: found.get(name) for name in sent} == sent


def test_several_choices_come_in_picklist_order(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    assert send(ready, added, **{REASONS: "budget;price"}) is None
    assert ready.crm.fetch_fields([added])[added][REASONS] == "price;budget"


def test_unticked_box_counts_as_empty(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    assert FLAG not in ready.crm.fetch_fields([added])[added]
    send(ready, added, **{FLAG: True})
    assert send(ready, added, **{FLAG: None, RIVAL: None}) is None
    assert ready.get_fields(added)[FLAG] is False
    assert FLAG not in ready.crm.fetch_fields([added])[added]


def test_zero_is_a_value(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    send(ready, added, **{CONFIDENCE: 0.0})
    assert ready.crm.fetch_fields([added])[added][CONFIDENCE] == 0.0


# Refusals


def test_validation_rule_stops_one_deal_alone(ready: SalesforceWorld) -> None:
    first, second = lost(ready, 2)
    ready.fake.rule = lambda row: "Ask the sales desk first." if row["Id"] == first else None
    results = ready.crm.send_fields([FieldChange(deal_id, {REASON: "price"}) for deal_id in (first, second)])
    assert results[0].error == "FIELD_CUSTOM_VALIDATION_EXCEPTION: Ask the sales desk first."
    assert [(result.outcome, result.is_retryable) for result in results] == [("refused", False), ("sent", False)]


def test_locked_deal_may_be_sent_later(ready: SalesforceWorld) -> None:
    first, second = lost(ready, 2)
    ready.fake.locked.add(first)
    results = ready.crm.send_fields([FieldChange(deal_id, {REASON: "price"}) for deal_id in (first, second)])
    assert [(result.outcome, result.is_retryable) for result in results] == [("refused", True), ("sent", False)]


def test_text_of_a_deal_stays_out_of_causes(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    secret = "The CFO is leaving. " * 2000
    assert send(ready, added, **{RIVAL: secret}) == f"STRING_TOO_LONG: {RIVAL}"
    assert send(ready, added, **{REVISIT: "when the CFO leaves"}) == "Salesforce answered 400: JSON_PARSER_ERROR"


def test_unreadable_value_stops_one_deal_alone(ready: SalesforceWorld) -> None:
    ids = lost(ready, 20)
    changes = [FieldChange(deal_id, {REVISIT: "2027-02-01"}) for deal_id in ids]
    changes[7] = FieldChange(ids[7], {REVISIT: "soon"})
    ready.fake.seen.clear()
    results = ready.crm.send_fields(changes)
    assert [result.outcome for result in results] == ["sent"] * 7 + ["refused"] + ["sent"] * 12
    assert [result.deal_id for result in results] == ids
    assert calls(ready, "composite/sobjects") < 12


def test_unknown_field_is_refused_in_few_calls(ready: SalesforceWorld) -> None:
    ids = lost(ready, 200)
    changes = [FieldChange(i, {REASON: "price"} if number % 2 else {"Nope__c": "x"}) for number, i in enumerate(ids)]
    ready.fake.seen.clear()
    results = ready.crm.send_fields(changes)
    assert [result.error for result in results[:2]] == ["INVALID_FIELD: Nope__c", None]
    assert [result.deal_id for result in results] == ids
    assert len(ready.fake.seen) == 3


def test_odd_ids_are_refused_alone(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    asked = ["nowhere", "006Hs00000000ZZZZZ", added]
    results = ready.crm.send_fields([FieldChange(deal_id, {REASON: "price"}) for deal_id in asked])
    assert [result.outcome for result in results] == ["refused", "refused", "sent"]
    assert [result.error and result.error.split(":")[0] for result in results[:2]] == [
        "MALFORMED_ID",
        "INVALID_CROSS_REFERENCE_KEY",
    ]


def test_used_up_calls_are_tried_later(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    ready.fake.allowed = 0
    [result] = ready.crm.send_fields([FieldChange(added, {REASON: "price"})])
    assert (result.is_retryable, result.is_certain) == (True, True)
    assert "REQUEST_LIMIT_EXCEEDED" in str(result.error)
    assert ready.slept == []


def test_unavailable_server_is_asked_again(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    busy = [{"errorCode": "SERVER_UNAVAILABLE", "message": "Server Too Busy"}]
    ready.fake.answers += [(503, busy, {}), (429, busy, {"Retry-After": "7"})]
    assert ready.crm.fetch_fields([added])
    assert ready.slept[1] == 7


def test_a_write_is_tried_once_and_decided_anew_later(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    ready.crm.fetch_fields([added])
    ready.fake.answers += [(503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "Server Too Busy"}], {})]
    [result] = ready.crm.send_fields([FieldChange(added, {REASON: "price"})])
    assert (result.is_retryable, ready.slept) == (True, [])


def test_a_field_in_another_spelling_is_never_written(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    [result] = ready.crm.send_fields([FieldChange(added, {REASON.lower(): "price"})])
    assert result.outcome == "refused"
    assert "INVALID_FIELD" in str(result.error)


def test_server_error_leaves_doubt_of_the_write(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    ready.fake.answers += [(500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": NOTE}], {})]
    [result] = ready.crm.send_fields([FieldChange(added, {REASON: "price"})])
    assert (result.outcome, result.is_retryable) == ("unknown", True)
    assert NOTE not in str(result.error)


def test_user_without_api_is_no_fault_of_a_deal(ready: SalesforceWorld) -> None:
    [added] = lost(ready)
    ready.fake.answers.append((403, [{"errorCode": "API_DISABLED_FOR_ORG", "message": "API is not enabled"}], {}))
    with pytest.raises(CrmError, match="API_DISABLED_FOR_ORG"):
        ready.crm.send_fields([FieldChange(added, {REASON: "price"})])


def test_nearly_used_calls_are_warned_of_once(org: SalesforceWorld, capsys: pytest.CaptureFixture[str]) -> None:
    org.fake.used, org.fake.allowed = 13_600, 15_000
    for _ in range(2):
        org.crm.find_lost()
    assert capsys.readouterr().out.count("crm_calls_nearly_used") == 1


# Set-up


def test_without_permission_set_a_person_gives_access() -> None:
    world = SalesforceWorld(org_settings(permission_set=None))
    steps = world.crm.set_up(world.specs)
    assert {(step.act, "permission set" in step.detail) for step in steps} == {("by hand", True)}
    assert set(world.fake.customs) == {spec.name for spec in world.specs}
    assert {step.act for step in world.crm.set_up(world.specs)} == {"by hand"}


def test_hidden_field_only_gets_access(org: SalesforceWorld) -> None:
    org.crm.set_up(org.specs)
    org.fake.customs[RIVAL].is_granted = False
    steps = {step.field: step for step in org.crm.set_up(org.specs)}
    assert (steps[RIVAL].act, "only access" in steps[RIVAL].detail) == ("create", True)
    assert {step.act for step in org.crm.plan_setup(org.specs)} == {"stands"}


def test_permission_set_the_user_lacks_is_told(org: SalesforceWorld) -> None:
    org.fake.is_permitted_user = False
    assert {step.detail for step in org.crm.set_up(org.specs)} == {"made; assign Lossnlp_Access to the API user"}


def test_picklists_are_made_restricted(ready: SalesforceWorld) -> None:
    metadata = ready.fake.customs[REASON].metadata
    assert (metadata["type"], metadata["valueSet"]["restricted"]) == ("Picklist", True)
    assert ready.fake.customs[REASONS].metadata["type"] == "MultiselectPicklist"
    number = ready.fake.customs[CONFIDENCE].metadata
    assert (number["precision"], number["scale"]) == (18, 4)


def test_inactive_choice_is_made_active_again(ready: SalesforceWorld) -> None:
    ready.fake.customs[REASON].values()[0]["isActive"] = False
    assert ready.crm.set_up(ready.specs[:1])[0].act == "add choices"
    assert [value["isActive"] for value in ready.fake.customs[REASON].values()] == [True, True]


def test_shared_values_are_left_to_a_person(ready: SalesforceWorld) -> None:
    ready.fake.customs[REASON].metadata["valueSet"] = {"restricted": True, "valueSetName": "Loss_Reasons"}
    [step] = ready.crm.set_up(ready.specs[:1])
    assert (step.act, step.detail) == ("by hand", "add to the global value set Loss_Reasons: price, budget")


@pytest.mark.parametrize(
    ("spec", "detail"),
    [
        (FieldSpec("lossnlp_rival", "Rival", "text"), "end in __c"),
        (FieldSpec(RIVAL.lower(), "Rival", "text"), f"stands as {RIVAL}"),
        (FieldSpec(RIVAL, "Rival", "date"), "is a textarea"),
        (FieldSpec("StageName", "Stage", "choice", (Choice("a", "A"),)), "add to the standard field: a"),
    ],
)
def test_misfit_is_left_to_a_person(ready: SalesforceWorld, spec: FieldSpec, detail: str) -> None:
    [step] = ready.crm.set_up([spec])
    assert (step.act, detail in step.detail) == ("by hand", True)


def test_refused_field_is_told(org: SalesforceWorld) -> None:
    with pytest.raises(CrmError, match="FIELD_INTEGRITY_EXCEPTION"):
        org.crm.set_up([FieldSpec("Too_Long__c", "l" * 41, "text")])


# Over a port


class Silent(WSGIRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Says nothing."""


def test_stand_in_can_be_served_on_a_port(org: SalesforceWorld) -> None:
    [added] = lost(org)
    with make_server("127.0.0.1", 0, org.fake, handler_class=Silent) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings = org_settings().model_copy(update={"instance_url": f"http://127.0.0.1:{server.server_port}"})
        found = connect_org(settings)
        assert found.find_lost().deal_ids == (added,)
        found.org.http.client.close()
        server.shutdown()
