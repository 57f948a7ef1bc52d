"""A CRM to hold a connector against: what people do in it, beside what the connector does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from serving.crm.deal_fields import DealField, DealFieldNames
from serving.crm.protocol import Choice, Crm, Fields, FieldSpec

CHOICES = (Choice("price", "Price"), Choice("budget", "Budget"))
# One field of each kind, under our own names
SPECS = (
    FieldSpec("lossnlp_primary_reason", "Primary loss reason", "choice", CHOICES),
    FieldSpec("lossnlp_contributing_reasons", "Contributing loss reasons", "choices", CHOICES),
    FieldSpec("lossnlp_rival", "Rival", "text"),
    FieldSpec("lossnlp_confidence", "Confidence", "number"),
    FieldSpec("lossnlp_revisit_on", "Come back on", "date"),
    FieldSpec("lossnlp_assessed_at", "Assessed at", "moment"),
    FieldSpec("lossnlp_external_only", "Only outside factors", "flag"),
)


@dataclass(frozen=True)
class SeenDeal:
    """A lost deal as people have entered it.

    Args:
        name: Unique in the world.
        note: What stands in the deal's own notes field, or None.
        notes: Notes or comments logged on it.
        calls: Bodies of logged calls.
        mails: Bodies of logged mails.
        closed_on: Day it was closed as lost.
        amount: In `currency`.
        currency: ISO 4217 code.
        account: The buying company.
        told: What stands in the fields of `World.deal_fields`, by our name.
    """

    name: str
    note: str | None = None
    notes: Sequence[str] = ()
    calls: Sequence[str] = ()
    mails: Sequence[str] = ()
    closed_on: date = date(2026, 11, 2)
    amount: float | None = 42_000.0
    currency: str = "EUR"
    account: str = "Nordwind Logistics"
    told: Mapping[DealField, str] = field(default_factory=dict)


class World(Protocol):
    """A running CRM, real or a fake that ships with the tests, and a connector to it.

    Args:
        crm: The connector under test.
        specs: Fields in the CRM's own naming rules, one of each kind that it has; the first is a `choice` of price and budget.
        keeps_fields: Whether the CRM can hold fields of ours.
        deal_fields: The CRM's name of a field that people fill, for each of team, region, product and segment that it can hold.
    """

    crm: Crm
    specs: Sequence[FieldSpec]
    keeps_fields: bool
    deal_fields: Mapping[DealField, str]

    def reading(self, deal_fields: DealFieldNames) -> Crm:
        """Gives another connector to the same CRM, of a company that names these fields."""

    def add_lost(self, deal: SeenDeal) -> str:
        """Gives the id of a new lost deal."""

    def add_open(self, name: str) -> str:
        """Gives the id of a new deal that is not closed."""

    def add_won(self, name: str) -> str:
        """Gives the id of a new deal that was won."""

    def set_by_person(self, deal_id: str, fields: Fields) -> None:
        """Sets fields as a person in the CRM would."""

    def get_fields(self, deal_id: str) -> Fields:
        """Gives what really stands in the CRM."""

    def delete(self, deal_id: str) -> None:
        """Deletes the deal, as a person would."""
