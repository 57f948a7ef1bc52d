"""What is fed, from where it begins, and what must hold of whatever comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from lossnlp.captions import read_caption_lines
from lossnlp.deal import Document, Kind
from lossnlp.transcripts import read_turns
from serving.crm.bottlecrm_doors import read_lost_deals
from serving.crm.hubspot_doors import read_deal_events
from serving.crm.protocol import CrmError, Delivery, LostEvent
from serving.crm.salesforce_doors import read_outbound_message
from serving.crm.signed_doors import read_model, read_signed_deals, sign
from serving.doors import FlowCall
from serving.inbox import storable_key

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_SECRET = "only-for-this-benchmark-and-32-characters"  # noqa: S105
_ORG = "00D000000000001"
_KINDS: tuple[Kind, ...] = get_args(Kind)
_UUID = "0d7c5c1e-6f0e-4f4e-9a55-0b6c3f1f8a51"


@dataclass(frozen=True, slots=True)
class Target:
    """What is fed.

    Args:
        take: Takes one input; raises where something does not hold.
        seeds: Inputs to begin from; the first byte chooses the reader.
    """

    take: Callable[[bytes], None]
    seeds: Sequence[bytes]


def take_transcript(data: bytes) -> None:
    """Reads a document; its turns have to be stretches of it with words, in order.

    Args:
        data: A byte for the kind, then the text.
    """
    kind, text = _KINDS[(data[0] if data else 0) % len(_KINDS)], data[1:].decode("utf-8", "replace")
    at = 0
    for turn in read_turns(Document(id="d", kind=kind, text=text)):
        _require(at <= turn.start < turn.end <= len(text), "A turn lies out of order.")
        at = turn.end
    for line in read_caption_lines(text):
        _require(0 <= line.start < line.end <= len(text), "A caption lies outside of the text.")


def take_webhook(data: bytes) -> None:
    """Reads a call of a CRM; its events have to be such as the database can hold.

    Args:
        data: A byte for the door, then the body.
    """
    read = _DOORS[(data[0] if data else 0) % len(_DOORS)]
    try:
        events = read(data[1:])
    except CrmError as error:
        _require(bool(error.message), "A call is refused without a word.")
        return
    for event in events:
        key = storable_key(event.key)
        _require("\0" not in key and 0 < len(key.encode()) <= 1200, "A key cannot be stored.")
        _require("\0" not in event.deal_id and 0 < len(event.deal_id.encode()) <= 800, "A deal's id cannot be stored.")


def _require(holds: bool, words: str) -> None:  # noqa: FBT001
    if not holds:
        raise AssertionError(words)


def _read_bottlecrm(body: bytes) -> Sequence[LostEvent]:
    stamp = str(int(AT.timestamp()))
    digest = sign(body, secret=_SECRET, at=AT)["X-Lossnlp-Signature"].removeprefix("v1=")
    return read_lost_deals(body, f"t={stamp},v1={digest}", secret=_SECRET, at=AT)


def _read_deals(body: bytes) -> Sequence[LostEvent]:
    return read_signed_deals(
        Delivery("POST", "/doors/deals", sign(body, secret=_SECRET, at=AT), body), secret=_SECRET, at=AT
    )


def _read_flow(body: bytes) -> Sequence[LostEvent]:
    told = read_model(FlowCall, body)
    return [LostEvent(f"flow {told.event_key} {told.deal_id}", told.deal_id)]


_DOORS: tuple[Callable[[bytes], Sequence[LostEvent]], ...] = (
    lambda body: read_deal_events(body, at=AT),
    _read_bottlecrm,
    lambda body: read_outbound_message(body, organization_id=_ORG),
    _read_deals,
    _read_flow,
)

_MESSAGE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:x="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:s="urn:sobject.enterprise.soap.sforce.com"><e:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
    f"<OrganizationId>{_ORG}</OrganizationId><Notification><Id>04l000000000001</Id>"
    '<sObject x:type="s:Opportunity"><s:Id>006000000000001</s:Id></sObject></Notification></notifications></e:Body></e:Envelope>'
)
_CALLS: tuple[object, ...] = (
    [
        {
            "subscriptionType": "deal.propertyChange",
            "objectId": 17,
            "subscriptionId": 3,
            "occurredAt": 1,
            "propertyName": "x",
        }
    ],
    {"event": "deal.lost", "id": _UUID, "data": {"id": _UUID}},
    None,
    {"id": "event-1", "deals": [{"id": "D-17"}]},
    {"dealId": "D-17", "eventKey": "e"},
    {
        "object": {"objectType": "DEAL", "objectId": 17, "properties": {"hs_object_id": {"value": "17"}}},
        "callbackId": "c",
    },
)
_TEXTS = (
    "[00:00:04] Dana Ortiz (Nordwind): Nobody saw a case.\nMe: I see.",
    "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.500\n<v Dana>Too dear.</v>\n\nNOTE x\n",
    "1\r\n00:00:01,000 --> 00:00:02,500\r\nDana: Too dear.\r\n",
    "Thanks.\n\nBest regards,\nDana Ortiz\nNordwind\n\nOn Mon, 3 Nov 2026 at 10:00, Rep <r@us.example> wrote:\n> Hello\n>> Before",
    "From: Dana Ortiz\nSent: Monday\nTo: Rep\nSubject: Re: offer\n\nToo dear.\n-- \nDana\nSent from my iPhone",
)
TARGETS = {
    "transcripts": Target(
        take_transcript, [bytes([kind]) + text.encode() for text in _TEXTS for kind in range(len(_KINDS))]
    ),
    "webhooks": Target(
        take_webhook,
        [
            bytes([place % len(_DOORS)]) + (_MESSAGE if told is None else json.dumps(told)).encode()
            for place, told in enumerate(_CALLS)
        ],
    ),
}
