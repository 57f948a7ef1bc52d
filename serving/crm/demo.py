"""The demo CRM: lost deals that ship with the product, and fields that can be written and read like a real CRM's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import Any

from serving.crm.protocol import FieldChange, Fields, SendResult
from serving.settings import Settings

STATE_FILE = "demo-crm.json"
SELLER = "Ovelia"


def connect(settings: Settings) -> DemoCrm:
    """Gives the demo CRM whose fields are kept under `var_dir`, so that a later command still finds them."""
    return DemoCrm(settings.var_dir / STATE_FILE)


class DemoCrm:
    """A small CRM in memory.

    Args:
        state_path: File that keeps the written fields between runs; None forgets them with the object.
    """

    name = "demo"

    def __init__(self, state_path: Path | None = None) -> None:
        self._deals = list(_read_demo_deals())
        self._state_path = state_path
        self._fields: dict[str, Fields] = {deal["deal"]["id"]: deal.get("crm_fields", {}) for deal in self._deals}
        self._lock = Lock()

    def fetch_lost_deals(self, since: datetime | None = None) -> Iterator[dict[str, Any]]:
        """Gives the demo deals as requests, oldest first."""
        for deal in sorted(self._deals, key=lambda deal: str(deal["deal"]["closed_at"])):
            if since is None or date.fromisoformat(deal["deal"]["closed_at"]) >= since.date():
                yield {"deal": deal["deal"], "documents": deal["documents"]}

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        """Gives the fields of the deals that the demo holds."""
        with self._lock:
            fields = self._read_fields()
            return {deal_id: dict(fields[deal_id]) for deal_id in deal_ids if deal_id in fields}

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Gives one result a change; a deal that the demo does not hold is refused."""
        with self._lock:
            fields = self._read_fields()
            results = [_apply(change, fields) for change in changes]
            self._write_fields(fields)
            return results

    def set_by_person(self, deal_id: str, values: Fields) -> None:
        """Sets fields as a person working in the CRM would."""
        self.send_fields([FieldChange(deal_id, values)])

    def _read_fields(self) -> dict[str, Fields]:
        if self._state_path is None or not self._state_path.exists():
            return self._fields
        saved: dict[str, Fields] = json.loads(self._state_path.read_text(encoding="utf-8"))
        return self._fields | saved

    def _write_fields(self, fields: dict[str, Fields]) -> None:
        self._fields = fields
        if self._state_path is not None:
            self._state_path.parent.mkdir(parents=True, exist_ok=True)
            part = self._state_path.with_suffix(".part")
            part.write_text(json.dumps(fields, indent=1), encoding="utf-8")
            part.replace(self._state_path)


def _apply(change: FieldChange, fields: dict[str, Fields]) -> SendResult:
    if change.deal_id not in fields:
        return SendResult(change.deal_id, error="deal_not_found")
    merged = fields[change.deal_id] | dict(change.values)
    fields[change.deal_id] = {name: value for name, value in merged.items() if value is not None}
    return SendResult(change.deal_id)


def _read_demo_deals() -> Iterator[dict[str, Any]]:
    lines = resources.files("serving.crm").joinpath("demo_deals.jsonl").read_text(encoding="utf-8").splitlines()
    return (json.loads(line) for line in lines if line)
