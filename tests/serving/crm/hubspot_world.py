"""A HubSpot account, played by the stand-in, as a world to test a connector in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx2

from serving.crm.deal_fields import DealField, DealFieldNames
from serving.crm.hubspot import HubSpotCrm, HubSpotSettings
from serving.crm.protocol import Fields
from tests.serving.crm.hubspot_fake import TOKEN, HubSpotFake, moments
from tests.serving.crm.worlds import SPECS, SeenDeal


class HubSpotWorld:
    """An account with one pipeline; `waits` are the seconds that the connector has waited."""

    keeps_fields = True
    specs = SPECS
    deal_fields: Mapping[DealField, str] = {
        "team": "sales_team",
        "region": "sales_region",
        "product": "offer",
        "segment": "company_size",
    }

    def __init__(self) -> None:
        self.fake = HubSpotFake()
        self.waits: list[float] = []
        self.now_s = 0.0
        transport = httpx2.WSGITransport(app=self.fake)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self.client = httpx2.Client(base_url="https://api.hubapi.com", headers=headers, transport=transport)
        options = HubSpotSettings(token=TOKEN, calls_per_10_s=100_000)
        self.crm = HubSpotCrm(self.client, options, sleep=self.waits.append, clock=lambda: self.now_s)
        self._moments = moments()
        for name in self.deal_fields.values():
            self.fake.define(name)

    def reading(self, deal_fields: DealFieldNames) -> HubSpotCrm:
        options = HubSpotSettings(token=TOKEN, calls_per_10_s=100_000)
        sleep = self.waits.append
        return HubSpotCrm(self.client, options, deal_fields=deal_fields, sleep=sleep, clock=lambda: self.now_s)

    def add_lost(self, deal: SeenDeal) -> str:
        properties = {
            "dealname": deal.name,
            "dealstage": "closedlost",
            "closedate": f"{deal.closed_on.isoformat()}T09:00:00Z",
            "amount": None if deal.amount is None else str(deal.amount),
            "deal_currency_code": deal.currency,
            "description": deal.note,
            **{self.deal_fields[ours]: value for ours, value in deal.told.items()},
        }
        added = self.fake.add("deals", properties)
        for kind, name, texts in (
            ("notes", "hs_note_body", deal.notes),
            ("calls", "hs_call_body", deal.calls),
            ("emails", "hs_email_html", deal.mails),
        ):
            for text in texts:
                self.log(kind, [added], **{name: f"<div><p>{text}</p></div>"})
        return added

    def log(self, kind: str, deal_ids: list[str], **properties: str) -> str:
        return self.fake.add(kind, {"hs_timestamp": next(self._moments), **properties}, deal_ids)

    def add_open(self, name: str) -> str:
        return self.fake.add("deals", {"dealname": name, "dealstage": "contractsent"})

    def add_won(self, name: str) -> str:
        return self.fake.add("deals", {"dealname": name, "dealstage": "closedwon", "closedate": "2026-11-02T09:00:00Z"})

    def set_by_person(self, deal_id: str, fields: Fields) -> None:
        self.fake.set_by_person(deal_id, {name: str(value) for name, value in fields.items()})

    def get_fields(self, deal_id: str) -> Fields:
        return dict(self.fake.records["deals"][deal_id])

    def delete(self, deal_id: str) -> None:
        self.fake.delete(deal_id)


@contextmanager
def hubspot_world() -> Iterator[HubSpotWorld]:
    """Gives a fresh account."""
    world = HubSpotWorld()
    with world.client:
        yield world
