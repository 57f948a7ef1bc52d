"""A CRM that tells of nothing by itself is asked: no lost deal is missed, none comes in twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from serving import inbox
from serving.crm.demo import DemoCrm
from serving.crm.protocol import CrmError, LostPage
from serving.intake import Intake
from serving.poller import Poller
from serving.receiver import Receiver
from serving.store import Database
from serving.tables import PollRow

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def lost(deal_id: str) -> dict[str, Any]:
    note = {"id": "note", "kind": "rep_note", "text": "lost on price, not on budget"}
    return {"deal": {"id": deal_id, "closed_at": "2026-11-02"}, "documents": [note]}


class MomentCrm(DemoCrm):
    """A demo CRM that lists by the moment of the last change, lowest id first and two a page.

    Each call raises the next of `faults`, where one is left that is not None; `before_page` is called once the CRM has looked
    and before its page arrives.
    """

    def __init__(self) -> None:
        super().__init__(deals=[])
        self.changed_at: dict[str, datetime] = {}
        self.asked: list[tuple[datetime | None, str | None]] = []
        self.faults: list[Exception | None] = []
        self.refused_cursor: str | None = None
        self.before_page: Callable[[], object] = lambda: None

    def lose(self, at: datetime, *deal_ids: str) -> None:
        for deal_id in deal_ids:
            self.changed_at[deal_id] = at
            self.delete_deal(deal_id)
            self.add_deal(lost(deal_id))

    def find_lost(self, since: datetime | None = None, *, cursor: str | None = None) -> LostPage:
        self.asked.append((since, cursor))
        if fault := self.faults.pop(0) if self.faults else None:
            raise fault
        if cursor is not None and cursor == self.refused_cursor:
            raise CrmError("The cursor is none of this CRM's.")
        ids = sorted(one for one, at in self.changed_at.items() if since is None or at >= since)
        page = [one for one in ids if one > (cursor or "")]
        self.before_page()
        return LostPage(tuple(page[:2]), cursor=page[1] if len(page) > 2 else None)


class NamelessCrm(DemoCrm):
    """A demo CRM that lists a deal without its id, which the database refuses."""

    def find_lost(self, since: datetime | None = None, *, cursor: str | None = None) -> LostPage:  # noqa: ARG002
        return LostPage(("a", None), cursor="a")  # type: ignore[arg-type]


@pytest.fixture
def clock(clock: Any) -> Any:
    clock.at = NOON
    return clock


@pytest.fixture
def crm() -> MomentCrm:
    return MomentCrm()


@pytest.fixture
def poller(database: Database, crm: MomentCrm, clock: Any) -> Poller:
    return Poller(database, crm, clock)


def told(poller: Poller) -> list[str]:
    with poller.database.reading() as session:
        return [row.deal_id for row in inbox.find_events(session)]


def fail_at(crm: MomentCrm, page: int) -> None:
    crm.faults = [*[None] * (page - 1), CrmError("The CRM is away.")]


def test_shipped_demo_deals_come_in_once(database: Database, clock: Any) -> None:
    demo = DemoCrm()
    poller = Poller(database, demo, clock, since_on=date(2000, 1, 1))
    assert poller.poll() == len(demo.fetch_requests(told(poller))) > 10
    assert poller.poll() == 0


def test_first_round_leaves_history_to_the_backfill(poller: Poller, crm: MomentCrm) -> None:
    crm.lose(NOON - timedelta(hours=1), "old")
    crm.lose(NOON, "new")
    assert poller.poll() == 1
    assert told(poller) == ["new"]


def test_first_round_lists_from_the_day_set(database: Database, crm: MomentCrm, clock: Any) -> None:
    Poller(database, crm, clock, since_on=date(2026, 10, 1)).poll()
    assert crm.asked == [(datetime(2026, 10, 1, tzinfo=UTC), None)]


def test_first_round_that_fails_keeps_its_start(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    fail_at(crm, page=1)
    with pytest.raises(CrmError):
        poller.poll()
    crm.lose(NOON, "meanwhile")
    clock.move(HOUR)
    assert (poller.poll(), told(poller)) == (1, ["meanwhile"])


def test_a_round_reaches_back_before_the_last(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    poller.poll()
    crm.lose(NOON - timedelta(minutes=9), "shown late")
    crm.lose(NOON - timedelta(minutes=11), "too old")
    clock.move(5 * MINUTE)
    assert (poller.poll(), told(poller)) == (1, ["shown late"])


def test_a_deal_listed_again_comes_in_once_a_day(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    crm.lose(NOON, "a")
    assert poller.poll() == 1
    for _ in range(3):
        clock.move(5 * MINUTE)
        crm.lose(clock(), "a")
        assert poller.poll() == 0


def test_a_second_loss_comes_in_next_day(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    crm.lose(NOON, "a")
    poller.poll()
    clock.move(HOUR)
    crm.lose(clock(), "a")
    poller.poll()
    clock.move(HOUR)
    assert poller.poll() == 0
    clock.move(DAY)
    assert (poller.poll(), told(poller)) == (1, ["a", "a"])


def test_a_change_shown_after_midnight_comes_in_next_day(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    clock.at = datetime(2026, 11, 2, 23, 50, tzinfo=UTC)
    crm.lose(clock(), "a")
    poller.poll()
    clock.move(11 * MINUTE)
    poller.poll()
    crm.lose(datetime(2026, 11, 2, 23, 55, tzinfo=UTC), "a")
    clock.move(DAY)
    assert (poller.poll(), told(poller)) == (1, ["a"] * 3)


def test_a_quiet_deal_is_not_listed_for_ever(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    crm.lose(NOON, "a")
    counts = []
    for _ in range(5):
        counts.append(poller.poll())
        clock.move(DAY)
    assert counts == [1, 1, 0, 0, 0]


def test_an_unchanged_deal_is_not_classified_again(
    poller: Poller, crm: MomentCrm, clock: Any, intake: Intake, assessor: Any
) -> None:
    receiver = Receiver(poller.database, crm, intake, clock)
    crm.lose(NOON, "a")
    for _ in range(2):
        poller.poll()
        receiver.take_due()
        clock.move(DAY)
    assert (told(poller), assessor.calls) == (["a", "a"], ["a"])


def test_a_failed_round_goes_on_where_it_stopped(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    crm.lose(NOON, *"abcde")
    fail_at(crm, page=2)
    with pytest.raises(CrmError):
        poller.poll()
    assert told(poller) == ["a", "b"]
    clock.move(DAY)
    assert (poller.poll(), told(poller)) == (3, [*"abcde"])
    assert crm.asked[2:] == [(NOON, "b"), (NOON, "d")]


def test_a_resumed_round_keeps_its_day(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    crm.lose(NOON, *"abc")
    fail_at(crm, page=2)
    with pytest.raises(CrmError):
        poller.poll()
    clock.move(DAY)
    poller.poll()
    with poller.database.reading() as session:
        assert {row.key[:15] for row in inbox.find_events(session)} == {"poll:2026-11-02"}


def test_a_page_not_kept_moves_nothing(database: Database, clock: Any) -> None:
    poller = Poller(database, NamelessCrm(), clock)
    with pytest.raises(IntegrityError):
        poller.poll()
    with database.reading() as session:
        assert [(row.cursor, row.finished_at) for row in session.scalars(select(PollRow))] == [(None, None)]
    assert told(poller) == []


def test_a_stopped_round_goes_on_later(poller: Poller, crm: MomentCrm) -> None:
    crm.lose(NOON, *"abc")
    stop = Event()
    stop.set()
    assert (poller.poll(stop), told(poller)) == (2, ["a", "b"])
    assert (poller.poll(), told(poller)) == (1, ["a", "b", "c"])


def test_a_refused_cursor_starts_the_round_anew(poller: Poller, crm: MomentCrm) -> None:
    crm.lose(NOON, *"abc")
    fail_at(crm, page=2)
    with pytest.raises(CrmError):
        poller.poll()
    crm.refused_cursor = "b"
    crm.lose(NOON, "aa")
    assert (poller.poll(), told(poller)) == (2, ["a", "b", "aa", "c"])


def test_a_crm_that_is_away_keeps_the_cursor(poller: Poller, crm: MomentCrm) -> None:
    crm.lose(NOON, *"abc")
    fail_at(crm, page=2)
    for _ in range(3):
        with pytest.raises(CrmError):
            poller.poll()
        crm.faults = [CrmError("The CRM is away.")] * 2
    crm.faults = []
    assert poller.poll() == 1
    assert crm.asked[-1] == (NOON, "b")


def test_one_fault_does_not_cost_the_cursor(poller: Poller, crm: MomentCrm) -> None:
    crm.lose(NOON, *"abcde")
    fail_at(crm, page=3)
    with pytest.raises(CrmError):
        poller.poll()
    fail_at(crm, page=1)
    assert poller.poll() == 1
    assert [cursor for _, cursor in crm.asked[3:]] == ["d", None, "d"]


def test_a_deal_closed_while_paging_is_found_next(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    crm.lose(NOON, *"bcd")

    def lose_behind_the_cursor() -> None:
        clock.move(MINUTE)
        crm.lose(clock(), "a")

    crm.before_page = lose_behind_the_cursor
    poller.poll()
    crm.before_page = lambda: None
    assert told(poller) == ["b", "c", "d"]
    clock.move(HOUR)
    assert (poller.poll(), told(poller)) == (1, ["b", "c", "d", "a"])


def test_a_poller_overtaken_by_another_doubles_nothing(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    crm.lose(NOON, *"abcde")
    other = Poller(poller.database, crm, clock)

    def overtake() -> None:
        crm.before_page = lambda: None
        assert other.poll() == 5

    crm.before_page = overtake
    assert (poller.poll(), told(poller)) == (0, [*"abcde"])


def test_a_slower_poller_joins_the_round(poller: Poller, crm: MomentCrm, clock: Any) -> None:
    crm.lose(NOON, *"abcde")
    stop = Event()

    def overtake_by_two_pages() -> None:
        crm.before_page = lambda: len(crm.asked) == 3 and stop.set()
        Poller(poller.database, crm, clock).poll(stop)

    crm.before_page = overtake_by_two_pages
    assert (poller.poll(), told(poller)) == (1, [*"abcde"])
    assert [cursor for _, cursor in crm.asked] == [None, None, "b", "d"]


def test_two_pollers_at_once_double_nothing(poller: Poller, crm: MomentCrm) -> None:
    crm.lose(NOON, *"abcde")
    together = Barrier(2, timeout=30)

    def poll(_: int) -> int:
        waits = [together]

        def clock_that_waits_once() -> datetime:
            if waits:
                waits.pop().wait()
            return NOON

        return Poller(poller.database, crm, clock_that_waits_once).poll()

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(poll, range(2))) == 5
    assert sorted(told(poller)) == [*"abcde"]


def test_the_loop_outlives_a_fault_and_tells_no_text(poller: Poller, crm: MomentCrm) -> None:
    stop = Event()
    crm.lose(NOON, "a")
    crm.faults = [RuntimeError("words of a customer")]
    crm.before_page = stop.set
    with capture_logs() as logs:
        poller.run(stop, every_s=0)
    assert told(poller) == ["a"]
    assert [entry["event"] for entry in logs] == ["poll_failed", "polled"]
    assert "customer" not in str(logs)
