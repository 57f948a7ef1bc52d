"""A CRM that is down for a day: what was lost before, and what is told meanwhile, arrives once when it is back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving import inbox, outbox
from serving.crm.protocol import CrmError, FieldChange, Fields, LostEvent, SendResult
from serving.crm.rules import PRIMARY_REASON
from serving.intake import Intake, parse_deal
from serving.receiver import Receiver
from serving.store import Database
from serving.worker import Worker
from tests.serving.faults.counting_crm import CountingCrm, lost

STEP_S, DAY_S, DEALS = 3_600, 86_400, 8


class AwayCrm(CountingCrm):
    """A CRM that answers nobody until it is back."""

    is_back = False

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        self._require_back()
        return super().fetch_requests(deal_ids)

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        self._require_back()
        return super().fetch_fields(deal_ids)

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        self._require_back()
        return super().send_fields(changes)

    def _require_back(self) -> None:
        if not self.is_back:
            raise CrmError("no answer")


def test_crm_down_for_a_day_loses_and_doubles_nothing(
    intake: Intake, database: Database, tmp_path: Path, clock: Any
) -> None:
    crm = AwayCrm(tmp_path)
    loops = (Receiver(database, crm, intake, clock).take_due, Worker(database, crm, clock).send_due)
    for number in range(2 * DAY_S // STEP_S):
        crm.is_back = number * STEP_S >= DAY_S
        if number < DEALS:
            intake.take_deal(parse_deal(lost(number)))
            tell(database, number + DEALS, clock)
        while sum(loop() for loop in loops):
            continue
        clock.move(STEP_S)
    with database.reading() as session:
        states = inbox.count_by_state(session), outbox.count_by_state(session)
    assert states == ({"taken": DEALS}, {"sent": 2 * DEALS})
    assert set(crm.written.values()) == {1}
    assert all(crm.fetch_fields([f"D-{n}"])[f"D-{n}"][PRIMARY_REASON] == "price" for n in range(2 * DEALS))


def tell(database: Database, number: int, clock: Any) -> None:
    with database.writing() as session:
        inbox.add_events(session, [LostEvent(f"e-{number}", f"D-{number}")], crm="demo", door="deals", at=clock())
        session.commit()
