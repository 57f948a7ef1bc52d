"""The whole way through a real Tryton: the poller finds its lost deals, and what was accepted stands in reason and note."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
import pytest

from lossnlp.taxonomy import get_default_taxonomy
from serving.backfill import Undone
from serving.crm.fields import CrmWords, FieldMap
from serving.crm.protocol import Fields, FieldValue
from serving.crm.tryton_kept import HEAD
from serving.settings import load_settings
from serving.store import now
from tests.serving.crm.journey import REASON, Service, run_command, service_beside
from tests.serving.crm.stories import STORIES, Story, story_of
from tests.serving.crm.tryton_server import DATABASE
from tests.serving.crm.tryton_world import DEAL, TrytonWorld, tryton_world
from tests.serving.crm.worlds import SeenDeal

pytestmark = pytest.mark.crm

PERSONS = "Too dear for Dana"
DAY_S = 86_400
CLEAR = SeenDeal(
    "Clear",
    note="We lost on price. Their CFO said that we were 30% more expensive than Rostera, and they took Rostera.",
)


@dataclass(frozen=True)
class TrytonJourney:
    """One company and the lossnlp that polls it.

    Args:
        world: The CRM as its people use it; `wire` is the connector's way to it.
        service: The loops, with their database.
        told: The deals that were lost first, by id.
    """

    world: TrytonWorld
    service: Service
    told: dict[str, Story] = field(default_factory=dict)

    def lose(self, reason: str = "price") -> str:
        return self.world.add_lost(story_of(reason).anew())

    def find_own_notes(self, deal_id: str) -> list[str]:
        return [note for note in self.world.notes_of(deal_id) if note.startswith(HEAD)]

    def read_back(self, deal_id: str) -> dict[str, str | None]:
        """Gives what people read on the deal: its reason for loss, and the lines of our note by their labels."""
        lines = [line for note in self.find_own_notes(deal_id) for line in note.splitlines()[2:]]
        said = {label: value for label, _, value in (line.partition(": ") for line in lines)}
        return {"reason": self.world.reason_of(deal_id), **said}

    def count_writes(self, deal_id: str) -> int:
        return self.world.wire.calls.count(f"PUT {DEAL}/{deal_id}")

    @contextmanager
    def before_write_is_checked(self, act: Callable[[], object]) -> Iterator[None]:
        """Does something once between the worker's reading of the fields and the connector's own look before it writes."""
        left = [act]
        seen: list[str] = []

        def step_in(request: httpx2.Request, _inner: httpx2.BaseTransport) -> None:
            seen.append(request.method)
            if left and seen.count("GET") == 2:
                left.pop()()

        self.world.wire.act = step_in
        yield
        self.world.wire.act = None
        assert not left


def said(accepted: Fields) -> dict[str, str | None]:
    """Gives accepted values as people read them in Tryton."""
    beside = {name: value for name, value in accepted.items() if name != REASON}
    labels = {name.removeprefix("lossnlp_").replace("_", " "): say(value) for name, value in beside.items()}
    reason = accepted.get(REASON)
    return {"reason": None if reason is None else str(reason), **labels}


def say(value: FieldValue) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[TrytonJourney]:
    """One world for all: thirty deals were lost, polled and classified on the day before, and written back today."""
    folder = tmp_path_factory.mktemp("journey")
    shutil.copy(migrated_file, folder / "lossnlp.sqlite3")
    with tryton_world() as world, pytest.MonkeyPatch.context() as environment:
        for name, value in variables(world, folder).items():
            environment.setenv(name, value)
        told = {world.add_lost(story.deal): story for story in STORIES}
        with service_beside(world.crm, load_settings().database_url) as service:
            service.clock.move(-DAY_S)
            service.run(poll=True)
            service.clock.move(DAY_S)
            service.run()
            yield TrytonJourney(world, service, told)


def variables(world: TrytonWorld, folder: Path) -> dict[str, str]:
    return {
        "LOSSNLP_VAR_DIR": str(folder),
        "LOSSNLP_CRM": "tryton",
        "LOSSNLP_TRYTON_URL": world.server.url,
        "LOSSNLP_TRYTON_DATABASE": DATABASE,
        "LOSSNLP_TRYTON_KEY": world.key,
    }


# There and back


def test_poll_found_and_took_every_deal(journey: TrytonJourney) -> None:
    assert {journey.service.find_events(deal_id)[0].door for deal_id in journey.told} == {"poll"}
    assert {event.state for deal_id in journey.told for event in journey.service.find_events(deal_id)} == {"taken"}


def test_every_deal_has_one_assessment(journey: TrytonJourney) -> None:
    answers = journey.service.count_answers()
    assert {deal_id: answers.get(deal_id) for deal_id in journey.told} == dict.fromkeys(journey.told, 1)


def test_tryton_holds_what_was_accepted(journey: TrytonJourney) -> None:
    there = {deal_id: journey.read_back(deal_id) for deal_id in journey.told}
    assert there == {deal_id: said(journey.service.accepted(deal_id)) for deal_id in journey.told}


def test_reasons_are_those_the_sellers_told(journey: TrytonJourney) -> None:
    there = {deal_id: journey.world.reason_of(deal_id) for deal_id in journey.told}
    assert there == {deal_id: story.reason for deal_id, story in journey.told.items()}


def test_each_deal_has_one_note_written_once(journey: TrytonJourney) -> None:
    found = {deal_id: (len(journey.find_own_notes(deal_id)), journey.count_writes(deal_id)) for deal_id in journey.told}
    wanted = {deal_id: story.reason is not None for deal_id, story in journey.told.items()}
    assert found == {deal_id: (int(is_told), int(is_told)) for deal_id, is_told in wanted.items()}


def test_next_days_poll_assesses_nothing_again(journey: TrytonJourney) -> None:
    journey.service.run(poll=True)
    assert {journey.service.find_doors(deal_id).count("poll") for deal_id in journey.told} == {2}
    assert {journey.service.assessor.calls.count(deal_id) for deal_id in journey.told} == {1}


def test_second_poll_of_a_day_finds_nothing(journey: TrytonJourney) -> None:
    deal_id = journey.lose()
    for _ in range(2):
        journey.service.run(poll=True)
    assert (journey.service.find_doors(deal_id), journey.count_writes(deal_id)) == (["poll"], 1)


def test_worker_process_polls_and_writes_back(journey: TrytonJourney) -> None:
    journey.service.run(poll=True)
    deal_id = journey.world.add_lost(CLEAR)
    run_command("worker", "--once")
    sent = journey.service.get_write_back(deal_id)
    assert (sent.state, sent.planned != {}) == ("sent", True)
    assert journey.world.crm.fetch_fields([deal_id])[deal_id] == sent.planned


# A value that Tryton cannot hold


def test_refused_value_stops_that_deal_alone(journey: TrytonJourney) -> None:
    refused, other = journey.lose("procurement_legal"), journey.lose("price")
    words = CrmWords(values={REASON: {"procurement_legal": "Legal; gaps: many"}})
    loop = journey.service.loop
    loop.poller.poll()
    loop.receiver.take_due()
    replace(loop, worker=replace(loop.worker, fields=FieldMap(get_default_taxonomy(), words))).run_once(poll=False)
    cause = f"{REASON}: cannot stand in the reason for loss"
    assert journey.service.find_attempts(refused) == [("refused", cause)]
    assert journey.read_back(refused) == {"reason": None}
    assert journey.read_back(other) == said(journey.service.accepted(other))


# A person beside us


def test_edit_before_the_write_stays(journey: TrytonJourney) -> None:
    deal_id = journey.lose()
    journey.service.loop.poller.poll()
    journey.service.loop.receiver.take_due()
    journey.world.set_by_person(deal_id, {REASON: PERSONS})
    journey.service.run()
    assert journey.read_back(deal_id) == said(journey.service.accepted_beside(deal_id, PERSONS))
    assert journey.service.get_write_back(deal_id).kept == {REASON: PERSONS}


def test_edit_between_reading_and_writing_stays(journey: TrytonJourney) -> None:
    deal_id = journey.lose()
    journey.service.loop.poller.poll()
    journey.service.loop.receiver.take_due()
    with journey.before_write_is_checked(lambda: journey.world.set_by_person(deal_id, {REASON: PERSONS})):
        journey.service.run()
    assert journey.service.find_attempts(deal_id) == [("refused", "changed since it was decided")]
    journey.service.run_later()
    assert journey.read_back(deal_id) == said(journey.service.accepted_beside(deal_id, PERSONS))


# A batch, taken back


@dataclass(frozen=True)
class TakenBack:
    """A batch that was undone.

    Args:
        undone: What was told of it.
        untouched: Deals that nobody has changed since.
        corrected: A deal whose reason a person has set since.
        held: What people read on these deals before the undo.
    """

    undone: Undone
    untouched: list[str]
    corrected: str
    held: dict[str, dict[str, str | None]]


@pytest.fixture(scope="module")
def taken_back(journey: TrytonJourney) -> TakenBack:
    begun_at = now()
    deal_ids = [journey.lose(reason) for reason in ("price", "budget", "competitor")]
    batch_id = journey.service.apply_batch(begun_at)
    held = {deal_id: journey.read_back(deal_id) for deal_id in deal_ids}
    *untouched, corrected = deal_ids
    journey.world.set_by_person(corrected, {REASON: PERSONS})
    return TakenBack(journey.service.backfill.undo(batch_id), untouched, corrected, held)


def test_undo_leaves_no_line_and_note(journey: TrytonJourney, taken_back: TakenBack) -> None:
    assert taken_back.held == {deal_id: said(journey.service.accepted(deal_id)) for deal_id in taken_back.held}
    assert [journey.read_back(deal_id) for deal_id in taken_back.untouched] == [{"reason": None}] * 2
    assert [journey.find_own_notes(deal_id) for deal_id in taken_back.held] == [[]] * 3


def test_undo_leaves_and_names_a_persons_value(journey: TrytonJourney, taken_back: TakenBack) -> None:
    assert journey.world.reason_of(taken_back.corrected) == PERSONS
    assert taken_back.undone.left == {taken_back.corrected: {REASON: PERSONS}}
    assert taken_back.undone.failed == {}


def test_undo_touches_no_other_deal(journey: TrytonJourney, taken_back: TakenBack) -> None:
    assert taken_back.undone.put_back.keys().isdisjoint(journey.told)
    assert journey.world.reason_of(next(iter(journey.told))) == "price"
