"""What is special to BottleCRM, seen on a real one: its paging, its silence, its refusals, its webhooks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
import pytest

from serving.crm.bottlecrm import BottleCrm
from serving.crm.bottlecrm_doors import SIGNATURE_HEADER, read_lost_deals
from serving.crm.protocol import Choice, CrmError, FieldChange, FieldSpec
from tests.serving.crm.bottlecrm_world import BottleCrmWorld, bottlecrm_world
from tests.serving.crm.worlds import SeenDeal

pytestmark = pytest.mark.crm

REASON = "lossnlp_primary_reason"
RIVAL = "lossnlp_rival"
CONFIDENCE = "lossnlp_confidence"
SECRET_WORDS = "their CFO Dana said no"  # noqa: S105 - text of a deal
FAR = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def world() -> Iterator[BottleCrmWorld]:
    with bottlecrm_world() as opened:
        opened.crm.set_up(opened.specs)
        opened.line.calls.clear()
        yield opened


def add_deals(world: BottleCrmWorld, number: int) -> list[str]:
    return [world.add_lost(SeenDeal(f"deal {one}", note="Lost on price.")) for one in range(number)]


def list_all(crm: BottleCrm, since: datetime | None = None, cursor: str | None = None) -> list[str]:
    found: list[str] = []
    while True:
        page = crm.find_lost(since, cursor=cursor)
        found += page.deal_ids
        cursor = page.cursor
        if cursor is None:
            return found


def send(world: BottleCrmWorld, deal_id: str, **values: Any) -> Any:
    [result] = world.crm.send_fields([FieldChange(deal_id, values)])
    return result


# Listing


def test_twelve_deals_take_sixty_five_calls(world: BottleCrmWorld) -> None:
    added = add_deals(world, 12)
    listed = list_all(world.crm)
    requests = world.crm.fetch_requests(listed)
    fields = world.crm.fetch_fields(listed)
    results = world.crm.send_fields([FieldChange(deal_id, {REASON: "price"}) for deal_id in listed])
    assert sorted(listed) == sorted(added)
    assert set(requests) == set(fields) == set(added)
    assert {result.outcome for result in results} == {"sent"}
    assert len(world.line.calls) == 4 + 2 * 12 + 12 + 1 + 2 * 12


@pytest.mark.parametrize("deals_at_once", [1, 2, 7, 8])
def test_a_listing_goes_on_in_another_process(world: BottleCrmWorld, deals_at_once: int) -> None:
    added = add_deals(world, 8)
    first = world.another_crm(deals_at_once=deals_at_once).find_lost()
    rest = list_all(world.another_crm(deals_at_once=deals_at_once), cursor=first.cursor) if first.cursor else []
    assert len(first.deal_ids) == deals_at_once
    assert [*first.deal_ids, *rest] == sorted(added, reverse=True)


def test_a_reopened_deal_makes_none_skipped(world: BottleCrmWorld) -> None:
    added = add_deals(world, 9)
    crm = world.another_crm(deals_at_once=3)
    first = crm.find_lost()
    for deal_id in first.deal_ids[:2]:
        world.edit(deal_id, stage="PROPOSAL")
    rest = list_all(crm, cursor=first.cursor)
    assert [*first.deal_ids, *rest] == sorted(added, reverse=True)


def test_a_listing_ends_when_all_are_gone(world: BottleCrmWorld) -> None:
    added = add_deals(world, 5)
    crm = world.another_crm(deals_at_once=2)
    first = crm.find_lost()
    for deal_id in added:
        world.delete(deal_id)
    assert list_all(crm, cursor=first.cursor) == []


def test_a_new_deal_brings_none_twice(world: BottleCrmWorld) -> None:
    added = add_deals(world, 9)
    crm = world.another_crm(deals_at_once=3)
    first = crm.find_lost()
    for number in range(5):
        world.add_lost(SeenDeal(f"new {number}"))
    rest = list_all(crm, cursor=first.cursor)
    assert set(added) <= {*first.deal_ids, *rest}
    assert len({*first.deal_ids, *rest}) == len(first.deal_ids) + len(rest)


def test_every_lost_stage_counts(world: BottleCrmWorld) -> None:
    pipeline = world.person.post("/api/opportunities/pipelines/", json={"name": "Partners"}).json()
    stages = f"/api/opportunities/pipelines/{pipeline['id']}/stages/"
    for label, kind in (("To a rival", "lost"), ("Not closed lost yet", "open"), ("Closed lost late", "lost")):
        assert world.person.post(stages, json={"label": label, "kind": kind}).status_code == 201
    rival, late, _, plain = (
        world.add(name=stage, pipeline=pipeline["id"], stage=stage, closed_on="2026-11-02")
        for stage in ("TO_A_RIVAL", "CLOSED_LOST_LATE", "NOT_CLOSED_LOST_YET", "CLOSED_LOST")
    )
    assert sorted(list_all(world.crm)) == sorted([rival, late, plain])


def test_recent_means_closed_or_moved(world: BottleCrmWorld) -> None:
    moved = world.add_lost(SeenDeal("moved", closed_on=date(2020, 1, 1)))
    closed = world.add_lost(SeenDeal("closed", closed_on=date(2100, 1, 1)))
    assert list_all(world.crm, FAR) == [closed]
    assert sorted(list_all(world.crm, datetime(2021, 1, 1, tzinfo=UTC))) == sorted([moved, closed])


@pytest.mark.parametrize("cursor", ["12", "x:y:z", "-1::LOST", "1:2"])
def test_a_cursor_of_another_is_refused(world: BottleCrmWorld, cursor: str) -> None:
    with pytest.raises(CrmError):
        world.crm.find_lost(cursor=cursor)


# Texts


def test_notes_stand_oldest_first(world: BottleCrmWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one", note="First.", notes=["Second.", "<p>Third &amp; last.</p>"]))
    [note] = world.crm.fetch_requests([deal_id])[deal_id]["documents"]
    assert note == {"id": "note", "kind": "rep_note", "text": "First.\n\nSecond.\n\nThird & last."}


def test_comments_of_a_day_have_it(world: BottleCrmWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one", notes=["Lost on price.", "They took Rostera."]))
    [note] = world.crm.fetch_requests([deal_id])[deal_id]["documents"]
    page = world.person.get(f"/api/opportunities/{deal_id}/").json()
    assert note["recorded_at"] in {comment["commented_on"][:10] for comment in page["comments"]}


def test_what_was_logged_is_read(world: BottleCrmWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one"))
    call = world.log(deal_id, "call", body="No budget.", occurred_at="2024-05-03T09:00:00Z")
    meeting = world.log(deal_id, "meeting", body="Their CFO came.", occurred_at="2024-05-02T09:00:00Z")
    world.log(deal_id, "email", body="Any news?", subject="Offer", occurred_at="2024-05-06T08:30:00Z")
    world.log(deal_id, "sms", body="No.", direction="inbound", occurred_at="2024-05-07T10:00:00Z")
    documents = world.crm.fetch_requests([deal_id])[deal_id]["documents"]
    assert [(one["id"], one["kind"], one["recorded_at"], one["text"]) for one in documents[:2]] == [
        (f"meeting-{meeting}", "call_transcript", "2024-05-02", "Their CFO came."),
        (f"call-{call}", "call_transcript", "2024-05-03", "No budget."),
    ]
    assert documents[2]["text"] == (
        "From: Ada Rep <owner@example.com>\nDate: 2024-05-06 08:30\nSubject: Offer\n\nAny news?\n\n"
        "Date: 2024-05-07 10:00\n\nNo."
    )


def test_interactions_come_over_many_pages(world: BottleCrmWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one", calls=[f"call {number}" for number in range(7)]))
    world.line.most = 3
    documents = world.crm.fetch_requests([deal_id])[deal_id]["documents"]
    assert [one["text"] for one in documents] == [f"call {number}" for number in range(7)]


def test_the_sellers_own_reason_is_read(world: BottleCrmWorld) -> None:
    deal_id = world.add_lost(SeenDeal("one"))
    world.set_by_person(deal_id, {REASON: "price"})
    deal = world.another_crm(reason_field=REASON).fetch_requests([deal_id])[deal_id]["deal"]
    assert deal == {
        "id": deal_id,
        "closed_at": "2026-11-02",
        "stated_reason": "price",
        "stage": "Closed Lost",
        "amount": 42_000.0,
        "currency": "EUR",
        "account": "Nordwind Logistics",
    }


@pytest.mark.parametrize("deal_id", ["", "17", "../pipelines", "ä", "5F0E2F4A-8D0B-4B57-8F3B-2F5B8F6A7C11"])
def test_what_is_no_id_is_not_asked(world: BottleCrmWorld, deal_id: str) -> None:
    assert world.crm.fetch_requests([deal_id]) == world.crm.fetch_fields([deal_id]) == {}
    assert send(world, deal_id, **{REASON: "price"}).error == "deal not found"
    assert world.line.calls == ["GET /api/custom-fields/"]


# Fields


def test_every_kind_of_value_comes_back(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    values = {
        REASON: "price",
        "lossnlp_contributing_reasons": "price;budget",
        RIVAL: "Rostera GmbH\n— “zweite Zeile”",
        CONFIDENCE: 0.00001,
        "lossnlp_revisit_on": "2027-02-01",
        "lossnlp_assessed_at": "2026-11-22T07:30:05+00:00",
        "lossnlp_external_only": False,
    }
    assert send(world, deal_id, **values).error is None
    assert world.crm.fetch_fields([deal_id])[deal_id] == values
    assert send(world, deal_id, **dict.fromkeys(values)).error is None
    assert world.crm.fetch_fields([deal_id])[deal_id] == {}


def test_a_refusal_names_the_field(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    result = send(world, deal_id, **{REASON: "price", CONFIDENCE: SECRET_WORDS})
    assert result.error == f"{CONFIDENCE}: must be a number"
    assert (result.outcome, world.get_fields(deal_id)) == ("refused", {})


def test_a_change_of_something_newer_is_refused(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.set_by_person(deal_id, {REASON: "budget"})
    [result] = world.crm.send_fields([FieldChange(deal_id, {REASON: "price"}, before={})])
    assert (result.error, result.outcome, result.is_retryable) == ("changed since it was decided", "refused", True)
    assert world.get_fields(deal_id) == {REASON: "budget"}


def test_a_change_that_stands_already_is_sent(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    results = [world.crm.send_fields([FieldChange(deal_id, {REASON: "price"}, before={})])[0] for _ in range(2)]
    assert [result.outcome for result in results] == ["sent", "sent"]


def test_a_deal_deleted_meanwhile_is_refused(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.delete(deal_id)
    [result] = world.crm.send_fields([FieldChange(deal_id, {REASON: "price"}, before={})])
    assert (result.error, result.outcome, result.is_retryable) == ("deal not found", "refused", False)


def test_an_unknown_field_sends_nothing(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    result = send(world, deal_id, **{REASON: "price", "nosuch": SECRET_WORDS})
    assert (result.error, result.outcome, result.is_retryable) == ("no such field: nosuch", "refused", False)
    assert world.get_fields(deal_id) == {}


def test_a_silently_dropped_field_is_told(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.line.before = lambda request: switch_off(world, RIVAL) if request.method == "PATCH" else None
    result = send(world, deal_id, **{REASON: "price", RIVAL: "Rostera"})
    assert (result.error, result.outcome) == (f"not set: {RIVAL}", "unknown")
    assert world.get_fields(deal_id) == {REASON: "price"}


def switch_off(world: BottleCrmWorld, key: str) -> None:
    found = world.person.get("/api/custom-fields/").json()["definitions"]
    [chosen] = [one["id"] for one in found if one["key"] == key]
    assert world.person.delete(f"/api/custom-fields/{chosen}/").is_success


def test_a_required_field_of_others_is_named(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    body = {
        "target_model": "Opportunity",
        "key": "region",
        "label": "Region",
        "field_type": "text",
        "is_required": True,
    }
    assert world.person.post("/api/custom-fields/", json=body).status_code == 201
    assert send(world, deal_id, **{REASON: "price"}).error == "region: is required"


def test_setup_leaves_people_what_is_theirs(world: BottleCrmWorld) -> None:
    switch_off(world, RIVAL)
    specs = [
        FieldSpec(REASON, "Reason", "number"),
        FieldSpec(RIVAL, "Rival", "text"),
        FieldSpec("Grund-1", "Reason", "text"),
    ]
    steps = world.crm.set_up(specs)
    assert [step.act for step in steps] == ["by hand"] * 3
    told = zip(("dropdown", "switched off", "small letters"), steps, strict=True)
    assert all(word in step.detail for word, step in told)


def test_choices_of_people_stay_in_place(world: BottleCrmWorld) -> None:
    world.crm.set_up([FieldSpec(REASON, "Mine", "choice", (Choice("timing", "Timing"), Choice("price", "Dear")))])
    found = world.person.get("/api/custom-fields/").json()["definitions"]
    [options] = [one["options"] for one in found if one["key"] == REASON]
    assert [(one["value"], one["label"]) for one in options] == [
        ("price", "Price"),
        ("budget", "Budget"),
        ("timing", "Timing"),
    ]


# Refusals and faults


def test_a_bad_token_fails_the_call(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    crm = world.another_crm("bcrm_pat_wrong")
    for call in (
        crm.find_lost,
        lambda: crm.fetch_fields([deal_id]),
        lambda: crm.send_fields([FieldChange(deal_id, {})]),
    ):
        with pytest.raises(CrmError, match="403"):
            call()


def test_the_named_scopes_suffice(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    token = world.new_token("opportunities:read", "opportunities:write", "interactions:read", "custom-fields:read")
    crm = world.another_crm(token)
    assert list_all(crm) == list(crm.fetch_requests([deal_id])) == [deal_id]
    assert crm.send_fields([FieldChange(deal_id, {REASON: "price"})])[0].error is None
    with pytest.raises(CrmError, match="custom-fields"):
        crm.set_up([FieldSpec("another", "Another", "text")])


def test_a_wrong_address_is_no_empty_crm(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    crm = world.another_crm(url=f"{world.url}/elsewhere")
    with pytest.raises(CrmError):
        crm.fetch_requests([deal_id])


def test_a_busy_crm_is_waited_for(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    busy = [httpx2.Response(429, headers={"Retry-After": "7"}), httpx2.Response(503)]
    world.line.before = lambda _request: busy.pop() if busy else None
    assert send(world, deal_id, **{REASON: "price"}).error is None
    assert world.waits[-1] == 7.0


def test_an_overloaded_crm_wrote_nothing(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.line.before = lambda request: httpx2.Response(503) if request.method == "PATCH" else None
    result = send(world, deal_id, **{REASON: "price"})
    assert (result.outcome, result.is_retryable) == ("refused", True)


def test_a_lost_answer_leaves_doubt(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.line.behind = lambda request: broken(request) if request.method == "PATCH" else None
    result = send(world, deal_id, **{REASON: "price"})
    assert (result.outcome, result.is_retryable) == ("unknown", True)
    assert world.get_fields(deal_id) == {REASON: "price"}


def test_what_cannot_be_read_back_is_unknown(world: BottleCrmWorld) -> None:
    [deal_id] = add_deals(world, 1)
    world.line.before = lambda request: (
        broken(request) if deal_id in request.url.path and request.method == "GET" else None
    )
    result = send(world, deal_id, **{REASON: "price"})
    assert (result.outcome, result.is_retryable) == ("unknown", True)


def broken(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadError("connection reset", request=request)


def test_a_colleagues_deal_is_not_seen(world: BottleCrmWorld) -> None:
    with bottlecrm_world() as other:
        deal_id = other.add_lost(SeenDeal("theirs", note=SECRET_WORDS))
        assert world.crm.fetch_requests([deal_id]) == {}
        assert send(world, deal_id, **{REASON: "price"}).error == "deal not found"


# Webhooks


@contextmanager
def receiver() -> Iterator[tuple[str, list[tuple[bytes, str]]]]:
    """Gives an address on this machine and the calls that arrived there."""
    calls: list[tuple[bytes, str]] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls.append((body, self.headers[SIGNATURE_HEADER]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            del args

    with HTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hooks/bottlecrm", calls
        finally:
            server.shutdown()
            thread.join()


def test_a_real_webhook_is_let_in(world: BottleCrmWorld) -> None:
    with receiver() as (url, calls):
        hook = world.session.post("/api/webhooks/", json={"url": url, "events": ["deal.lost", "deal.updated"]}).json()
        lost = world.add_lost(SeenDeal("one", note="Lost on price."))
        assert send(world, lost, **{REASON: "price"}).error is None
        again = f"/api/webhooks/deliveries/{find_delivery(world, hook['id'])}/redeliver/"
        assert world.session.post(again).is_success
    told = [read_lost_deals(*call, secret=hook["secret"], at=datetime.now(UTC)) for call in calls]
    deals = [deal for found in told for deal in found]
    assert [deal.deal_id for deal in deals] == [lost, lost]
    assert deals[0].key == deals[1].key
    assert () in told


def find_delivery(world: BottleCrmWorld, hook_id: str) -> str:
    rows = world.session.get(f"/api/webhooks/{hook_id}/deliveries/").json()["results"]
    return next(str(row["id"]) for row in rows if row["event"] == "deal.lost")
