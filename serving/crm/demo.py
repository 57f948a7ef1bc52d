"""The demo CRM: lost deals that ship with the product, and fields that can be written and read like a real CRM's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import Any

from serving.crm.deal_fields import DealFieldNames, DealFields
from serving.crm.fields import read_words
from serving.crm.protocol import (
    Choice,
    CrmError,
    FieldChange,
    Fields,
    FieldSpec,
    FieldValue,
    LostPage,
    SendResult,
    SetupStep,
)
from serving.crm.tasks import marked_subject
from serving.settings import Settings

STATE_FILE = "demo-crm.json"
TASKS_FILE = "demo-crm-tasks.jsonl"
SELLER = "Ovelia"
_NATURAL: DealFieldNames = {"team": "team", "region": "region", "product": "product", "segment": "segment"}
_PAGE = 10


def connect(settings: Settings) -> DemoCrm:
    """Gives the demo CRM whose fields are kept under `var_dir`, so that a later command still finds them.

    Raises:
        ConfigurationError: The mapping file cannot be used.
    """
    return DemoCrm(settings.var_dir / STATE_FILE, deal_fields=read_words(settings.crm_words).deal_fields)


class DemoCrm:
    """A small CRM in memory. Until it is set up it takes any field; of those it was set up with it checks the choices.

    Args:
        state_path: File that keeps the written fields between runs; None forgets them with the object.
        deals: Lost deals as requests, each with its `crm_fields`; None takes those that ship.
        deal_fields: Fields that hold team, region, product and segment; None takes what the requests hold.
    """

    name = "demo"
    at_once = 100
    writes_at_once = 100

    def __init__(
        self,
        state_path: Path | None = None,
        deals: Sequence[dict[str, Any]] | None = None,
        *,
        deal_fields: DealFieldNames | None = None,
    ) -> None:
        self._deal_fields = DealFields("The demo", deal_fields or {}, _NATURAL)
        self._deals = list(_read_demo_deals() if deals is None else deals)
        self._specs: dict[str, FieldSpec] = {}
        self._state_path = state_path
        self._fields: dict[str, Fields] = {deal["deal"]["id"]: deal.get("crm_fields", {}) for deal in self._deals}
        self._lock = Lock()
        self.tasks: list[dict[str, str]] = []

    def find_lost(self, since: datetime | None = None, *, cursor: str | None = None) -> LostPage:
        """Gives the ids of the demo deals, oldest first, a page at a time."""
        lost = sorted(self._deals, key=lambda deal: (str(deal["deal"]["closed_at"]), str(deal["deal"]["id"])))
        ids = [
            str(deal["deal"]["id"])
            for deal in lost
            if since is None or date.fromisoformat(deal["deal"]["closed_at"]) >= since.date()
        ]
        low = int(cursor or 0)
        return LostPage(tuple(ids[low : low + _PAGE]), cursor=str(low + _PAGE) if low + _PAGE < len(ids) else None)

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Gives the deals that the demo holds as requests."""
        held = {str(deal["deal"]["id"]): deal for deal in self._deals}
        with self._lock:
            fields = self._read_fields()
        self._deal_fields.leave_out(self._unknown(fields))
        return {
            deal_id: {
                "deal": self._head(held[deal_id]["deal"], fields.get(deal_id, {})),
                "documents": held[deal_id]["documents"],
            }
            for deal_id in deal_ids
            if deal_id in held
        }

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        """Gives the fields of the deals that the demo holds."""
        with self._lock:
            fields = self._read_fields()
            return {deal_id: dict(fields[deal_id]) for deal_id in deal_ids if deal_id in fields}

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Gives one result a change; a deal that the demo does not hold is refused."""
        with self._lock:
            fields = self._read_fields()
            results = [_apply(change, fields, self._specs) for change in changes]
            self._write_fields(fields)
            return results

    def plan_setup(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what is missing, a step a field."""
        return [_step(field, self._specs.get(field.name)) for field in fields]

    def set_up(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives what was added; no choice is ever taken away."""
        steps = self.plan_setup(fields)
        for field in fields:
            had = self._specs.get(field.name)
            choices = (*(had.choices if had else ()), *_missing(field, had))
            self._specs[field.name] = replace(field, choices=choices)
        return steps

    def add_task(self, deal_id: str, due_on: date, *, subject: str, text: str) -> str:
        """Gives the number of a new task on a deal; tasks stand in a file beside the fields.

        Raises:
            CrmError: The demo does not hold the deal.
        """
        with self._lock:
            if deal_id not in self._read_fields():
                raise CrmError("The demo does not hold this deal.")
            task = {"deal_id": deal_id, "due_on": f"{due_on}", "subject": marked_subject(subject), "text": text}
            self.tasks.append(task)
            if self._state_path is not None:
                with self._state_path.with_name(TASKS_FILE).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(task) + "\n")
            return str(len(self.tasks))

    def add_deal(self, request: dict[str, Any]) -> None:
        """Takes a lost deal in, as a request."""
        with self._lock:
            self._deals.append(request)
            self._write_fields(self._read_fields() | {str(request["deal"]["id"]): {}})

    def delete_deal(self, deal_id: str) -> None:
        """Forgets a deal and its fields."""
        with self._lock:
            self._deals = [deal for deal in self._deals if deal["deal"]["id"] != deal_id]
            self._write_fields({held: fields for held, fields in self._read_fields().items() if held != deal_id})

    def set_by_person(self, deal_id: str, values: Fields) -> None:
        """Sets fields as a person working in the CRM would."""
        self.send_fields([FieldChange(deal_id, values)])

    def _head(self, deal: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
        """Gives a deal's own fields, of team, region, product and segment those that are named."""
        plain = {name: value for name, value in deal.items() if name not in _NATURAL}
        return plain | self._deal_fields.read(lambda name: [fields.get(name, deal.get(name))])

    def _unknown(self, fields: Mapping[str, Fields]) -> set[str]:
        """Gives the named fields that the demo was not set up with and that no deal holds."""
        known = {*_NATURAL, *self._specs, *(name for held in fields.values() for name in held)}
        return set(self._deal_fields.names) - known

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


def _apply(change: FieldChange, fields: dict[str, Fields], specs: Mapping[str, FieldSpec]) -> SendResult:
    if change.deal_id not in fields:
        return SendResult(change.deal_id, error="deal_not_found")
    for name, value in change.values.items():
        if name in specs and not _is_allowed(value, specs[name]):
            return SendResult(change.deal_id, error=f"{name}: not one of its choices")
    merged = fields[change.deal_id] | dict(change.values)
    fields[change.deal_id] = {name: value for name, value in merged.items() if value is not None}
    return SendResult(change.deal_id)


def _is_allowed(value: FieldValue, spec: FieldSpec) -> bool:
    if value is None or not spec.choices:
        return True
    parts = str(value).split(";") if spec.kind == "choices" else [str(value)]
    return set(parts) <= {choice.value for choice in spec.choices}


def _missing(field: FieldSpec, had: FieldSpec | None) -> tuple[Choice, ...]:
    held = {choice.value for choice in had.choices} if had else set()
    return tuple(choice for choice in field.choices if choice.value not in held)


def _step(field: FieldSpec, had: FieldSpec | None) -> SetupStep:
    if had is None:
        return SetupStep(field.name, "create")
    missing = ", ".join(choice.value for choice in _missing(field, had))
    return SetupStep(field.name, "add choices" if missing else "stands", missing)


def _read_demo_deals() -> Iterator[dict[str, Any]]:
    lines = resources.files("serving.crm").joinpath("demo_deals.jsonl").read_text(encoding="utf-8").splitlines()
    return (json.loads(line) for line in lines if line)
