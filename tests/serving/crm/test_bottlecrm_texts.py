"""What of BottleCRM's connector needs no server: its settings, its texts, what its refusals mean."""

from __future__ import annotations

from typing import Any

import pytest

from serving.crm.bottlecrm import connect
from serving.crm.bottlecrm_answers import find_cause, read_refusal
from serving.crm.bottlecrm_texts import read_request
from serving.crm.http import CrmCallError
from serving.crm.protocol import FieldChange
from serving.errors import ConfigurationError
from serving.settings import Settings

CHANGE = FieldChange("5f0e2f4a-8d0b-4b57-8f3b-2f5b8f6a7c11", {"lossnlp_rival": "Rostera"})


def page(**changes: Any) -> dict[str, Any]:
    return {"opportunity_obj": {"id": "one", **changes}, "comments": []}


def message(number: int, **changes: Any) -> dict[str, Any]:
    told = {"id": str(number), "kind": "email", "direction": "inbound", "subject": "", "body": f"message {number}"}
    return told | {"occurred_at": f"2026-11-02T12:00:{number:02}+01:00", "participants": []} | changes


def documents(*logged: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    return list(read_request(page(**changes), logged, reason_field=None)["documents"])


@pytest.mark.parametrize("missing", ["URL", "TOKEN"])
def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv("LOSSNLP_BOTTLECRM_URL", "https://crm.example.com")
    monkeypatch.setenv("LOSSNLP_BOTTLECRM_TOKEN", "bcrm_pat_secret")
    monkeypatch.delenv(f"LOSSNLP_BOTTLECRM_{missing}")
    with pytest.raises(ConfigurationError, match=f"LOSSNLP_BOTTLECRM_{missing}"):
        connect(Settings())


@pytest.mark.parametrize("url", ["http://crm.example.com", "ftp://crm", "http://crm.example.com@127.0.0.1", "crm"])
def test_a_token_leaves_the_network_encrypted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LOSSNLP_BOTTLECRM_URL", url)
    monkeypatch.setenv("LOSSNLP_BOTTLECRM_TOKEN", "bcrm_pat_secret")
    with pytest.raises(ConfigurationError, match="LOSSNLP_BOTTLECRM_URL") as raised:
        connect(Settings())
    assert "bcrm_pat_secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["https://crm.example.com/", "http://bottlecrm:8000", "http://127.0.0.1:8200"])
def test_a_near_host_may_be_plain(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LOSSNLP_BOTTLECRM_URL", url)
    monkeypatch.setenv("LOSSNLP_BOTTLECRM_TOKEN", "bcrm_pat_secret")
    assert connect(Settings()).http.client.headers["Authorization"] == "Bearer bcrm_pat_secret"


def test_messages_are_one_thread() -> None:
    mail = message(1, subject="Re:\n Offer", participants=[{"name": "Dana", "email": "dana@nordwind.example"}])
    reply = message(2, kind="whatsapp", direction="outbound", logged_by_details={"name": "", "email": "sam@us.example"})
    [thread] = documents(reply, mail)
    assert (thread["kind"], thread["recorded_at"]) == ("email_thread", "2026-11-02")
    assert thread["text"] == (
        "From: Dana <dana@nordwind.example>\nDate: 2026-11-02 12:00\nSubject: Re: Offer\n\nmessage 1\n\n"
        "From: sam@us.example\nDate: 2026-11-02 12:00\n\nmessage 2"
    )


def test_who_wrote_an_odd_message_stays_open() -> None:
    [thread] = documents(message(1, participants=["Dana", None, {"name": None}], logged_by_details={"name": "Sam"}))
    assert thread["text"] == "Date: 2026-11-02 12:00\n\nmessage 1"


def test_each_talk_is_a_document() -> None:
    call, meeting = message(1, kind="call", body="<p>No budget</p>"), message(2, kind="meeting", body="", subject="No")
    assert [(one["id"], one["kind"], one["text"]) for one in documents(meeting, call)] == [
        ("call-1", "call_transcript", "No budget"),
        ("meeting-2", "call_transcript", "No"),
    ]


def test_the_latest_talks_fit_a_request() -> None:
    calls = [message(number % 60, id=f"{number:03}", kind="call") for number in range(250)]
    found = documents(*calls, message(59), description="Lost.")
    assert len(found) == 200
    assert found[-2]["id"] == "call-239"


def test_deal_fields_become_the_request() -> None:
    people = [{"user_details": {"name": "Ada Rep", "email": ""}}]
    told = {"closed_on": "2026-11-02", "stage": "LOST", "stage_label": "Lost", "amount": "42000.00", "currency": "CHF"}
    told |= {"account": {"id": "a", "name": "Nordwind"}, "assigned_to": people, "custom_fields": {"why": "Price"}}
    assert read_request(page(**told), [], reason_field="why")["deal"] == {
        "id": "one",
        "closed_at": "2026-11-02",
        "stated_reason": "Price",
        "stage": "Lost",
        "amount": 42_000.0,
        "currency": "CHF",
        "owner": "Ada Rep",
        "account": "Nordwind",
    }


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ({"error": True, "errors": {"custom_fields": {"one": "must be a number", "two": "is required"}}}, None),
        ({"error": True, "errors": "Opportunity not found."}, "Opportunity not found."),
        ({"errors": {"closed_on": ["One.", "Two."]}}, "closed_on: One.; closed_on: Two."),
        ({"detail": "Invalid token"}, "Invalid token"),
        ({"errors": {"name": "x" * 900}}, "name: " + "x" * 194),
        ({}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_a_cause_stands_behind_its_field(answer: object, cause: str | None) -> None:
    expected = "one: must be a number; two: is required" if cause is None else cause or None
    assert find_cause(answer) == expected


@pytest.mark.parametrize(
    ("error", "outcome", "is_retryable"),
    [
        (CrmCallError("no", status=400, answer={"errors": "no"}), "refused", False),
        (CrmCallError("no", status=400, answer={"errors": "no"}, is_certain=False), "unknown", False),
        (CrmCallError("busy", status=503, is_retryable=True), "refused", True),
        (CrmCallError("broke", status=500, is_retryable=True, is_certain=False), "unknown", True),
        (CrmCallError("proxy", status=520), "unknown", True),
        (CrmCallError("odd", is_certain=False), "unknown", True),
    ],
)
def test_a_failure_says_what_is_known(error: CrmCallError, outcome: str, *, is_retryable: bool) -> None:
    result = read_refusal(CHANGE, error)
    assert (result.outcome, result.is_retryable) == (outcome, is_retryable)


def test_a_module_switched_off_is_told() -> None:
    answer = {"detail": "Pipeline is switched off for this organization.", "code": "module_off"}
    assert "switched off" in str(read_refusal(CHANGE, CrmCallError("404", status=404, answer=answer)).error)
    gone = CrmCallError("404", status=404, answer={"error": True, "errors": "Opportunity not found."})
    assert read_refusal(CHANGE, gone).error == "deal not found"
