"""What is special to HubSpot: few calls, its paging, its refusals, its kinds of values, what is logged on a deal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from lossnlp.deal import Deal
from lossnlp.transcripts import read_turns
from serving.crm.hubspot import HubSpotCrm, HubSpotSettings, connect, load_hubspot_settings
from serving.crm.hubspot_answers import find_cause
from serving.crm.protocol import Choice, CrmError, FieldChange, FieldSpec
from serving.errors import ConfigurationError
from serving.settings import Settings
from tests.serving.crm.hubspot_fake import TOKEN, Fault, HubSpotFake, rate_limited
from tests.serving.crm.hubspot_world import HubSpotWorld, hubspot_world
from tests.serving.crm.worlds import SeenDeal

REASON = "lossnlp_primary_reason"
SECRET_WORDS = "their CFO Dana said no"  # noqa: S105 - text of a deal


@pytest.fixture
def world() -> Iterator[HubSpotWorld]:
    with hubspot_world() as opened:
        opened.crm.set_up(opened.specs)
        opened.fake.calls.clear()
        opened.fake.bodies.clear()
        yield opened


def add_deals(world: HubSpotWorld, number: int) -> list[str]:
    return [
        world.add_lost(SeenDeal(f"deal {one}", notes=["Lost on price."], calls=["Their CFO never joined."]))
        for one in range(number)
    ]


def list_all(crm: HubSpotCrm) -> list[str]:
    found, cursor = [], None
    while True:
        page = crm.find_lost(cursor=cursor)
        found += page.deal_ids
        cursor = page.cursor
        if cursor is None:
            return found


def documents_of(world: HubSpotWorld, deal_id: str) -> list[dict[str, Any]]:
    return list(world.crm.fetch_requests([deal_id])[deal_id]["documents"])


def another_crm(world: HubSpotWorld, **settings: Any) -> HubSpotCrm:
    return HubSpotCrm(world.client, HubSpotSettings(token=TOKEN, **settings), sleep=world.waits.append)


def test_three_hundred_deals_take_nineteen_calls(world: HubSpotWorld) -> None:
    added = add_deals(world, 300)
    crm = another_crm(world)
    listed = list_all(crm)
    requests = crm.fetch_requests(listed)
    fields = crm.fetch_fields(listed)
    results = crm.send_fields([FieldChange(deal_id, {REASON: "price"}) for deal_id in listed])
    assert (sorted(listed), set(fields)) == (sorted(added), set(added))
    assert {len(request["documents"]) for request in requests.values()} == {2}
    assert {result.outcome for result in results} == {"sent"}
    assert len(world.fake.calls) == crm.http.calls == 19


def test_fields_are_read_anew_before_writing(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.crm.find_lost()
    world.crm.fetch_requests([deal_id])
    world.set_by_person(deal_id, {REASON: "budget"})
    assert world.crm.fetch_fields([deal_id])[deal_id][REASON] == "budget"


def test_of_many_what_was_listed_is_used_once(world: HubSpotWorld) -> None:
    deal_ids = [world.add_lost(SeenDeal(f"deal {number}", note="first")) for number in range(50)]
    world.crm.find_lost()
    for deal_id in deal_ids:
        world.fake.set_by_person(deal_id, {"description": "second"})
    found = [world.crm.fetch_requests(deal_ids) for _ in range(2)]
    texts = [{request["documents"][0]["text"] for request in requests.values()} for requests in found]
    assert texts == [{"first"}, {"second"}]


def test_a_deal_told_of_alone_is_read_anew(world: HubSpotWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one", note="first"))
    world.crm.find_lost()
    world.fake.set_by_person(deal_id, {"description": "second"})
    assert documents_of(world, deal_id)[0]["text"] == "second"


def test_an_old_listing_is_not_used(world: HubSpotWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one", note="first"))
    world.crm.find_lost()
    world.fake.set_by_person(deal_id, {"description": "second"})
    world.now_s = 301.0
    assert documents_of(world, deal_id)[0]["text"] == "second"


def test_a_search_names_all_its_parts(world: HubSpotWorld) -> None:
    add_deals(world, 201)
    list_all(world.crm)
    assert all(set(body) == {"filterGroups", "sorts", "properties", "limit", "after"} for body in world.fake.bodies)
    assert {body["after"] for body in world.fake.bodies} == {"0"}


def test_a_listing_goes_on_in_another_process(world: HubSpotWorld) -> None:
    added = add_deals(world, 450)
    first = world.crm.find_lost()
    second = another_crm(world).find_lost(cursor=first.cursor)
    third = another_crm(world).find_lost(cursor=second.cursor)
    assert [*first.deal_ids, *second.deal_ids, *third.deal_ids] == added
    assert third.cursor is None


def test_a_reopened_deal_makes_none_skipped(world: HubSpotWorld) -> None:
    added = add_deals(world, 250)
    first = world.crm.find_lost()
    world.fake.set_by_person(added[0], {"dealstage": "contractsent"})
    rest = world.crm.find_lost(cursor=first.cursor)
    assert [*first.deal_ids, *rest.deal_ids] == added


def test_recent_means_closed_or_changed(world: HubSpotWorld) -> None:
    old, changed = (world.add_lost(SeenDeal(name, closed_on=date(2020, 1, 1))) for name in ("old", "changed"))
    closed = world.add_lost(SeenDeal("closed", closed_on=date(2026, 12, 1)))
    since = datetime(2026, 11, 2, 12, 0, 30, tzinfo=UTC)
    assert world.crm.find_lost(since).deal_ids == (closed,)
    world.fake.records["deals"][changed]["hs_lastmodifieddate"] = "2026-11-20T08:00:00.250Z"
    assert world.crm.find_lost(since).deal_ids == (changed, closed)
    assert old in world.crm.find_lost().deal_ids


def test_one_bad_value_is_found_by_halves(world: HubSpotWorld) -> None:
    added = add_deals(world, 100)
    changes = [FieldChange(deal_id, {REASON: "moonlight" if deal_id == added[37] else "price"}) for deal_id in added]
    results = world.crm.send_fields(changes)
    assert [result.deal_id for result in results] == added
    assert [result.outcome for result in results].count("sent") == 99
    assert results[37].error == f"VALIDATION_ERROR: {REASON} INVALID_OPTION"
    assert len(world.fake.calls) <= 15


def test_partial_answers_need_no_halves(world: HubSpotWorld) -> None:
    added = add_deals(world, 10)
    world.fake.is_multi_status = True
    changes = [FieldChange(deal_id, {REASON: "moonlight" if deal_id == added[3] else "price"}) for deal_id in added]
    results = world.crm.send_fields(changes)
    assert [result.outcome for result in results] == ["sent"] * 3 + ["refused"] + ["sent"] * 6
    assert f"{REASON} INVALID_OPTION" in str(results[3].error)
    assert [path for _, path in world.fake.calls].count("/crm/objects/2026-09/deals/batch/update") == 1


def test_a_required_property_refuses_that_deal_alone(world: HubSpotWorld) -> None:
    bad, good = world.add_lost(SeenDeal(SECRET_WORDS)), world.add_lost(SeenDeal("good"))
    world.fake.required.append(("dealstage", "closedlost", "closed_lost_reason"))
    world.fake.set_by_person(good, {"closed_lost_reason": "Price"})
    refused, sent = world.crm.send_fields([FieldChange(deal_id, {REASON: "price"}) for deal_id in (bad, good)])
    assert (refused.outcome, refused.is_retryable, sent.outcome) == ("refused", False, "sent")
    assert refused.error == "VALIDATION_ERROR: closed_lost_reason"


def test_no_refusal_repeats_a_text(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    [result] = world.crm.send_fields([FieldChange(deal_id, {"lossnlp_rival": SECRET_WORDS * 4_000})])
    assert result.error == "VALIDATION_ERROR: lossnlp_rival INVALID_STRING"


def test_a_deal_changed_twice_gets_both(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    results = world.crm.send_fields([FieldChange(deal_id, {REASON: code}) for code in ("price", "budget")])
    assert [result.error for result in results] == [None, None]
    assert world.get_fields(deal_id)[REASON] == "budget"


def test_too_many_calls_wait_as_asked(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.crm.fetch_fields([deal_id])
    world.fake.faults = [rate_limited(**{"Retry-After": "7"})]
    assert world.crm.fetch_fields([deal_id])
    assert world.waits == [7.0]


def test_a_write_is_tried_once_and_decided_anew_later(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.crm.fetch_fields([deal_id])
    world.fake.faults = [rate_limited(**{"Retry-After": "7"})]
    [result] = world.crm.send_fields([FieldChange(deal_id, {REASON: "price"})])
    assert (result.outcome, result.is_retryable, world.waits) == ("refused", True, [])


def test_a_property_that_was_not_read_is_not_written(world: HubSpotWorld) -> None:
    one, other = add_deals(world, 2)
    world.crm.fetch_fields([one, other])
    results = world.crm.send_fields([FieldChange(one, {"made_just_now": "x"}), FieldChange(other, {REASON: "price"})])
    assert [result.outcome for result in results] == ["refused", "sent"]
    assert results[0].is_retryable


def test_a_lasting_limit_is_tried_later(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.crm.fetch_fields([deal_id])
    world.fake.faults = [rate_limited()]
    [result] = world.crm.send_fields([FieldChange(deal_id, {REASON: "price"})])
    assert (result.is_retryable, result.outcome) == (True, "refused")
    assert "TEN_SECONDLY_ROLLING" in str(result.error)


@pytest.mark.parametrize("status", [502, 523])
def test_a_broken_answer_is_no_refusal(world: HubSpotWorld, status: int) -> None:
    added = add_deals(world, 2)
    world.crm.fetch_fields(added)
    world.fake.faults = [Fault(status, is_done=True)] * 5
    results = world.crm.send_fields([FieldChange(deal_id, {REASON: "price"}) for deal_id in added])
    assert [(result.is_retryable, result.outcome) for result in results] == [(True, "unknown")] * 2


def test_missing_scope_is_named_and_refuses_nothing(world: HubSpotWorld) -> None:
    added = add_deals(world, 2)
    world.fake.scopes.remove("crm.objects.deals.write")
    with pytest.raises(CrmError, match=r"MISSING_SCOPES: crm\.objects\.deals\.write"):
        world.crm.send_fields([FieldChange(deal_id, {REASON: "price"}) for deal_id in added])


def test_wrong_token_is_an_error(world: HubSpotWorld) -> None:
    world.client.headers["Authorization"] = "Bearer nobody"
    with pytest.raises(CrmError, match="401: INVALID_AUTHENTICATION"):
        world.crm.find_lost()


def test_mails_are_left_out_on_request(world: HubSpotWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one", notes=["note"], mails=["mail"]))
    world.fake.scopes.remove("sales-email-read")
    with pytest.raises(CrmError, match="sales-email-read"):
        world.crm.fetch_requests([deal_id])
    request = another_crm(world, activities="notes,calls").fetch_requests([deal_id])[deal_id]
    assert [document["id"] for document in request["documents"]] == ["note"]


def test_a_batch_read_in_part_is_an_error(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    error = {"status": "error", "category": "INTERNAL_ERROR", "message": SECRET_WORDS}
    world.fake.faults = [Fault(207, body={"status": "COMPLETE", "results": [], "errors": [error]})]
    with pytest.raises(CrmError, match=r"in part only: INTERNAL_ERROR\.$"):
        world.crm.fetch_requests([deal_id])


def test_an_answer_without_results_is_an_error(world: HubSpotWorld) -> None:
    world.fake.faults = [Fault(200)]
    with pytest.raises(CrmError, match="without results"):
        world.crm.find_lost()


def test_foreign_ids_are_never_asked_for(world: HubSpotWorld) -> None:
    assert world.crm.fetch_requests(["006Hs00001abcde", "note"]) == {}
    assert world.fake.calls == []


def test_many_activities_come_over_several_answers(world: HubSpotWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one", calls=[f"call {number}" for number in range(7)]))
    world.fake.links_a_page = 3
    assert [document["text"] for document in documents_of(world, deal_id)] == [f"call {number}" for number in range(7)]


def test_an_activity_of_two_deals_is_read_once(world: HubSpotWorld) -> None:
    both = [world.add_lost(SeenDeal(name)) for name in ("one", "two")]
    world.log("meetings", both, hs_meeting_body="Demo.", hs_internal_meeting_notes="They yawned.")
    requests = world.crm.fetch_requests(both)
    assert {request["documents"][0]["text"] for request in requests.values()} == {"Demo.\n\nThey yawned."}
    assert [path for _, path in world.fake.calls].count("/crm/objects/2026-09/meetings/batch/read") == 1


def test_notes_are_one_document_oldest_first(world: HubSpotWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one", note="On the deal.", notes=["Logged first.", "Logged last."]))
    late = world.fake.links[deal_id, "notes"].pop(0)
    world.fake.links[deal_id, "notes"].append(late)
    [note] = documents_of(world, deal_id)
    assert note == {"id": "note", "kind": "rep_note", "text": "On the deal.\n\nLogged first.\n\nLogged last."}


def test_mails_become_one_readable_thread(world: HubSpotWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one"))
    buyer = {"hs_email_from_email": "dana@nordwind.example", "hs_email_from_firstname": "Dana"}
    world.log("emails", [deal_id], hs_email_text="We go with Rostera.", hs_email_subject="Re: Offer", **buyer)
    world.log("emails", [deal_id], hs_email_text="May I ask why?", hs_email_from_email="sam@us.example")
    [thread] = Deal.from_request(world.crm.fetch_requests([deal_id])[deal_id]).documents
    assert (thread.kind, thread.recorded_at) == ("email_thread", date(2026, 11, 2))
    assert thread.text is not None
    assert thread.text.startswith(
        "From: Dana <dana@nordwind.example>\nDate: 2026-11-02 12:00\nSubject: Re: Offer\n\nWe go"
    )
    assert [turn.speaker for turn in read_turns(thread)] == ["Dana", "sam@us.example"]


def test_deal_fields_become_the_request(world: HubSpotWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one", amount=-5.0))
    world.fake.set_by_person(deal_id, {"closed_lost_reason": "Price", "hubspot_owner_id": "17"})
    assert world.crm.fetch_requests([deal_id])[deal_id]["deal"] == {
        "id": deal_id,
        "closed_at": "2026-11-02",
        "stated_reason": "Price",
        "stage": "closedlost",
        "currency": "EUR",
        "owner": "17",
    }


def test_a_long_reason_is_a_note(world: HubSpotWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one"))
    world.fake.set_by_person(deal_id, {"closed_lost_reason": "They took Rostera. " * 30})
    request = world.crm.fetch_requests([deal_id])[deal_id]
    assert Deal.from_request(request).documents[0].text == ("They took Rostera. " * 30).strip()


def test_every_kind_of_value_comes_back(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    values = {
        REASON: "price",
        "lossnlp_contributing_reasons": "price;budget",
        "lossnlp_rival": "Rostera GmbH",
        "lossnlp_confidence": 0.00001,
        "lossnlp_revisit_on": "2027-02-01",
        "lossnlp_assessed_at": "2026-11-22T07:30:05+00:00",
        "lossnlp_external_only": False,
    }
    assert world.crm.send_fields([FieldChange(deal_id, values)])[0].error is None
    found = world.crm.fetch_fields([deal_id])[deal_id]
    assert {name: found[name] for name in values} == values
    assert world.get_fields(deal_id)["lossnlp_assessed_at"] == "2026-11-22T07:30:05Z"


def test_every_kind_can_be_emptied(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    before = world.crm.fetch_fields([deal_id])
    world.crm.send_fields([FieldChange(deal_id, {"lossnlp_external_only": True, "lossnlp_confidence": 1})])
    empty = FieldChange(deal_id, {spec.name: None for spec in world.specs})
    assert world.crm.send_fields([empty])[0].error is None
    assert world.crm.fetch_fields([deal_id]) == before


def test_a_persons_field_is_read_too(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.fake.set_by_person(deal_id, {"closed_lost_reason": "Timing"})
    fields = world.crm.fetch_fields([deal_id])[deal_id]
    assert fields["closed_lost_reason"] == "Timing"
    assert not {"hs_object_id", "hs_is_closed_lost"} & set(fields)


def test_a_field_made_elsewhere_is_found(world: HubSpotWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.crm.fetch_fields([deal_id])
    another_crm(world).set_up([FieldSpec("later_made", "Later", "text")])
    world.set_by_person(deal_id, {"later_made": "by hand"})
    world.now_s = 301.0
    assert world.crm.fetch_fields([deal_id])[deal_id]["later_made"] == "by hand"


def test_setup_leaves_another_kind_to_people(world: HubSpotWorld) -> None:
    specs = [
        FieldSpec("lossnlp_rival", "Rival", "choice", (Choice("a", "A"),)),
        FieldSpec("amount", "Amount", "number"),
    ]
    steps = world.crm.set_up([*specs, FieldSpec("hs_is_closed_lost", "Lost", "flag")])
    assert [step.act for step in steps] == ["by hand", "stands", "by hand"]
    assert "string/textarea" in steps[0].detail
    assert all(method == "GET" for method, _ in world.fake.calls)


def test_setup_keeps_the_options_that_stand(world: HubSpotWorld) -> None:
    first = world.fake.properties[REASON]["options"][0]
    first |= {"hidden": True, "description": "ours"}
    world.crm.set_up([FieldSpec(REASON, "Reason", "choice", (Choice("price", "P"), Choice("timing", "Timing")))])
    options = world.fake.properties[REASON]["options"]
    assert options[0] == first
    assert [(option["value"], option["displayOrder"]) for option in options][1:] == [("budget", 1), ("timing", 2)]


def test_a_refused_property_is_an_error(world: HubSpotWorld) -> None:
    with pytest.raises(CrmError, match="VALIDATION_ERROR"):
        world.crm.set_up([FieldSpec("Not A Name", "x", "text")])


@pytest.mark.parametrize("answer", [None, [], {}, {"errors": None, "message": None}, {"message": SECRET_WORDS}])
def test_a_bare_refusal_has_no_cause(answer: object) -> None:
    assert find_cause(answer) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOKEN", ""), ("API_VERSION", "v3"), ("URL", "http://api.example.com"), ("ACTIVITIES", "notes,faxes")],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("LOSSNLP_HUBSPOT_TOKEN", TOKEN)
    monkeypatch.setenv(f"LOSSNLP_HUBSPOT_{name}", value)
    with pytest.raises(ConfigurationError, match=f"LOSSNLP_HUBSPOT_{name}") as raised:
        load_hubspot_settings()
    assert TOKEN not in str(raised.value)


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def served(fake: HubSpotFake) -> Iterator[str]:
    with make_server("127.0.0.1", 0, fake, handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_settings_connect_over_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = HubSpotFake()
    added = fake.add("deals", {"dealname": "one", "dealstage": "closedlost"})
    with served(fake) as url:
        monkeypatch.setenv("LOSSNLP_HUBSPOT_TOKEN", TOKEN)
        monkeypatch.setenv("LOSSNLP_HUBSPOT_URL", url)
        crm = connect(Settings())
        with crm.http.client:
            assert crm.find_lost().deal_ids == (added,)
    assert fake.calls == [("POST", "/crm/objects/2026-09/deals/search")]


def test_version_stands_in_every_path(world: HubSpotWorld) -> None:
    crm = another_crm(world, api_version="2027-03")
    for ask in (crm.find_lost, lambda: crm.fetch_requests(["1"]), lambda: crm.fetch_fields(["1"])):
        with pytest.raises(CrmError, match="404"):
            ask()
    assert all("/2027-03/" in path for _, path in world.fake.calls)
