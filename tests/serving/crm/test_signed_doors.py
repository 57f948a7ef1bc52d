"""The door for any CRM: whose calls count, and which deals they tell of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from serving.crm.protocol import CrmError, Delivery, LostEvent
from serving.crm.signed_doors import UnsignedCallError, read_signed_deals, sign

SECRET = "only-for-tests-and-32-characters!!"  # noqa: S105
AT = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
BODY = b'{"id":"event-1","deals":[{"id":"D-1"}]}'
DIGEST = "60e1b6d4e533588dcf13fb4deb746d03563f2bd5151986d653f066e8d97f030d"  # by openssl dgst


def lost(*ids: str, event: str = "event-1") -> dict[str, Any]:
    return {"id": event, "deals": [{"id": deal_id} for deal_id in ids]}


def read(told: object, *, secret: str = SECRET, **headers: str) -> tuple[LostEvent, ...]:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    sent = sign(body, secret=secret, at=AT) | {name.replace("_", "-"): value for name, value in headers.items()}
    return read_signed_deals(Delivery("POST", "/doors/deals", sent, body), secret=SECRET, at=AT)


def test_a_fixed_signature_is_let_in() -> None:
    call = Delivery("POST", "/", {"x-lossnlp-timestamp": "1795332600", "X-LOSSNLP-SIGNATURE": f"v1={DIGEST}"}, BODY)
    assert [event.deal_id for event in read_signed_deals(call, secret=SECRET, at=AT)] == ["D-1"]


def test_an_empty_secret_signs_nothing() -> None:
    call = Delivery("POST", "/", sign(BODY, secret="", at=AT), BODY)
    with pytest.raises(UnsignedCallError):
        read_signed_deals(call, secret="", at=AT)


@pytest.mark.parametrize("header", ["X_Lossnlp_Timestamp", "X_Lossnlp_Signature"])
@pytest.mark.parametrize(
    "value", ["", "v2=0", "-1", "1e9", "\u0661", "9" * 400, "v1=" + "0" * 64, "v1=" + "A" * 64, f"v1={DIGEST}\n"]
)
def test_odd_headers_stay_out(header: str, value: str) -> None:
    with pytest.raises(UnsignedCallError):
        read(BODY, **{header: value})


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        [],
        {"id": "e"},
        {"id": "e", "deals": []},
        lost("a", event="with blank"),
        lost("a", event="e" * 91),
        lost("a", ""),
        lost("a\x00b"),
        lost("a" * 201),
        {"id": 1, "deals": [{"id": "a"}]},
        {"id": "e", "deals": [{"id": 7}]},
    ],
)
def test_what_is_not_of_the_form_is_refused(told: object) -> None:
    with pytest.raises(CrmError) as raised:
        read(told)
    assert not isinstance(raised.value, UnsignedCallError)


def test_keys_fit_and_stay_apart() -> None:
    told = [*read(lost("ä" * 199 + "1", "ä" * 199 + "2", event="e" * 90)), *read(lost("b c", event="a"))]
    told += read(lost("c", event="a:b"))
    assert len({event.key[:300] for event in told}) == len(told)
