"""The published description is whole and its examples are true."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.openapi import EXAMPLE_ANSWER, EXAMPLE_REQUEST, EXAMPLE_SHORT_REQUEST


@pytest.fixture
def described(client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def references(node: Any) -> set[str]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    own = {node["$ref"]} if isinstance(node, dict) and isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, children))


def test_every_reference_resolves(described: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert references(described) <= known


def test_examples_are_valid_requests() -> None:
    assert Deal.from_request(EXAMPLE_REQUEST).id
    assert Deal.from_request(EXAMPLE_SHORT_REQUEST).id


def test_example_quotes_are_exact_slices() -> None:
    texts = {document["id"]: document["text"] for document in EXAMPLE_REQUEST["documents"]}
    answer = Assessment.model_validate(EXAMPLE_ANSWER)
    spans = [quote for reason in answer.reasons for quote in reason.evidence]
    spans += [quote for element in answer.meddpicc.values() for quote in element.evidence]
    for span in (*spans, *answer.competitors):
        assert texts[span.document_id][span.start : span.end] == span.text


def test_example_under_review_accepts_no_reason() -> None:
    answer = Assessment.model_validate(EXAMPLE_ANSWER)
    conflicts = {name for name in ("rep_buyer_conflict", "stated_reason_conflict") if getattr(answer.flags, name).value}
    assert (answer.review.required, conflicts) == (True, set(answer.review.because))
    assert not [name for name in answer.accepted if name == "primary_reason" or name.startswith("reasons.")]


def test_key_scheme_is_described(described: dict[str, Any]) -> None:
    [scheme] = described["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert described["paths"]["/v1/assessments"]["post"]["security"]


def test_errors_are_described_as_problems(described: dict[str, Any]) -> None:
    answers = described["paths"]["/v1/assessments"]["post"]["responses"]
    assert {"200", "201", "400", "401", "403", "413", "415", "422", "500", "503"} == set(answers)
    assert "application/problem+json" in answers["422"]["content"]


def test_both_request_forms_are_described(described: dict[str, Any]) -> None:
    body = described["paths"]["/v1/assessments"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["examples"]) == {"deal", "short"}
    assert described["components"]["schemas"]["DealHead"]["required"] == ["id"]


def test_docs_page_loads_nothing_from_outside(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "swagger-ui-bundle.js" in page
    assert "http://" not in page.replace("http://testserver", "")
    assert "https://" not in page
