"""What stands on a HubSpot deal and on what was logged with it, as a request of the published contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lossnlp.deal import MAX_DOCUMENTS
from serving.crm.plain_text import read_html

Properties = Mapping[str, str | None]

DEAL_PROPERTIES = (
    "hs_is_closed_lost",
    "dealstage",
    "closedate",
    "amount",
    "deal_currency_code",
    "closed_lost_reason",
    "description",
    "hubspot_owner_id",
)
ACTIVITY_PROPERTIES: dict[str, tuple[str, ...]] = {
    "notes": ("hs_timestamp", "hs_note_body"),
    "calls": ("hs_timestamp", "hs_call_body"),
    "meetings": ("hs_timestamp", "hs_meeting_body", "hs_internal_meeting_notes"),
    "emails": (
        "hs_timestamp",
        "hs_email_subject",
        "hs_email_text",
        "hs_email_html",
        "hs_email_from_email",
        "hs_email_from_firstname",
        "hs_email_from_lastname",
    ),
}
_MAX_LABEL = 300


def read_request(deal_id: str, deal: Properties, activities: Mapping[str, Sequence[Properties]]) -> dict[str, Any]:
    """Gives a deal as a request.

    Args:
        deal_id: HubSpot's id.
        deal: The values of `DEAL_PROPERTIES`.
        activities: For each kind of `ACTIVITY_PROPERTIES` what is logged on the deal, in any order.

    Returns:
        The fields that HubSpot knows, and the documents; none where nothing is written.
    """
    sorted_ones = {kind: sorted(found, key=_moment_and_id) for kind, found in activities.items()}
    return {"deal": {"id": deal_id, **_read_deal(deal)}, "documents": list(_read_documents(deal, sorted_ones))}


def _read_deal(deal: Properties) -> dict[str, Any]:
    known = {
        "closed_at": _find_day(deal.get("closedate")),
        "stated_reason": (deal.get("closed_lost_reason") or "")[:_MAX_LABEL].strip(),
        "stage": deal.get("dealstage"),
        "amount": _find_amount(deal.get("amount")),
        "currency": deal.get("deal_currency_code"),
        "owner": deal.get("hubspot_owner_id"),
    }
    return {name: value for name, value in known.items() if value not in (None, "")}


def _read_documents(deal: Properties, activities: Mapping[str, Sequence[Properties]]) -> Iterator[dict[str, Any]]:
    notes = [(note, read_html(note.get("hs_note_body"))) for note in activities.get("notes", ())]
    own = [text for text in _read_own_words(deal) if text]
    yield from _one_document("note", "rep_note", [*own, *(text for _, text in notes)], [note for note, _ in notes], own)
    talks = [*_read_talks(activities, "calls", "hs_call_body")]
    talks += _read_talks(activities, "meetings", "hs_meeting_body", "hs_internal_meeting_notes")
    yield from talks[-(MAX_DOCUMENTS - 2) :]
    mails = activities.get("emails", ())
    last = mails[-1:]
    yield from _one_document("mails", "email_thread", [_read_mail(mail) for mail in mails], last, [])


def _read_own_words(deal: Properties) -> Iterator[str]:
    """Gives what the seller wrote on the deal itself; a reason too long for a label is a note."""
    yield (deal.get("description") or "").strip()
    reason = (deal.get("closed_lost_reason") or "").strip()
    yield reason if len(reason) > _MAX_LABEL else ""


def _one_document(
    name: str, kind: str, texts: Sequence[str], dated: Sequence[Properties], undated: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Gives the texts as one document, none where all are empty; its day is known where all of it is of one day."""
    text = "\n\n".join(part for part in texts if part)
    days = {_find_day(one.get("hs_timestamp")) for one in dated} | ({None} if undated else set())
    if text:
        yield _document(name, kind, text, days.pop() if len(days) == 1 else None)


def _read_talks(activities: Mapping[str, Sequence[Properties]], kind: str, *names: str) -> Iterator[dict[str, Any]]:
    for talk in activities.get(kind, ()):
        text = "\n\n".join(part for name in names if (part := read_html(talk.get(name))))
        if text:
            name = f"{kind.removesuffix('s')}-{talk.get('hs_object_id')}"
            yield _document(name, "call_transcript", text, _find_day(talk.get("hs_timestamp")))


def _read_mail(mail: Properties) -> str:
    """Gives a mail with the header lines that are known, empty where it says nothing."""
    body = (mail.get("hs_email_text") or "").strip() or read_html(mail.get("hs_email_html"))
    if not body:
        return ""
    name = " ".join(filter(None, (mail.get("hs_email_from_firstname"), mail.get("hs_email_from_lastname"))))
    address = mail.get("hs_email_from_email") or ""
    at = _find_moment(mail.get("hs_timestamp"))
    known = {
        "From": f"{name} <{address}>" if name and address else name or address,
        "Date": f"{at:%Y-%m-%d %H:%M}" if at else "",
        "Subject": mail.get("hs_email_subject") or "",
    }
    head = [f"{key}: {' '.join(value.split())}" for key, value in known.items() if value.strip()]
    return "\n".join([*head, "", body]) if head else body


def _document(name: str, kind: str, text: str, day: str | None) -> dict[str, Any]:
    return {"id": name, "kind": kind, **({"recorded_at": day} if day else {}), "text": text}


def _moment_and_id(activity: Properties) -> tuple[datetime, str]:
    at = _find_moment(activity.get("hs_timestamp")) or datetime.min.replace(tzinfo=UTC)
    return at, (activity.get("hs_object_id") or "").zfill(20)


def _find_moment(value: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _find_day(value: str | None) -> str | None:
    at = _find_moment(value)
    return at.date().isoformat() if at else None


def _find_amount(value: str | None) -> float | None:
    """Gives an amount that a request may hold; HubSpot also keeps negative ones."""
    try:
        amount = float(value or "")
    except ValueError:
        return None
    return amount if 0 <= amount < float("inf") else None
