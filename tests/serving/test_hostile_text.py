"""Texts that trick the service: JSON and XML bombs, invalid UTF-8, bidi and zero-width characters, homoglyphs."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.redaction import redact
from lossnlp.segments import read_deal
from serving.app import create_app
from serving.settings import Settings
from tests.serving.conftest import KEY, KeywordAssessor

_JSON = {"content-type": "application/json"}
_NOTE = "They said the price was far above their budget, so they went with Rostera. We never met the economic buyer."
_SECOND_LOOK = {"\u0430": "a", "\u0435": "e", "\u043e": "o", "\u0440": "p", "\u0441": "c", "\u0456": "i"}


@pytest.fixture
def doors(settings: Settings, assessor: KeywordAssessor, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("LOSSNLP_DOOR_SALESFORCE_ORGANIZATION", "00DHs0000000001")
    app = create_app(settings.model_copy(update={"crm": "salesforce"}), assessor=assessor)
    return TestClient(app, raise_server_exceptions=True)


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>',
        b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>',
        b'<!DOCTYPE l SYSTEM "http://127.0.0.1:1/x.dtd"><l/>',
        b"<a>" * 40_000,
        b"<a " + b" ".join(b'b%d="1"' % at for at in range(8_000)) + b"/>",
        "<!DOCTYPE l [<!ENTITY a 'b'>]><l>&a;</l>".encode("utf-16"),
    ],
    ids=["billion laughs", "file", "dtd", "deep", "attributes", "utf-16"],
)
def test_xml_bomb_at_the_door_is_unreadable(doors: TestClient, body: bytes) -> None:
    answer = doors.post("/doors/salesforce", content=body, headers={"content-type": "text/xml"})
    assert answer.status_code == 400
    assert "root:" not in answer.text


@pytest.mark.parametrize("depth", [100, 900, 5_000, 100_000])
@pytest.mark.parametrize("path", ["/v1/assessments", "/v1/assessments:batch", "/v1/assessments:flat", "/doors/flow"])
def test_nested_json_is_an_answer_everywhere(client: TestClient, path: str, depth: int) -> None:
    body = b'{"id": "D-1", "text": ' + b'[{"a":' * depth + b"1" + b"}]" * depth + b"}"
    assert client.post(path, content=body, headers=_JSON).status_code in (400, 404, 422)


@pytest.mark.parametrize("path", ["/sign-in", "/v1/assessments/x", "/review", "/healthz"])
@pytest.mark.parametrize(
    "headers",
    [
        {"cookie": b"session=\xff\xfe\x80"},
        {"authorization": b"Bearer \xff\xfe"},
        {"x-request-id": b"\xc3\x28"},
        {"content-type": b"\xff"},
        {"accept": b"\xf0\x28\x8c\xbc"},
    ],
    ids=["cookie", "key", "id", "type", "accept"],
)
def test_headers_that_are_no_utf8_are_survived(client: TestClient, path: str, headers: dict[str, bytes]) -> None:
    assert client.get(path, headers=headers, follow_redirects=False).status_code < 500


@pytest.mark.parametrize("path", ["/deals/%ff%fe", "/review?team=%ff%c0%80", "/%e2%80%ae", "/sign-in?next=%ed%a0%80"])
def test_addresses_that_are_no_utf8_are_survived(client: TestClient, path: str) -> None:
    assert client.get(path, follow_redirects=False).status_code < 500


@pytest.mark.parametrize("form", [b"email=%ff%fe&password=%00", b"email=\xff", b"a=1&" * 200, b"%" * 1000])
def test_forms_that_are_no_utf8_are_survived(client: TestClient, form: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/sign-in", content=form, headers=headers).status_code < 500


def assess(classifier: LossClassifier, text: str) -> tuple[str, list[str]]:
    """Gives the primary reason, and each quote, after checking that it stands where it says."""
    answer = classifier.assess(Deal.from_request({"id": "D-1", "text": text}))
    quotes = [quote for reason in answer.reasons for quote in reason.evidence]
    assert all(text[quote.start : quote.end] == quote.text for quote in quotes)
    return next(reason.code for reason in answer.reasons if reason.primary), [quote.text for quote in quotes]


@pytest.mark.parametrize("sign", ["\u200b", "\u200d", "\u2060", "\ufeff", "\u202e", "\u2066", "\u00ad"])
def test_unseen_characters_change_no_reason(classifier: LossClassifier, sign: str) -> None:
    hidden = "".join(char + sign for char in _NOTE)
    reason, quotes = assess(classifier, hidden)
    assert reason == assess(classifier, _NOTE)[0]
    assert quotes


def test_note_in_lookalike_letters_waits_for_a_person(classifier: LossClassifier) -> None:
    alike = _NOTE.translate({ord(latin): other for other, latin in _SECOND_LOOK.items()})
    answer = classifier.assess(Deal.from_request({"id": "D-1", "text": alike}))
    assert answer.review.required
    assert answer.accepted == ()


def test_lookalike_id_is_another_deal(client: TestClient) -> None:
    ids = ("ADAPT-1", "\u0410DAPT-1", "ADAPT-1\u200b", "\u202eADAPT-1")
    answers = [client.post("/v1/assessments", json={"id": name, "text": "price"}).json() for name in ids]
    assert len({answer["id"] for answer in answers}) == len(ids)


@pytest.mark.parametrize("key", [KEY.replace("e", "\u0435"), KEY + "\u200b", "\u202e" + KEY, KEY + "\x00"])
def test_lookalike_key_opens_nothing(client: TestClient, key: str) -> None:
    answer = client.get("/v1/taxonomy", headers={"Authorization": f"Bearer {key}".encode()})
    assert answer.status_code in (400, 401)


@pytest.mark.parametrize("pump", ["_", "'", "(", "Abc ", "Bearer ", "a@", "> ", "\u200b", "x\n", "From: a\n", "0:00 "])
def test_long_runs_are_read_to_the_end(pump: str) -> None:
    text = "price " + pump * (12_000 // len(pump))
    redacted = redact(text)
    assert redacted.text.startswith("price")
    for kind in ("rep_note", "call_transcript", "email_thread"):
        deal = {"deal": {"id": "D"}, "documents": [{"id": "n", "kind": kind, "text": text}]}
        assert all(text[one.start : one.end] == one.raw for one in read_deal(Deal.from_request(deal)).segments)
