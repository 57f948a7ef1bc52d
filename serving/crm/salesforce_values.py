"""Salesforce's values: rows as fields, changes as records, and what the org says of each record."""

from __future__ import annotations

import re
from datetime import datetime

from serving.crm.protocol import FieldChange, Fields, FieldValue, SendResult
from serving.crm.salesforce_org import DEAL, NAME, Row, codes, find_cause, is_passing

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
# A trigger or flow that fails marks every record of its call, the guilty and the others
_SHARED = frozenset({"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER", "UNKNOWN_EXCEPTION"})


def is_shared_fault(answer: Row) -> bool:
    """Says whether the fault of a record may be that of another one in the same call.

    Source: Apex Developer Guide, "Trigger Exceptions".
    """
    return bool(_SHARED & set(codes(answer.get("errors"))))


def read_fields(row: Row) -> Fields:
    """Gives the fields of a row that are not empty; a box that is not ticked counts as empty."""
    values = {name: read_value(value) for name, value in row.items() if isinstance(value, str | float | int)}
    return {name: value for name, value in values.items() if value != "" and value is not False}


def read_value(value: str | float) -> FieldValue:
    """Gives a value as the protocol writes it: moments in UTC, as in `2026-11-20T10:00:00+00:00`."""
    if not isinstance(value, str):
        return value
    if _MOMENT.fullmatch(value):
        return datetime.fromisoformat(value).isoformat(timespec="seconds")
    return value.replace("\r\n", "\n")


def to_record(change: FieldChange, flags: set[str]) -> Row:
    """Gives a change as the collections call takes it; of the fields in `flags` an empty one is unticked."""
    values = {name: False if value is None and name in flags else value for name, value in change.values.items()}
    return {"attributes": {"type": DEAL}, "id": change.deal_id, **values}


def read_result(change: FieldChange, answer: Row) -> SendResult:
    """Gives what became of a change."""
    if answer["success"]:
        return SendResult(change.deal_id)
    errors = answer["errors"]
    return SendResult(change.deal_id, find_cause(errors) or f"{NAME} refused it", is_retryable=is_passing(errors))
