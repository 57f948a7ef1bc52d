"""Whatever bytes come to a door: events that can be stored go in, or one sentence comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError, LossNlpError
from serving import inbox
from serving.body import parse_body
from serving.crm.bottlecrm_doors import read_lost_deals
from serving.crm.hubspot_doors import read_deal_events
from serving.crm.protocol import CrmError, Delivery, LostEvent
from serving.crm.salesforce_doors import read_outbound_message
from serving.crm.signed_doors import read_signed_deals, sign
from serving.flat import parse_flat_deal
from serving.intake import parse_deal
from serving.problems import ProblemError
from tests.properties.drawn import any_text, json_values

_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_SECRET = "only-for-this-test-and-32-characters-long"  # noqa: S105
_ORG = "00D000000000001"
_ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:x="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:s="urn:sobject.enterprise.soap.sforce.com"><e:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
    "%s</notifications></e:Body></e:Envelope>"
)

names = st.sampled_from(
    [
        *(
            "id",
            "deals",
            "event",
            "data",
            "objectId",
            "subscriptionType",
            "subscriptionId",
            "propertyName",
            "occurredAt",
        ),
        *(
            "object",
            "properties",
            "hs_object_id",
            "callbackId",
            "objectType",
            "deal",
            "documents",
            "text",
            "kind",
            "turns",
        ),
    ]
)
known_values = st.sampled_from(
    ["deal.lost", "deal.propertyChange", 17, "17", "\ud800", "\x00", "0-3", "rep_note", "x" * 500]
)
told = st.recursive(
    st.one_of(known_values, json_values),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=6)),
    max_leaves=16,
)
bodies = st.one_of(st.binary(max_size=60), any_text.map(str.encode), told.map(lambda value: json.dumps(value).encode()))
tags = st.sampled_from(
    [
        *(f"<OrganizationId>{_ORG}</OrganizationId>", "<Notification>", "</Notification>", "<Id>04l000000000001</Id>"),
        *('<sObject x:type="s:Opportunity">', "</sObject>", "<s:Id>006000000000001</s:Id>", "<s:Id>\u00e9</s:Id>"),
        *("<Id/>", "&x;", "<!--"),
    ]
)
messages = st.lists(tags, max_size=9).map(lambda inner: (_ENVELOPE % "".join(inner)).encode())


def _outcome(read: Callable[[], object], refusal: type[LossNlpError | ProblemError]) -> Any:
    """Gives what was read, or the refusal."""
    try:
        return read()
    except refusal as error:
        return error


def _require_storable(outcome: CrmError | Sequence[LostEvent]) -> None:
    """Passes where a call was refused with a sentence, or its events can be stored."""
    if isinstance(outcome, CrmError):
        assert outcome.message
        return
    for event in outcome:
        key = inbox.storable_key(event.key)
        assert 0 < len(key) <= 300
        assert "\x00" not in key + event.deal_id
        assert (key + event.deal_id).encode("utf-8")
        assert 0 < len(event.deal_id) <= 200


@given(bodies)
def test_hubspot_call_is_read_or_refused(body: bytes) -> None:
    _require_storable(_outcome(lambda: read_deal_events(body, at=_AT), CrmError))


@given(bodies)
def test_signed_call_is_read_or_refused(body: bytes) -> None:
    call = Delivery("POST", "/doors/deals", sign(body, secret=_SECRET, at=_AT), body)
    _require_storable(_outcome(lambda: read_signed_deals(call, secret=_SECRET, at=_AT), CrmError))


@given(bodies, st.text(max_size=90))
def test_unsigned_call_is_always_refused(body: bytes, signature: str) -> None:
    with pytest.raises(CrmError):
        read_lost_deals(body, signature, secret=_SECRET, at=_AT)


@given(st.one_of(bodies, messages))
def test_outbound_message_is_read_or_refused(body: bytes) -> None:
    _require_storable(_outcome(lambda: read_outbound_message(body, organization_id=_ORG), CrmError))


@given(bodies)
def test_body_is_parsed_or_refused_with_400(body: bytes) -> None:
    outcome = _outcome(lambda: parse_body(body), ProblemError)
    if isinstance(outcome, ProblemError):
        assert outcome.status == 400
        assert outcome.detail


@pytest.mark.parametrize("parse", [parse_deal, parse_flat_deal])
@given(told)
def test_request_is_a_deal_or_an_error_that_names_a_field(parse: Callable[[object], Deal], told: object) -> None:
    outcome = _outcome(lambda: parse(told), InvalidDealError)
    if isinstance(outcome, InvalidDealError):
        assert outcome.message
        assert outcome.field or not isinstance(told, dict)
