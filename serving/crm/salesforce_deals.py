"""The fields of Salesforce's deals that a request holds: those that every org has, and those that a company has named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from serving.crm.deal_fields import MAX_LABEL, DealFieldNames, DealFields, walk
from serving.crm.http import CrmCallError
from serving.crm.salesforce_org import DEAL, NAME, Org, Row, codes, is_one_of, select

LOST = ("IsClosed = true", "IsWon = false")
_FIELDS = ("Id", "CloseDate", "StageName", "Amount", "Description", "NextStep", "Account.Name", "Owner.Name")
_CURRENCY = "CurrencyIsoCode"


class DealQuery:
    """Reads the lost deals of one org.

    Args:
        org: The org.
        stated_reason: API name of the field in which sellers say why they lost, or None.
        deal_fields: API names of the fields that hold team, region, product and segment, or their paths through lookups.
    """

    def __init__(self, org: Org, *, stated_reason: str | None, deal_fields: DealFieldNames) -> None:
        self._org, self._stated_reason = org, stated_reason
        self._deal_fields = DealFields(NAME, deal_fields)

    def fetch(self, ids: Sequence[str]) -> dict[str, Row]:
        """Gives the deals among the ids that are lost, by the first 15 characters of their ids; one call.

        A field of the company's that the org does not show is asked for no longer.

        Raises:
            CrmError: The CRM cannot be read.
        """
        self._leave_out_undescribed()
        try:
            return self._fetch(ids)
        except CrmCallError as error:
            if "INVALID_FIELD" not in codes(error.answer) or not self._leave_out_refused():
                raise
        return self._fetch(ids)

    def head(self, row: Row) -> dict[str, Any]:
        """Gives the fields of a deal that a request holds, but for its id and those that it has not."""
        head = {
            "closed_at": row["CloseDate"],
            "stated_reason": _label(row.get(self._stated_reason or "")),
            "stage": row["StageName"],
            "amount": row["Amount"] if (row["Amount"] or 0) >= 0 else None,
            "currency": row.get(_CURRENCY),
            "owner": (row["Owner"] or {}).get("Name"),
            "account": (row["Account"] or {}).get("Name"),
            **self._deal_fields.read(lambda name: self._shown(row, name)),
        }
        return {name: value for name, value in head.items() if value is not None}

    def _fetch(self, ids: Sequence[str]) -> dict[str, Row]:
        extra = [self._stated_reason] if self._stated_reason else []
        extra += [_CURRENCY] if _CURRENCY in self._org.get_fields() else []
        # SOQL takes no field twice, however it is spelled
        fields = {name.lower(): name for name in (*self._deal_fields.names, *extra, *_FIELDS)}
        rows = self._org.find_rows(select(list(fields.values()), DEAL, [is_one_of("Id", ids), *LOST]))
        return {row["Id"][:15]: row for row in rows}

    def _shown(self, row: Row, name: str) -> Iterator[object]:
        """Gives what people see in a field: the labels of a picklist; of several choices each."""
        described = self._org.get_fields().get(name, {})
        labels = {entry["value"]: entry["label"] for entry in described.get("picklistValues") or ()}
        for value in walk(row, name):
            parts = value.split(";") if labels and isinstance(value, str) else [value]
            yield from (labels.get(part, part) for part in parts)

    def _leave_out_undescribed(self, *, fresh: bool = False) -> int:
        """Gives how many fields are left out because the org does not describe them by exactly this name."""
        described = self._org.get_fields(fresh=fresh)
        lacking = [name for name in self._deal_fields.names if "." not in name and name not in described]
        self._deal_fields.leave_out(lacking)
        return len(lacking)

    def _leave_out_refused(self) -> int:
        """Gives how many fields are left out after a query was refused for one: no description tells of those of other records."""
        refused = [name for name in self._deal_fields.names if "." in name and self._is_refused(name)]
        self._deal_fields.leave_out(refused)
        return len(refused) + self._leave_out_undescribed(fresh=True)

    def _is_refused(self, name: str) -> bool:
        try:
            self._org.find_page(select((name,), DEAL, LOST, "LIMIT 1"))
        except CrmCallError as error:
            if "INVALID_FIELD" not in codes(error.answer):
                raise
            return True
        return False


def _label(stated: object) -> str | None:
    """Gives a stated reason of a length that a picklist has; whole stories stand in the notes."""
    return stated if isinstance(stated, str) and len(stated) <= MAX_LABEL else None
