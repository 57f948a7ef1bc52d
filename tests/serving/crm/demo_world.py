"""The demo CRM as a world to test a connector in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from serving.crm.deal_fields import DealField, DealFieldNames
from serving.crm.demo import DemoCrm
from serving.crm.protocol import Choice, Fields, FieldSpec
from tests.serving.crm.worlds import SeenDeal


class DemoWorld:
    """The demo CRM without the deals that ship; open and won deals never stand in it."""

    keeps_fields = True
    specs = (
        FieldSpec("primary_reason", "Reason", "choice", (Choice("price", "Price"), Choice("budget", "Budget"))),
        FieldSpec("rival", "Rival", "text"),
    )
    deal_fields: Mapping[DealField, str] = {"team": "squad", "region": "area", "product": "offer", "segment": "size"}

    def __init__(self) -> None:
        self._held: list[dict[str, Any]] = []
        self.crm = DemoCrm(deals=self._held)
        self._count = 0

    def reading(self, deal_fields: DealFieldNames) -> DemoCrm:
        return DemoCrm(deals=self._held, deal_fields=deal_fields)

    def add_lost(self, deal: SeenDeal) -> str:
        self._count += 1
        deal_id = f"D-{self._count}"
        fields = {
            "id": deal_id,
            "closed_at": deal.closed_on.isoformat(),
            "amount": deal.amount,
            "account": deal.account,
        }
        told = {self.deal_fields[ours]: value for ours, value in deal.told.items()}
        self._held.append({"deal": fields, "documents": list(_documents(deal)), "crm_fields": told})
        self.crm.add_deal(self._held[-1])
        self.crm.set_by_person(deal_id, dict(told))
        return deal_id

    def add_open(self, name: str) -> str:
        return name

    def add_won(self, name: str) -> str:
        return name

    def set_by_person(self, deal_id: str, fields: Fields) -> None:
        self.crm.set_by_person(deal_id, fields)

    def get_fields(self, deal_id: str) -> Fields:
        return self.crm.fetch_fields([deal_id])[deal_id]

    def delete(self, deal_id: str) -> None:
        self.crm.delete_deal(deal_id)


def _documents(deal: SeenDeal) -> Iterator[dict[str, Any]]:
    notes = [part for part in (deal.note, *deal.notes) if part]
    if notes:
        yield {"id": "note", "kind": "rep_note", "text": "\n\n".join(notes)}
    for kind, texts in (("call_transcript", deal.calls), ("email_thread", deal.mails)):
        for number, text in enumerate(texts, start=1):
            yield {"id": f"{kind}-{number}", "kind": kind, "text": text}


@contextmanager
def demo_world() -> Iterator[DemoWorld]:
    """Gives a fresh demo CRM."""
    yield DemoWorld()
