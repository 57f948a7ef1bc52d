"""The demo CRM and the deals that ship in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lossnlp.deal import Deal
from serving.crm.demo import DemoCrm
from serving.crm.protocol import FieldChange, fetch_all_lost


def test_every_demo_deal_is_readable(crm: DemoCrm) -> None:
    deals = [Deal.from_request(request) for request in fetch_all_lost(crm)]
    assert len(deals) == 25
    assert len({deal.account for deal in deals}) == 25
    assert sum(len(deal.documents) > 1 for deal in deals) == 7


def test_deals_can_be_fetched_since_a_day(crm: DemoCrm) -> None:
    recent = list(fetch_all_lost(crm, datetime(2026, 10, 30, tzinfo=UTC)))
    assert [deal["deal"]["id"] for deal in recent] == ["OV-2155", "OV-2157", "OV-2160"]


def test_two_deals_hold_a_persons_value(crm: DemoCrm) -> None:
    ids = [deal["deal"]["id"] for deal in fetch_all_lost(crm)]
    assert sum(bool(fields) for fields in crm.fetch_fields(ids).values()) == 2


def test_written_fields_outlive_the_process(tmp_path: Path) -> None:
    file = tmp_path / "var" / "demo-crm.json"
    DemoCrm(file).send_fields([FieldChange("OV-2133", {"lossnlp_winback": "open"})])
    assert DemoCrm(file).fetch_fields(["OV-2133"]) == {"OV-2133": {"lossnlp_winback": "open"}}


def test_none_empties_a_field(crm: DemoCrm) -> None:
    crm.send_fields([FieldChange("OV-2133", {"a": 1.0})])
    crm.send_fields([FieldChange("OV-2133", {"a": None})])
    assert crm.fetch_fields(["OV-2133"]) == {"OV-2133": {}}


def test_unknown_deal_is_refused_alone(crm: DemoCrm) -> None:
    results = crm.send_fields([FieldChange("nowhere", {"a": 1.0}), FieldChange("OV-2133", {"a": 1.0})])
    assert [result.error for result in results] == ["deal_not_found", None]
