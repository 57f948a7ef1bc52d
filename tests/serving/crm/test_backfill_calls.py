"""A whole backfill through a CRM with limits: few calls, every value once, all of it taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from serving.backfill import Backfill
from serving.crm.fields import FieldMap
from serving.crm.rules import PRIMARY_REASON
from serving.intake import Intake
from serving.receiver import Receiver
from serving.store import Database
from serving.worker import Worker
from tests.serving.crm.hubspot_world import HubSpotWorld, hubspot_world
from tests.serving.crm.worlds import SeenDeal

DEALS = 300


@pytest.fixture
def account() -> Iterator[HubSpotWorld]:
    with hubspot_world() as opened:
        opened.crm.set_up(FieldMap.plain().specs())
        for number in range(DEALS):
            opened.add_lost(SeenDeal(f"deal {number}", note="price was far too high", calls=["no budget this year"]))
        opened.fake.calls.clear()
        yield opened


@pytest.fixture
def backfill(intake: Intake, database: Database, account: HubSpotWorld) -> Backfill:
    intake = intake.for_crm("hubspot")
    return Backfill(Receiver(database, account.crm, intake), Worker(database, account.crm))


def apply(backfill: Backfill) -> str:
    batch_id = backfill.begin(None)
    assert list(backfill.steps(batch_id))[-1].write_backs == {"sent": DEALS}
    return batch_id


def reasons(account: HubSpotWorld) -> list[object]:
    return [deal.get(PRIMARY_REASON) for deal in account.fake.records["deals"].values()]


def test_three_hundred_deals_stay_within_the_calls_allowed(backfill: Backfill, account: HubSpotWorld) -> None:
    apply(backfill)
    assert reasons(account) == ["price"] * DEALS
    assert len(account.fake.calls) <= DEALS / 100 * 3 + 10


def test_a_whole_batch_is_taken_back(backfill: Backfill, account: HubSpotWorld) -> None:
    undone = backfill.undo(apply(backfill))
    assert (len(undone.put_back), undone.left, undone.failed) == (DEALS, {}, {})
    assert not any(reasons(account))
