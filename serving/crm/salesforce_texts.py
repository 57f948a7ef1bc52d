"""What a Salesforce deal holds in text, as documents of the published contract."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

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
_UNSEEN = {"head", "script", "style", "title"}
_BLOCKS = {"blockquote", "br", "div", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "table", "tr", "ul"}


def documents(deal: Row, tasks: Sequence[Row], events: Sequence[Row], mails: Sequence[Row]) -> list[Row]:
    """Gives the documents of one deal.

    Description, next step and plain tasks are the seller's note; calls and events are one document each, of which the
    latest 190; mails are one thread. A mail that Salesforce keeps as a task as well comes once.
    """
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
    return plain or plain_text(str(row.get("HtmlBody") or ""))


def _moment(row: Row) -> str:
    return str(row.get("MessageDate") or row.get("ActivityDate") or row["CreatedDate"])


def _day(row: Row) -> str:
    return _moment(row)[:10]


def _by_time(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (_moment(row), str(row["CreatedDate"]), row["Id"]))


def plain_text(html: str) -> str:
    """Gives the words of an HTML page, a line a block."""
    reader = _Words()
    reader.feed(html)
    reader.close()
    lines = [re.sub(r"[ \t\xa0]+", " ", line).strip() for line in "".join(reader.parts).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Words(HTMLParser):
    """Gathers what a reader of the page would see."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (the parser's signature)
        self._unseen += tag in _UNSEEN
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN and self._unseen > 0
        if tag in _BLOCKS - {"br"}:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(re.sub(r"\s+", " ", data))
