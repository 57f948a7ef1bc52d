"""What a Salesforce deal holds in text, as documents of the published contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.crm.plain_text import read_html
from serving.crm.tasks import is_our_task

Row = dict[str, Any]
TASK_FIELDS = ("Id", "WhatId", "TaskSubtype", "Subject", "Description", "ActivityDate", "CreatedDate")
EVENT_FIELDS = ("Id", "WhatId", "Description", "ActivityDate", "CreatedDate")
MAIL_FIELDS = (
    "Id",
    "RelatedToId",
    "ActivityId",
    "FromName",
    "FromAddress",
    "Subject",
    "TextBody",
    "HtmlBody",
    "MessageDate",
    "CreatedDate",
)
_MAILS = ("Email", "ListEmail")
_MOST_CALLS = 190


def documents(deal: Row, tasks: Sequence[Row], events: Sequence[Row], mails: Sequence[Row]) -> list[Row]:
    """Gives the documents of one deal.

    Description, next step and plain tasks are the seller's note; calls and events are one document each, of which the
    latest 190; mails are one thread. A mail that Salesforce keeps as a task as well comes once, a task of our own not at all.
    """
    tasks = [task for task in tasks if not is_our_task(task.get("Subject"))]
    kept_twice = {mail.get("ActivityId") for mail in mails}
    sent = [task for task in tasks if task.get("TaskSubtype") in _MAILS and task["Id"] not in kept_twice]
    spoken = [*(task for task in tasks if task.get("TaskSubtype") == "Call"), *events]
    jotted = [task for task in tasks if task.get("TaskSubtype") not in ("Call", *_MAILS)]
    parts = [deal.get("Description"), deal.get("NextStep"), *(row.get("Description") for row in _by_time(jotted))]
    calls = [call for row in _by_time(spoken) for call in _call(row)]
    return [*_note(parts), *calls[-_MOST_CALLS:], *_thread([*sent, *mails])]


def _note(parts: Sequence[str | None]) -> list[Row]:
    text = "\n\n".join(part.strip() for part in parts if part and part.strip())
    return [{"id": "note", "kind": "rep_note", "text": text}] if text else []


def _call(row: Row) -> list[Row]:
    text = str(row.get("Description") or "").strip()
    return [{"id": row["Id"], "kind": "call_transcript", "text": text, "recorded_at": _day(row)}] if text else []


def _thread(rows: Sequence[Row]) -> list[Row]:
    told = [(row, body) for row in _by_time(rows) if (body := _body(row))]
    if not told:
        return []
    text = "\n\n".join(f"{_head(row)}\n\n{body}" for row, body in told)
    return [{"id": "mails", "kind": "email_thread", "text": text, "recorded_at": _day(told[-1][0])}]


def _head(row: Row) -> str:
    lines = (
        ("From", row.get("FromName") or row.get("FromAddress")),
        ("Date", _day(row)),
        ("Subject", row.get("Subject")),
    )
    return "\n".join(f"{name}: {value}" for name, value in lines if value)


def _body(row: Row) -> str:
    plain = str(row.get("TextBody") or row.get("Description") or "").strip()
    return plain or read_html(row.get("HtmlBody"))


def _moment(row: Row) -> str:
    return str(row.get("MessageDate") or row.get("ActivityDate") or row["CreatedDate"])


def _day(row: Row) -> str:
    return _moment(row)[:10]


def _by_time(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (_moment(row), str(row["CreatedDate"]), row["Id"]))
