"""What stands on a BottleCRM deal and on what was logged with it, as a request of the published contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from lossnlp.deal import MAX_DOCUMENTS
from serving.crm.plain_text import read_html

_TALKS = frozenset({"call", "meeting"})
_MAX_LABEL = 300


def read_request(
    page: Mapping[str, Any], logged: Sequence[Mapping[str, Any]], *, reason_field: str | None
) -> dict[str, Any]:
    """Gives a deal as a request.

    The deal's notes and its comments are the seller's note; calls and meetings are one document each, of which the latest; mails,
    messages and enquiries are one thread.

    Args:
        page: A deal's page, with `opportunity_obj` and `comments`.
        logged: Its interactions, in any order.
        reason_field: Key of the custom field that holds the reason the seller chose, or None.
    """
    deal = page["opportunity_obj"]
    ordered = sorted(logged, key=lambda one: (datetime.fromisoformat(one["occurred_at"]), str(one["id"])))
    talks = [talk for one in ordered if one["kind"] in _TALKS for talk in _read_talk(one)]
    documents = [
        *_read_note(deal, page.get("comments") or ()),
        *talks[-(MAX_DOCUMENTS - 2) :],
        *_read_thread(one for one in ordered if one["kind"] not in _TALKS),
    ]
    return {"deal": _read_deal(deal, reason_field), "documents": documents}


def labels_of(deal: Mapping[str, Any], customs: Mapping[str, Mapping[str, Any]], name: str) -> Iterator[object]:
    """Gives what people see in a field of a deal: an option's label, the names of teams, of products on its lines.

    Args:
        deal: The deal.
        customs: The definitions of the custom fields by key.
        name: Key of one of them, or else of a field that every deal has.

    Raises:
        KeyError: Deals have no such field.
    """
    if name in customs:
        labels = {str(option["value"]): option["label"] for option in customs[name].get("options") or ()}
        held = (deal.get("custom_fields") or {}).get(name)
        yield labels.get(str(held), held)
        return
    held = deal[name]
    for one in held if isinstance(held, list) else [held]:
        yield (one.get("product") or one).get("name") if isinstance(one, Mapping) else one


def _read_deal(deal: Mapping[str, Any], reason_field: str | None) -> dict[str, Any]:
    stated = (deal.get("custom_fields") or {}).get(reason_field)
    owners = [_person(profile.get("user_details")) for profile in deal.get("assigned_to") or ()]
    known = {
        "id": deal["id"],
        "closed_at": deal.get("closed_on"),
        "stated_reason": None if stated is None else str(stated)[:_MAX_LABEL],
        "stage": deal.get("stage_label") or deal.get("stage"),
        "amount": None if deal.get("amount") is None else float(deal["amount"]),
        "currency": deal.get("currency"),
        "owner": next(filter(None, owners), None),
        "account": (deal.get("account") or {}).get("name"),
    }
    return {name: value for name, value in known.items() if value not in (None, "")}


def _read_note(deal: Mapping[str, Any], comments: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Gives the seller's note; its day is known where all of it is of one day."""
    ordered = sorted(comments, key=lambda one: (datetime.fromisoformat(one["commented_on"]), str(one["id"])))
    parts: list[tuple[str, str | None]] = [(read_html(deal.get("description")), None)]
    parts += [(read_html(one.get("comment")), _day(one["commented_on"])) for one in ordered]
    told = [(text, day) for text, day in parts if text]
    days = {day for _, day in told}
    return _document("note", "rep_note", [text for text, _ in told], days.pop() if len(days) == 1 else None)


def _read_talk(talk: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = read_html(talk.get("body")) or read_html(talk.get("subject"))
    return _document(f"{talk['kind']}-{talk['id']}", "call_transcript", [text], _day(talk["occurred_at"]))


def _read_thread(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    told = [(one, body) for one in messages if (body := read_html(one.get("body")))]
    texts = [f"{_head(one)}\n\n{body}" for one, body in told]
    return _document("mails", "email_thread", texts, _day(told[-1][0]["occurred_at"]) if told else None)


def _head(message: Mapping[str, Any]) -> str:
    """Gives the header lines that are known; who logged a message has written it only where it went out."""
    people = [_person(one) for one in message.get("participants") or ()]
    sender = _person(message.get("logged_by_details")) if message.get("direction") == "outbound" else ""
    lines = {
        "From": sender or (next(filter(None, people), "") if message.get("direction") == "inbound" else ""),
        "Date": f"{datetime.fromisoformat(message['occurred_at']):%Y-%m-%d %H:%M}",
        "Subject": " ".join(str(message.get("subject") or "").split()),
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items() if value)


def _person(told: object) -> str:
    """Gives name and address as a mail's header has them; empty where neither is known."""
    if not isinstance(told, Mapping):
        return ""
    name, address = (" ".join(str(told.get(key) or "").split()) for key in ("name", "email"))
    return f"{name} <{address}>" if name and address else name or address


def _document(name: str, kind: str, parts: Sequence[str], day: str | None) -> list[dict[str, Any]]:
    """Gives the parts as one document, none where all are empty."""
    text = "\n\n".join(part for part in parts if part)
    return [{"id": name, "kind": kind, **({"recorded_at": day} if day else {}), "text": text}] if text else []


def _day(moment: str) -> str:
    """Gives the day in the organisation's own time zone, which BottleCRM answers in."""
    return moment[:10]
