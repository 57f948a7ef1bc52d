"""The whole way through a real BottleCRM: its deals are lost, its webhooks tell of them, and what was accepted stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lossnlp.taxonomy import get_default_taxonomy
from serving.backfill import Undone
from serving.crm.fields import FieldMap
from serving.crm.protocol import Fields
from serving.store import now
from tests.serving.crm.bottlecrm_journey import DEALS, DEFINITIONS, BottleCrmJourney, bottlecrm_journey
from tests.serving.crm.journey import REASON, run_command
from tests.serving.crm.worlds import SeenDeal

pytestmark = pytest.mark.crm

PERSONS = "sales_execution"
REFUSED = "procurement_legal"
CLEAR = SeenDeal(
    "Clear",
    note="We lost on price. Their CFO said that we were 30% more expensive than Rostera, and they took Rostera.",
)


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[BottleCrmJourney]:
    """One world for all: every test adds what it disturbs."""
    with bottlecrm_journey(tmp_path_factory.mktemp("journey"), migrated_file) as opened:
        yield opened


@pytest.fixture(scope="module")
def there(journey: BottleCrmJourney) -> dict[str, Fields]:
    """Gives what stands in BottleCRM in our fields of the deals that were lost first."""
    return {deal_id: journey.get_fields(deal_id) for deal_id in journey.told}


# There and back


def test_setup_command_created_every_field(journey: BottleCrmJourney) -> None:
    found = journey.world.person.get(DEFINITIONS, params={"target_model": "Opportunity"}).json()["definitions"]
    assert {one["key"] for one in found} == {spec.name for spec in FieldMap.plain().specs()}
    assert [option["value"] for option in journey.find_options()] == [*get_default_taxonomy().codes]


def test_bottlecrms_webhooks_were_all_taken(journey: BottleCrmJourney) -> None:
    lost = [row for row in journey.find_deliveries() if row["event"] == "deal.lost"]
    answers = {row["payload"]["data"]["id"]: (row["status"], row["response_status"]) for row in lost}
    assert {deal_id: answers.get(deal_id) for deal_id in journey.told} == dict.fromkeys(
        journey.told, ("succeeded", 200)
    )


def test_every_deal_has_one_assessment(journey: BottleCrmJourney) -> None:
    answers = journey.service.count_answers()
    assert {deal_id: answers.get(deal_id) for deal_id in journey.told} == dict.fromkeys(journey.told, 1)


def test_bottlecrm_holds_what_was_accepted(journey: BottleCrmJourney, there: dict[str, Fields]) -> None:
    assert there == {deal_id: journey.service.accepted(deal_id) for deal_id in journey.told}


def test_reasons_are_those_the_sellers_told(journey: BottleCrmJourney, there: dict[str, Fields]) -> None:
    reasons = {deal_id: fields.get(REASON) for deal_id, fields in there.items()}
    assert reasons == {deal_id: story.reason for deal_id, story in journey.told.items()}


def test_each_deal_was_written_once(journey: BottleCrmJourney) -> None:
    written = {deal_id: journey.count_writes(deal_id) for deal_id in journey.told}
    assert written == {deal_id: int(story.reason is not None) for deal_id, story in journey.told.items()}


def test_worker_process_takes_and_writes_back(journey: BottleCrmJourney) -> None:
    deal_id = journey.world.lose(CLEAR)
    run_command("worker", "--once", "--no-poll")
    sent = journey.service.get_write_back(deal_id)
    assert (sent.state, sent.planned != {}) == ("sent", True)
    assert journey.get_fields(deal_id) == sent.planned


# Told twice, told by ourselves, not told


def test_redelivered_webhook_makes_no_second_assessment(journey: BottleCrmJourney) -> None:
    deal_id, known = next(iter(journey.told)), journey.count_calls("known")
    journey.redeliver(deal_id)
    journey.service.run()
    assert journey.count_calls("known") == known + 1
    assert journey.service.assessor.calls.count(deal_id) == 1
    assert (journey.service.find_doors(deal_id).count("bottlecrm"), journey.count_writes(deal_id)) == (1, 1)


def test_webhook_told_twice_is_taken_once(journey: BottleCrmJourney) -> None:
    deal_id = journey.lose()
    journey.redeliver(deal_id)
    journey.service.run()
    assert len(journey.find_told(deal_id)) == 2
    assert (journey.service.find_doors(deal_id).count("bottlecrm"), journey.count_writes(deal_id)) == (1, 1)
    assert journey.service.assessor.calls.count(deal_id) == 1


def test_own_write_back_starts_no_loop(journey: BottleCrmJourney) -> None:
    deal_id, ignored = journey.lose(), journey.count_calls("ignored")
    before = len(journey.find_told(deal_id, "deal.updated"))
    journey.service.run()
    [echo] = journey.find_told(deal_id, "deal.updated")[before:]
    assert (echo["status"], journey.count_calls("ignored")) == ("succeeded", ignored + 1)
    journey.service.run()
    assert len(journey.find_told(deal_id)) == 1
    assert (journey.service.find_doors(deal_id), journey.count_writes(deal_id)) == (["bottlecrm"], 1)


def test_reopened_deal_is_left_alone(journey: BottleCrmJourney) -> None:
    deal_id = journey.lose()
    journey.world.edit(deal_id, stage="PROPOSAL")
    journey.service.run()
    assert [event.state for event in journey.service.find_events(deal_id)] == ["gone"]
    assert journey.get_fields(deal_id) == {}


def test_poll_finds_what_no_webhook_told(journey: BottleCrmJourney) -> None:
    deal_id = journey.lose_unheard()
    journey.service.run()
    assert journey.get_fields(deal_id) == {}
    journey.service.run(poll=True)
    assert journey.get_fields(deal_id) == journey.service.accepted(deal_id) != {}


def test_poll_after_webhooks_assesses_nothing_again(journey: BottleCrmJourney) -> None:
    journey.service.run(poll=True)
    assert {journey.service.assessor.calls.count(deal_id) for deal_id in journey.told} == {1}
    assert {journey.service.find_doors(deal_id).count("poll") for deal_id in journey.told} == {1}


# A value that the CRM refuses


@pytest.fixture
def refused(journey: BottleCrmJourney) -> tuple[str, str]:
    """Gives a deal whose reason is missing in the picklist, and one beside it."""
    with journey.without_choice(REFUSED):
        deal_ids = journey.lose(REFUSED), journey.lose("price")
        journey.service.run()
    return deal_ids


def test_refused_value_stops_that_deal_alone(journey: BottleCrmJourney, refused: tuple[str, str]) -> None:
    deal_id, other = refused
    assert (journey.service.get_write_back(deal_id).state, journey.get_fields(deal_id)) == ("failed", {})
    assert journey.get_fields(other) == journey.service.accepted(other) != {}


def test_refusal_names_the_field_and_cause(journey: BottleCrmJourney, refused: tuple[str, str]) -> None:
    [(outcome, cause)] = journey.service.find_attempts(refused[0])
    assert (outcome, str(cause).startswith(f"{REASON}: must be one of [")) == ("refused", True)


def test_refused_value_arrives_after_the_mend(journey: BottleCrmJourney, refused: tuple[str, str]) -> None:
    journey.service.send_again(refused[0])
    journey.service.run()
    assert journey.get_fields(refused[0])[REASON] == REFUSED


# A person beside us


def test_edit_before_the_write_stays(journey: BottleCrmJourney) -> None:
    deal_id = journey.lose()
    journey.service.loop.receiver.take_due()
    journey.world.set_by_person(deal_id, {REASON: PERSONS})
    journey.service.run()
    assert journey.get_fields(deal_id) == journey.service.accepted_beside(deal_id, PERSONS)
    assert journey.service.get_write_back(deal_id).kept == {REASON: PERSONS}


def test_edit_between_reading_and_writing_stays(journey: BottleCrmJourney) -> None:
    deal_id = journey.lose()
    with journey.before_call(f"GET {DEFINITIONS}", lambda: journey.world.set_by_person(deal_id, {REASON: PERSONS})):
        journey.service.run()
    assert journey.service.find_attempts(deal_id) == [("refused", "changed since it was decided")]
    journey.service.run_later()
    assert journey.get_fields(deal_id) == journey.service.accepted_beside(deal_id, PERSONS)
    assert journey.service.get_write_back(deal_id).kept == {REASON: PERSONS}


def test_other_field_set_during_the_write_stays(journey: BottleCrmJourney) -> None:
    deal_id = journey.lose()
    set_rival = {"lossnlp_rival": "Rostera"}
    with journey.before_call(f"PATCH {DEALS}{deal_id}/", lambda: journey.world.set_by_person(deal_id, set_rival)):
        journey.service.run()
    assert journey.get_fields(deal_id) == journey.service.accepted(deal_id) | set_rival


# A batch, taken back


@dataclass(frozen=True)
class TakenBack:
    """A batch that was undone.

    Args:
        undone: What was told of it.
        untouched: Deals that nobody has changed since.
        corrected: A deal whose reason a person has set since.
        held: What stood in these deals before the undo.
    """

    undone: Undone
    untouched: list[str]
    corrected: str
    held: dict[str, Fields]


@pytest.fixture(scope="module")
def taken_back(journey: BottleCrmJourney) -> TakenBack:
    begun_at = now()
    deal_ids = [journey.lose_unheard(reason) for reason in ("price", "budget", "competitor")]
    batch_id = journey.service.apply_batch(begun_at)
    held = {deal_id: journey.get_fields(deal_id) for deal_id in deal_ids}
    *untouched, corrected = deal_ids
    journey.world.set_by_person(corrected, {REASON: PERSONS})
    return TakenBack(journey.service.backfill.undo(batch_id), untouched, corrected, held)


def test_undo_puts_our_values_back(journey: BottleCrmJourney, taken_back: TakenBack) -> None:
    assert taken_back.held == {deal_id: journey.service.accepted(deal_id) for deal_id in taken_back.held}
    assert [journey.get_fields(deal_id) for deal_id in taken_back.untouched] == [{}, {}]
    assert {journey.service.get_write_back(deal_id).state for deal_id in taken_back.held} == {"undone"}


def test_undo_leaves_and_names_a_persons_value(journey: BottleCrmJourney, taken_back: TakenBack) -> None:
    assert journey.get_fields(taken_back.corrected) == {REASON: PERSONS}
    assert taken_back.undone.left == {taken_back.corrected: {REASON: PERSONS}}
    assert taken_back.undone.failed == {}


def test_undo_touches_no_other_deal(journey: BottleCrmJourney, taken_back: TakenBack) -> None:
    assert taken_back.undone.put_back.keys().isdisjoint(journey.told)
    assert journey.get_fields(next(iter(journey.told)))[REASON] == "price"
