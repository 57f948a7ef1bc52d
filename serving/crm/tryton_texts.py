"""What stands on a Tryton deal and on what hangs on it, as a request of the published contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from serving.crm.plain_text import read_html
from serving.crm.tryton_kept import is_our_note, read_kept

Row = dict[str, Any]
DEAL_FIELDS = (
    "state",
    "end_date",
    "amount",
    "currency.code",
    "employee.rec_name",
    "party.rec_name",
    "comment",
    "lost_reason",
    "notes.message",
    "notes.create_date",
)
MAIL_FIELDS = ("resource", "user", "at", "subject", "body")
_MAX_LABEL = 60


def read_request(deal: Row, mails: Sequence[Row], reason_field: str) -> dict[str, Any]:
    """Gives a deal as a request; what we wrote ourselves is left out.

    Args:
        deal: The values of `DEAL_FIELDS`.
        mails: Those of `MAIL_FIELDS` of each mail sent from the deal, oldest first.
        reason_field: Name of the field that leads our reason for loss.
    """
    kept = read_kept(deal["lost_reason"], deal["notes"], reason_field)
    reason = "" if kept.is_line_ours else kept.line
    is_label = len(reason) <= _MAX_LABEL and "\n" not in reason
    known = {
        "id": str(deal["id"]),
        "closed_at": plain(deal["end_date"]),
        "stated_reason": reason if is_label else "",
        "stage": deal.get("state"),
        "amount": _find_amount(deal.get("amount")),
        "currency": (deal.get("currency") or {}).get("code"),
        "owner": (deal.get("employee") or {}).get("rec_name"),
        "account": (deal.get("party") or {}).get("rec_name"),
    }
    own = [] if is_label else [reason]
    return {
        "deal": {name: value for name, value in known.items() if value not in (None, "")},
        "documents": [*_read_note(deal, own), *_read_mails(mails)],
    }


def plain(value: object) -> object:
    """Gives a day or moment of Tryton's as ISO 8601 and a decimal as a float; all else as it is.

    Source: Tryton, the JSON encoder of its REST and JSON-RPC protocols.
    """
    if not isinstance(value, dict):
        return value
    kind = value.get("__class__")
    if kind == "Decimal":
        return float(value["decimal"])
    if kind == "date":
        return date(value["year"], value["month"], value["day"]).isoformat()
    if kind == "datetime":
        parts = (value[part] for part in ("year", "month", "day", "hour", "minute", "second"))
        return datetime(*parts).isoformat()  # noqa: DTZ001 - Tryton's moments are in UTC, without saying so
    return value


def tagged(moment: datetime) -> dict[str, object]:
    """Gives a moment in UTC as Tryton reads it."""
    parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{part: getattr(moment, part) for part in parts}}


def tagged_day(day: date) -> dict[str, object]:
    """Gives a day as Tryton reads it."""
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def _read_note(deal: Row, own: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Gives all that the seller wrote as one document; its day is known where all of it is of one day."""
    notes = sorted((note for note in deal["notes"] if not is_our_note(note["message"])), key=lambda note: note["id"])
    undated = [text for part in (deal["comment"], *own) if (text := (part or "").strip())]
    dated = [(_day(note["create_date"]), text) for note in notes if (text := (note["message"] or "").strip())]
    days = {day for day, _ in dated} | ({None} if undated else set())
    text = "\n\n".join([*undated, *(text for _, text in dated)])
    if text:
        yield _document("note", "rep_note", text, days.pop() if len(days) == 1 else None)


def _read_mails(mails: Sequence[Row]) -> Iterator[dict[str, Any]]:
    told = [(mail, body) for mail in mails if (body := read_html(mail["body"]))]
    if told:
        text = "\n\n".join(f"{_mail_head(mail)}\n\n{body}" for mail, body in told)
        yield _document("mails", "email_thread", text, _day(told[-1][0]["at"]))


def _mail_head(mail: Row) -> str:
    at = str(plain(mail["at"]) or "")[:16].replace("T", " ")
    known = {"From": mail["user"] or "", "Date": at, "Subject": mail["subject"] or ""}
    return "\n".join(f"{name}: {' '.join(value.split())}" for name, value in known.items() if value.strip())


def _document(name: str, kind: str, text: str, day: str | None) -> dict[str, Any]:
    return {"id": name, "kind": kind, **({"recorded_at": day} if day else {}), "text": text}


def _day(moment: object) -> str | None:
    return str(plain(moment))[:10] if moment else None


def _find_amount(value: object) -> float | None:
    """Gives an amount that a request may hold; Tryton also keeps negative ones."""
    amount = plain(value)
    return amount if isinstance(amount, float) and 0 <= amount < float("inf") else None
