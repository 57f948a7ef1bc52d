"""A Salesforce org as a world to test a connector in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx2
from pydantic import SecretStr

from serving.crm.deal_fields import DealField, DealFieldNames
from serving.crm.protocol import Choice, Fields, FieldSpec
from serving.crm.salesforce import Salesforce, SalesforceSettings, connect_org
from tests.serving.crm.salesforce_fake import CLIENT_ID, CLIENT_SECRET, PERMISSION_SET, SalesforceFake
from tests.serving.crm.worlds import SeenDeal

URL = "https://example.my.salesforce.com"
REASONS = (Choice("price", "Price"), Choice("budget", "Budget"))


def org_settings(**changes: str | None) -> SalesforceSettings:
    """Gives what connects to the stand-in."""
    names = {"permission_set": PERMISSION_SET, **changes}
    return SalesforceSettings(instance_url=URL, client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET), **names)  # type: ignore[arg-type]


class SalesforceWorld:
    """The stand-in, and a connector that lists ten deals a page."""

    keeps_fields = True
    specs = (
        FieldSpec("Lossnlp_Primary_Reason__c", "Primary loss reason", "choice", REASONS),
        FieldSpec("Lossnlp_Contributing_Reasons__c", "Contributing loss reasons", "choices", REASONS),
        FieldSpec("Lossnlp_Rival__c", "Rival", "text"),
        FieldSpec("Lossnlp_Confidence__c", "Confidence", "number"),
        FieldSpec("Lossnlp_Revisit_On__c", "Come back on", "date"),
        FieldSpec("Lossnlp_Assessed_At__c", "Assessed at", "moment"),
        FieldSpec("Lossnlp_External_Only__c", "Only outside factors", "flag"),
    )
    deal_fields: Mapping[DealField, str] = {
        "team": "Owner.UserRole.Name",
        "region": "Region__c",
        "product": "Offer__c",
        "segment": "Account.Industry",
    }

    def __init__(self, settings: SalesforceSettings | None = None, *, page_size: int = 10) -> None:
        self.fake = SalesforceFake()
        self.fake.tables["Opportunity"] |= dict.fromkeys(self.deal_fields.values(), "string")
        self._settings, self._page_size = settings or org_settings(), page_size
        self.slept: list[float] = []
        self.crm = self.reading({})

    def reading(self, deal_fields: DealFieldNames) -> Salesforce:
        transport = httpx2.WSGITransport(self.fake)
        crm = connect_org(self._settings, deal_fields=deal_fields, transport=transport, page_size=self._page_size)
        crm.org.http.sleep = self.slept.append
        return crm

    def add_lost(self, deal: SeenDeal) -> str:
        added = self._add(deal.name, "Closed Lost", is_closed=True, deal=deal)
        self.fake.rows["Opportunity"][added]["LastModifiedDate"] = f"{deal.closed_on}T09:30:00.000+0000"
        day = deal.closed_on.isoformat()
        for note in deal.notes:
            self.fake.add("Task", WhatId=added, TaskSubtype="Task", Description=note, ActivityDate=day)
        for call in deal.calls:
            self.fake.add("Task", WhatId=added, TaskSubtype="Call", Description=call, ActivityDate=day)
        for mail in deal.mails:
            self.fake.add("EmailMessage", RelatedToId=added, TextBody=mail, MessageDate=f"{day}T10:00:00.000+0000")
        return added

    def add_open(self, name: str) -> str:
        return self._add(name, "Negotiation", is_closed=False)

    def add_won(self, name: str) -> str:
        return self._add(name, "Closed Won", is_closed=True)

    def _add(self, name: str, stage: str, *, is_closed: bool, deal: SeenDeal | None = None) -> str:
        seen = deal or SeenDeal(name)
        values = {"Description": seen.note, "Amount": seen.amount, "CloseDate": seen.closed_on.isoformat()}
        names = {"Name": name, "StageName": stage, "Account.Name": seen.account, "Owner.Name": "Ada Rep"}
        names |= {self.deal_fields[ours]: value for ours, value in seen.told.items()}
        return self.fake.add("Opportunity", **values, **names, IsClosed=is_closed, IsWon=is_closed and deal is None)

    def set_by_person(self, deal_id: str, fields: Fields) -> None:
        self.fake.change(deal_id, dict(fields))

    def get_fields(self, deal_id: str) -> Fields:
        row = self.fake.rows["Opportunity"][deal_id]
        return {name: row.get(name) for name in self.fake.visible()}

    def delete(self, deal_id: str) -> None:
        self.fake.delete("Opportunity", deal_id)


@contextmanager
def salesforce_world() -> Iterator[SalesforceWorld]:
    """Gives a fresh org."""
    yield SalesforceWorld()
