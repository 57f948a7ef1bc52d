"""What is special to Tryton: our fields in a line and a note of a real server, people's own words, few calls, its refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest

from lossnlp.deal import Deal
from serving.crm.protocol import CrmError, FieldChange, Fields, SendResult
from serving.crm.tryton import TrytonCrm, connect, load_tryton_settings
from serving.crm.tryton_kept import HEAD
from serving.errors import ConfigurationError
from serving.settings import Settings
from serving.writeback import decide_undo
from tests.serving.crm.tryton_server import DATABASE
from tests.serving.crm.tryton_world import DEALS_GROUP, REASON, TrytonWorld, tryton_world
from tests.serving.crm.worlds import SeenDeal

pytestmark = pytest.mark.crm

NOTE = "Lost on price, they took Rostera."
SECRET_WORDS = "their CFO Dana said no"  # noqa: S105 - text of a deal
VALUES: Fields = {
    REASON: "price",
    "lossnlp_gap_champion": "gap",
    "lossnlp_gap_metrics": "covered",
    "lossnlp_confidence": 0.83,
    "lossnlp_external_only": False,
}
LINE = "price; gaps: champion"


@pytest.fixture
def world() -> Iterator[TrytonWorld]:
    with tryton_world() as opened:
        yield opened


@pytest.fixture
def lost(world: TrytonWorld) -> str:
    return world.add_lost(SeenDeal("Nordwind fleet", note=NOTE))


def send(world: TrytonWorld, deal_id: str, values: Fields = VALUES, crm: TrytonCrm | None = None) -> SendResult:
    [result] = (crm or world.crm).send_fields([FieldChange(deal_id, values)])
    return result


def fields_of(world: TrytonWorld, deal_id: str) -> Fields:
    return world.crm.fetch_fields([deal_id])[deal_id]


def request_of(world: TrytonWorld, deal_id: str) -> dict[str, Any]:
    return world.crm.fetch_requests([deal_id])[deal_id]


def drop_answers_of(method: str) -> Any:
    """Gives an act that lets calls arrive and loses their answers."""

    def act(request: httpx2.Request, inner: httpx2.BaseTransport) -> httpx2.Response | None:
        if request.method != method:
            return None
        inner.handle_request(request).read()
        raise httpx2.ReadTimeout("lost on its way", request=request)

    return act


def answer_with(status: int, method: str = "PUT") -> Any:
    """Gives an act that turns calls away before they reach the server, as a proxy would."""
    return lambda request, _inner: httpx2.Response(status) if request.method == method else None


def test_three_hundred_deals_take_313_calls(world: TrytonWorld) -> None:
    added = world.add_many_lost([SeenDeal(f"deal {one}", notes=["Lost on price."]) for one in range(300)])
    crm = world.connect()
    listed = crm.find_lost().deal_ids
    requests = crm.fetch_requests(listed)
    fields = crm.fetch_fields(listed)
    assert (sorted(listed), set(requests), set(fields)) == (sorted(added), set(added), set(added))
    assert len(world.wire.calls) == crm.http.calls == 10
    results = crm.send_fields([FieldChange(deal_id, VALUES) for deal_id in listed])
    assert {result.outcome for result in results} == {"sent"}
    assert len(world.wire.calls) == crm.http.calls == 313
    assert max(map(len, world.wire.addresses)) < 4_000


def test_values_stand_in_line_and_note(world: TrytonWorld, lost: str) -> None:
    assert send(world, lost) == SendResult(lost)
    assert world.reason_of(lost) == LINE
    [note] = world.notes_of(lost)
    assert note.splitlines()[:3] == [HEAD, f"reason for loss by lossnlp: {LINE}", "confidence: 0.83"]


def test_what_was_written_is_read_back(world: TrytonWorld, lost: str) -> None:
    send(world, lost)
    assert fields_of(world, lost) == VALUES


def test_our_note_is_one_and_up_to_date(world: TrytonWorld, lost: str) -> None:
    world.add_note(lost, "They asked twice for a business case.")
    for reason in ("price", "budget", "timing"):
        send(world, lost, {REASON: reason, "lossnlp_rival": "Rostera"})
    [theirs, ours] = world.notes_of(lost)
    assert theirs == "They asked twice for a business case."
    assert ours == f"{HEAD}\nreason for loss by lossnlp: timing\nrival: Rostera"


def test_the_same_write_twice_is_sent_once(world: TrytonWorld, lost: str) -> None:
    assert [send(world, lost).outcome for _ in range(2)] == ["sent", "sent"]
    assert [call for call in world.wire.calls if call.startswith("PUT")] == [f"PUT sale.opportunity/{lost}"]
    assert len(world.notes_of(lost)) == 1


def test_two_changes_of_a_deal_make_one_note(world: TrytonWorld, lost: str) -> None:
    changes = [FieldChange(lost, {REASON: "price"}), FieldChange(lost, {"lossnlp_rival": "Rostera"})]
    assert [result.outcome for result in world.crm.send_fields(changes)] == ["sent", "sent"]
    assert fields_of(world, lost) == {REASON: "price", "lossnlp_rival": "Rostera"}
    assert len(world.notes_of(lost)) == 1


def test_a_persons_reason_is_read_as_it_stands(world: TrytonWorld, lost: str) -> None:
    world.set_by_person(lost, {REASON: "Too dear for Dana"})
    assert fields_of(world, lost) == {REASON: "Too dear for Dana"}
    assert request_of(world, lost)["deal"]["stated_reason"] == "Too dear for Dana"


def test_a_persons_reason_stays_beside_our_fields(world: TrytonWorld, lost: str) -> None:
    world.set_by_person(lost, {REASON: "Too dear for Dana"})
    rest = {name: value for name, value in VALUES.items() if name != REASON}
    assert send(world, lost, rest).outcome == "sent"
    assert world.reason_of(lost) == "Too dear for Dana"
    assert fields_of(world, lost) == VALUES | {REASON: "Too dear for Dana"}


def test_a_line_changed_by_a_person_becomes_theirs(world: TrytonWorld, lost: str) -> None:
    send(world, lost)
    world.set_by_person(lost, {REASON: f"Mostly {LINE}"})
    assert fields_of(world, lost)[REASON] == "Mostly price"
    assert request_of(world, lost)["deal"]["stated_reason"] == f"Mostly {LINE}"


def test_a_reason_given_meanwhile_is_not_written_over(world: TrytonWorld, lost: str) -> None:
    world.set_by_person(lost, {REASON: "Too dear for Dana"})
    [result] = world.crm.send_fields([FieldChange(lost, VALUES, before={})])
    assert (result.outcome, result.is_retryable) == ("refused", True)
    assert (world.reason_of(lost), world.notes_of(lost)) == ("Too dear for Dana", [])


def test_a_change_that_stands_already_is_sent(world: TrytonWorld, lost: str) -> None:
    results = [world.crm.send_fields([FieldChange(lost, VALUES, before={})])[0] for _ in range(2)]
    assert [result.outcome for result in results] == ["sent", "sent"]


def test_a_long_reason_is_part_of_the_note(world: TrytonWorld) -> None:
    lost = world.add_lost(SeenDeal("one"))
    said = "They liked us, but their CFO never saw a business case and froze all spending."
    world.set_by_person(lost, {REASON: said})
    request = request_of(world, lost)
    assert "stated_reason" not in request["deal"]
    assert [document["text"] for document in request["documents"]] == [said]


def test_our_words_are_never_the_sellers(world: TrytonWorld, lost: str) -> None:
    before = request_of(world, lost)
    send(world, lost)
    assert request_of(world, lost) == before


def test_undo_leaves_the_deal_as_it_was(world: TrytonWorld, lost: str) -> None:
    send(world, lost)
    undo = decide_undo(VALUES, before={}, current=fields_of(world, lost))
    assert send(world, lost, undo.write).outcome == "sent"
    assert (world.reason_of(lost), world.notes_of(lost), fields_of(world, lost)) == (None, [], {})


def test_undo_leaves_what_a_person_changed_since(world: TrytonWorld, lost: str) -> None:
    send(world, lost)
    world.set_by_person(lost, {REASON: "Too dear for Dana"})
    undo = decide_undo(VALUES, before={}, current=fields_of(world, lost))
    send(world, lost, undo.write)
    assert (world.reason_of(lost), world.notes_of(lost)) == ("Too dear for Dana", [])


def test_a_deleted_note_is_written_anew(world: TrytonWorld, lost: str) -> None:
    send(world, lost)
    world.delete_notes(lost)
    assert fields_of(world, lost) == {REASON: "price", "lossnlp_gap_champion": "gap"}
    send(world, lost)
    assert fields_of(world, lost) == VALUES


def test_a_deleted_deal_stops_no_other(world: TrytonWorld, lost: str) -> None:
    gone = world.add_lost(SeenDeal("gone"))
    world.delete(gone)
    changes = [FieldChange(deal_id, VALUES) for deal_id in (gone, "no id", "999999999", lost)]
    results = world.crm.send_fields(changes)
    assert [result.outcome for result in results] == ["refused", "refused", "refused", "sent"]
    assert {result.is_retryable for result in results} == {False}


def test_a_deal_deleted_meanwhile_is_refused(world: TrytonWorld, lost: str) -> None:
    def act(request: httpx2.Request, _inner: httpx2.BaseTransport) -> None:
        if request.method == "PUT":
            world.delete(lost)

    world.wire.act = act
    result = send(world, lost)
    assert (result.outcome, result.is_retryable, result.error) == ("refused", False, "Tryton answered 404.")


def test_a_value_that_fits_no_line_is_refused(world: TrytonWorld, lost: str) -> None:
    result = send(world, lost, {REASON: "price; gaps: champion"})
    assert (result.outcome, result.is_retryable, world.reason_of(lost)) == ("refused", False, None)


def test_a_lost_answer_leaves_one_note(world: TrytonWorld, lost: str) -> None:
    world.wire.act = drop_answers_of("PUT")
    first = send(world, lost)
    world.wire.act = None
    assert (first.outcome, first.is_retryable) == ("unknown", True)
    assert send(world, lost).outcome == "sent"
    assert len(world.notes_of(lost)) == 1
    assert len([call for call in world.wire.calls if call.startswith("PUT")]) == 1


@pytest.mark.parametrize(("status", "outcome"), [(429, "refused"), (503, "refused"), (502, "unknown")])
def test_a_busy_server_is_asked_again_later(world: TrytonWorld, lost: str, status: int, outcome: str) -> None:
    world.wire.act = answer_with(status)
    result = send(world, lost)
    assert (result.outcome, result.is_retryable) == (outcome, True)
    assert world.waits == []


def test_a_server_too_busy_to_read_writes_nothing(world: TrytonWorld, lost: str) -> None:
    world.wire.act = answer_with(503, "GET")
    result = send(world, lost)
    assert (result.outcome, result.is_retryable) == ("refused", True)


def test_a_wrong_key_is_an_error(world: TrytonWorld, lost: str) -> None:
    crm = world.connect(key="wrong")
    for ask in (crm.find_lost, lambda: crm.fetch_fields([lost]), lambda: send(world, lost, crm=crm)):
        with pytest.raises(CrmError, match="401"):
            ask()


def test_a_user_who_may_only_read_is_refused(world: TrytonWorld) -> None:
    lost = world.add_lost(SeenDeal("one", note=SECRET_WORDS, notes=[SECRET_WORDS]))
    result = send(world, lost, crm=world.connect(key=world.add_user("Sales")))
    assert (result.outcome, result.is_retryable) == ("refused", False)
    assert SECRET_WORDS not in str(result.error)
    assert len(str(result.error)) > len("Tryton answered 400.")


def test_setup_finds_all_in_its_place(world: TrytonWorld, lost: str) -> None:
    at = world.written_at(lost)
    steps = world.crm.set_up(world.specs)
    assert [step.field for step in steps] == [spec.name for spec in world.specs]
    assert {step.act for step in steps} == {"stands"}
    assert (world.reason_of(lost), world.notes_of(lost), world.written_at(lost)) == (None, [], at)


@pytest.mark.parametrize("groups", [(), ("Sales",)])
def test_setup_says_which_access_is_missing(world: TrytonWorld, lost: str, groups: tuple[str, ...]) -> None:
    at = world.written_at(lost)
    [step] = world.connect(key=world.add_user(*groups)).plan_setup(world.specs[:1])
    assert (step.act, DEALS_GROUP in step.detail) == ("by hand", True)
    assert world.written_at(lost) == at


def test_another_companys_deals_are_not_seen(world: TrytonWorld, lost: str) -> None:
    with tryton_world() as other:
        assert other.crm.find_lost().deal_ids == ()
        assert other.crm.fetch_requests([lost]) == other.crm.fetch_fields([lost]) == {}
    assert world.crm.find_lost().deal_ids == (lost,)


def test_a_note_added_later_counts_as_a_change(world: TrytonWorld) -> None:
    old = world.add_lost(SeenDeal("old", closed_on=date(2020, 1, 1)))
    since = world.written_at(old) + timedelta(microseconds=1)
    assert world.crm.find_lost(since).deal_ids == ()
    world.add_note(old, "They called again.")
    assert world.crm.find_lost(since).deal_ids == (old,)


def test_a_change_at_the_moment_itself_counts(world: TrytonWorld, lost: str) -> None:
    assert world.crm.find_lost(world.written_at(lost)).deal_ids == (lost,)


def test_nothing_is_found_after_the_last_change(world: TrytonWorld) -> None:
    world.add_lost(SeenDeal("old", closed_on=date(2020, 1, 1), notes=["one"]))
    assert world.crm.find_lost(datetime.now(UTC) + timedelta(days=1)).deal_ids == ()


def test_a_cursor_of_another_crm_is_an_error(world: TrytonWorld) -> None:
    with pytest.raises(CrmError, match="place in the list"):
        world.crm.find_lost(cursor="2026-11-01 abc")


def test_mails_are_one_thread_with_their_heads(world: TrytonWorld, lost: str) -> None:
    world.send_mail(lost, "<p>Here is our offer.</p>")
    world.send_mail(lost, "<p>Any news?</p>", subject="Re: Your offer")
    [_, thread] = request_of(world, lost)["documents"]
    first, second = thread["text"].split("\n\nFrom: ")
    assert (thread["id"], thread["kind"]) == ("mails", "email_thread")
    assert first.startswith("From: Jo Seller\nDate: 20")
    assert first.endswith("\nSubject: Your offer\n\nHere is our offer.")
    assert second.endswith("Subject: Re: Your offer\n\nAny news?")


def test_a_deals_head_is_read(world: TrytonWorld, lost: str) -> None:
    read = Deal.from_request(request_of(world, lost))
    assert (read.account, read.currency, read.stage, read.owner) == ("Nordwind Logistics", "EUR", "lost", None)
    assert read.documents[0].recorded_at is None


def test_notes_of_one_day_have_a_day(world: TrytonWorld) -> None:
    lost = world.add_lost(SeenDeal("one", notes=["They asked twice.", "No budget."]))
    [note] = request_of(world, lost)["documents"]
    assert note["text"] == "They asked twice.\n\nNo budget."
    assert date.fromisoformat(note["recorded_at"]) <= datetime.now(UTC).date()


def test_settings_connect_over_the_network(monkeypatch: pytest.MonkeyPatch, world: TrytonWorld, lost: str) -> None:
    for name, value in (("URL", world.server.url), ("DATABASE", DATABASE), ("KEY", world.key)):
        monkeypatch.setenv(f"LOSSNLP_TRYTON_{name}", value)
    crm = connect(Settings())
    with crm.http.client:
        assert crm.find_lost().deal_ids == (lost,)


@pytest.mark.parametrize(
    ("name", "value"), [("URL", "http://crm.example.com"), ("DATABASE", ""), ("KEY", ""), ("PAGE_SIZE", "0")]
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    good = {"URL": "https://crm.example.com", "DATABASE": "crm", "KEY": "hush"}
    for one, said in {**good, name: value}.items():
        monkeypatch.setenv(f"LOSSNLP_TRYTON_{one}", said)
    with pytest.raises(ConfigurationError, match=f"LOSSNLP_TRYTON_{name}") as raised:
        load_tryton_settings()
    assert "hush" not in str(raised.value)
