"""Webhooks of BottleCRM: who is let in, and which deals they tell of."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serving.crm.bottlecrm_doors import WrongSignatureError, read_lost_deals
from serving.crm.protocol import CrmError, LostEvent

SECRET = "whsec_only-for-tests"  # noqa: S105
AT = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
EVENT_ID = "0b8f1c7e-3c43-4a8e-9d8e-0d5a3a1c9f10"
DEAL_ID = "5f0e2f4a-8d0b-4b57-8f3b-2f5b8f6a7c11"


def event(**changes: Any) -> bytes:
    told = {"id": EVENT_ID, "event": "deal.lost", "created_at": "2026-11-22T07:29:58+00:00", "org_id": DEAL_ID}
    told |= {"data": {"id": DEAL_ID, "name": "für sie zu teuer", "stage": "CLOSED_LOST"}} | changes
    return json.dumps(told, separators=(",", ":")).encode()


def signed(body: bytes, *, at: datetime = AT, secret: str = SECRET) -> str:
    stamp = int(at.timestamp())
    return f"t={stamp},v1={hmac.new(secret.encode(), f'{stamp}.'.encode() + body, hashlib.sha256).hexdigest()}"


def read(body: bytes, signature: str | None = None, *, secret: str = SECRET) -> tuple[LostEvent, ...]:
    return read_lost_deals(body, signed(body) if signature is None else signature, secret=secret, at=AT)


def test_a_fixed_signature_is_let_in() -> None:
    body = b'{"id":"%s","event":"ping","data":{}}' % EVENT_ID.encode()
    digest = "01eb745fe38e8555167926df620410867725720a6898e6b463d473915bf65f13"  # by openssl dgst
    assert read_lost_deals(body, f"t=1795332600,v1={digest}", secret=SECRET, at=AT) == ()


def test_a_lost_deal_is_named() -> None:
    assert read(event()) == (LostEvent(key=EVENT_ID, deal_id=DEAL_ID),)


def test_an_event_sent_again_has_one_key() -> None:
    late = AT + timedelta(hours=2)
    [again] = read_lost_deals(event(), signed(event(), at=late), secret=SECRET, at=late)
    assert (again,) == read(event())


@pytest.mark.parametrize("kind", ["deal.updated", "deal.won", "deal.deleted", "lead.created", "ping"])
def test_other_events_name_no_deal(kind: str) -> None:
    assert read(event(event=kind)) == ()


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_early_or_late_call_stays_out(seconds: int) -> None:
    near = AT + timedelta(seconds=seconds / 301 * 300)
    assert read(event(), signed(event(), at=near))
    with pytest.raises(WrongSignatureError):
        read(event(), signed(event(), at=AT + timedelta(seconds=seconds)))


def test_a_changed_body_stays_out() -> None:
    with pytest.raises(WrongSignatureError):
        read(event() + b" ", signed(event()))


@pytest.mark.parametrize("secret", ["", "whsec_another"])
def test_another_or_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(WrongSignatureError):
        read(event(), signed(event(), secret=""), secret=secret)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda good: good.upper(),
        lambda good: good.replace("t=", "t=-"),
        lambda good: good.replace("t=", "t=" + "9" * 5000),
        lambda good: good.replace("t=1795332600", "t=\u0661\u0662"),
        lambda good: good + ",v1=" + "0" * 64,
        lambda good: good[:-1] + "ä",
        lambda good: good + "\n",
        lambda good: good.partition(",")[2],
    ],
)
def test_an_odd_signature_stays_out(change: Any) -> None:
    with pytest.raises(WrongSignatureError):
        read(event(), change(signed(event())))


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[1]", b'"text"', b"[" * 100_000])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(CrmError):
        read(body)


@pytest.mark.parametrize("changes", [{"data": None}, {"data": {"id": "12 OR 1=1"}}, {"id": 7}, {"data": {"id": [1]}}])
def test_a_lost_deal_needs_its_ids(changes: dict[str, Any]) -> None:
    with pytest.raises(CrmError):
        read(event(**changes))
