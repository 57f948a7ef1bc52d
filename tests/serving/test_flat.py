"""The flat form as a caller without nesting sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lossnlp.assessment import Assessment
from lossnlp.taxonomy import get_default_taxonomy
from serving import flat, openapi
from serving.flat import FlatAssessment, flatten, parse_flat_deal

NOTE = {"dealId": "D-1", "note": "Lost on price to Rostera", "closedOn": "2026-11-20"}
BAD_REQUESTS = [
    ({"note": "price"}, "dealId"),
    ({"dealId": 7, "note": "price"}, "dealId"),
    ({"dealId": "N\x00L", "note": "price"}, "dealId"),
    ({"dealId": "D"}, "note"),
    ({"dealId": "D", "note": None, "transcript": ""}, "note"),
    ({"dealId": "D", "note": " \n"}, "note"),
    ({"dealId": "D", "note": ["price"]}, "note"),
    ({"dealId": "D", "note": "price", "transcript": 7}, "transcript"),
    ({"dealId": "D", "transcript": 7}, "transcript"),
    ({**NOTE, "closedOn": "20th of November"}, "closedOn"),
    ({**NOTE, "amount": -1}, "amount"),
    ({**NOTE, "statedReason": "x" * 301}, "statedReason"),
    (["D", "price"], ""),
]


def answer_with(**changes: Any) -> dict[str, Any]:
    """Gives the flat form of the example answer with parts of it changed."""
    assessment = Assessment.model_validate({**openapi.EXAMPLE_ANSWER, **changes})
    return flatten(assessment, assessment_id="A-1").model_dump(by_alias=True)


def test_flat_answer_tells_primary_reason(client: TestClient) -> None:
    response = client.post("/v1/assessments:flat", json=NOTE)
    answer = response.json()
    assert response.status_code == 200
    assert (answer["dealId"], answer["primaryReason"], answer["primaryReasonLabel"]) == ("D-1", "price", "Price")
    assert (answer["primaryAccepted"], answer["primaryConfidence"]) == ("yes", 0.9)
    assert (answer["contributingReasons"], answer["evidence"]) == ("competitor", "price")


def test_repeat_gives_same_flat_answer(client: TestClient) -> None:
    first, second = (client.post("/v1/assessments:flat", json=NOTE) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()


def test_flat_and_short_form_share_one_answer(client: TestClient) -> None:
    flat_answer = client.post("/v1/assessments:flat", json=NOTE).json()
    short = {"id": NOTE["dealId"], "text": NOTE["note"], "closed_at": NOTE["closedOn"]}
    assert client.post("/v1/assessments", json=short).json()["id"] == flat_answer["assessmentId"]


def test_flat_answer_is_stored(client: TestClient) -> None:
    answer = client.post("/v1/assessments:flat", json=NOTE).json()
    stored = client.get(f"/v1/assessments/{answer['assessmentId']}").json()
    assert (stored["deal_id"], stored["write_back"]["state"]) == ("D-1", "due")


@pytest.mark.parametrize("text", ["Lost on price to Rostera", "?", "It was never said why they left us"])
def test_flat_answers_share_keys_and_types(client: TestClient, text: str) -> None:
    answer = client.post("/v1/assessments:flat", json={"dealId": "D", "note": text}).json()
    assert {key: type(value) for key, value in answer.items()} == {
        key: type(value) for key, value in flat.EXAMPLE_ANSWER.items()
    }
    assert {type(value) for value in answer.values()} == {str, float}


def test_flat_form_has_every_element() -> None:
    gaps = {name.removeprefix("gap_") for name in FlatAssessment.model_fields if name.startswith("gap_")}
    assert gaps == set(get_default_taxonomy().element_codes)


def test_element_unknown_to_model_is_not_mentioned() -> None:
    answer = answer_with(meddpicc={"metrics": {"state": "gap", "confidence": 0.8}})
    assert (answer["gapMetrics"], answer["gapPaperProcess"]) == ("gap", "not_mentioned")


def test_flat_answer_of_nothing_is_empty_text() -> None:
    reason = {**openapi.EXAMPLE_ANSWER["reasons"][0], "evidence": []}
    winback = {"state": "unclear", "confidence": 0.5}
    answer = answer_with(reasons=[reason], winback=winback, competitors=[], accepted=[])
    empty = {"contributingReasons", "revisitOn", "rival", "evidence"}
    assert {key for key, value in answer.items() if value == ""} == empty
    assert answer["primaryAccepted"] == "no"


def test_question_without_answer_is_unknown() -> None:
    flags = {key: {"value": None} for key in openapi.EXAMPLE_ANSWER["flags"]}
    answer = answer_with(flags=flags)
    assert {answer[name] for name in ("externalOnly", "insufficientDetail", "repBuyerConflict")} == {"unknown"}


def test_evidence_fits_a_text_field() -> None:
    [reason] = openapi.EXAMPLE_ANSWER["reasons"]
    long = {**reason["evidence"][0], "text": "é" * 300}
    assert answer_with(reasons=[{**reason, "evidence": [long]}])["evidence"] == "é" * 255


@pytest.mark.parametrize(("roles", "name"), [(("incumbent", "won"), "won"), (("incumbent",), "incumbent"), ((), "")])
def test_rival_is_the_one_chosen(roles: tuple[str, ...], name: str) -> None:
    [rival] = openapi.EXAMPLE_ANSWER["competitors"]
    named = [{**rival, "role": role, "name": role} for role in ("mentioned", *roles)]
    assert answer_with(competitors=named)["rival"] == name


def test_transcript_joins_note_as_document() -> None:
    deal = parse_flat_deal(flat.EXAMPLE_REQUEST)
    assert [(document.id, document.kind) for document in deal.documents] == [
        ("note", "rep_note"),
        ("transcript", "call_transcript"),
    ]
    assert (deal.stated_reason, deal.amount, deal.currency) == ("Price", 42000.0, "EUR")
    assert (deal.stage, deal.account) == ("Negotiation", "Nordwind Logistics")


@pytest.mark.parametrize("empty", ["", None])
def test_empty_fields_count_as_not_given(empty: str | None) -> None:
    names = [name for name in flat.EXAMPLE_REQUEST if name not in NOTE]
    assert parse_flat_deal({**NOTE, **dict.fromkeys(names, empty)}) == parse_flat_deal(NOTE)


def test_transcript_alone_is_enough() -> None:
    deal = parse_flat_deal({"dealId": "D", "note": "", "transcript": "Dana: It cost too much."})
    assert [document.kind for document in deal.documents] == ["call_transcript"]


@pytest.mark.parametrize(("request_", "field"), BAD_REQUESTS)
def test_bad_flat_request_names_its_field(client: TestClient, request_: Any, field: str) -> None:
    headers = {"content-type": "application/json"}
    response = client.post("/v1/assessments:flat", content=json.dumps(request_), headers=headers)
    problem = response.json()
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert problem["errors"][0]["field"] == field
    assert f"'{field or 'dealId'}'" in problem["detail"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"authorization": "Bearer wrong"}, "{}", 401),
        ({}, "{", 400),
        ({"content-type": "text/plain"}, "{}", 415),
        ({}, " " * (16 * 1024 * 1024 + 1), 413),
    ],
)
def test_flat_form_answers_same_problems(client: TestClient, headers: dict[str, str], body: str, status: int) -> None:
    response = client.post(
        "/v1/assessments:flat", content=body, headers={"content-type": "application/json", **headers}
    )
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
