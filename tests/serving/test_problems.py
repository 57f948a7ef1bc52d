"""Every error is a problem document that helps and gives nothing away."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

JSON = {"content-type": "application/json"}


def assert_problem(response: object, status: int) -> dict[str, object]:
    assert response.status_code == status  # type: ignore[attr-defined]
    assert response.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    problem: dict[str, object] = response.json()  # type: ignore[attr-defined]
    assert {"type", "title", "status", "detail", "request_id"} <= problem.keys()
    assert problem["request_id"] == response.headers["x-request-id"]  # type: ignore[attr-defined]
    return problem


@pytest.mark.parametrize("key", ["", "Bearer ", "Bearer wrong", "Basic dGVzdA==", "Bearer \xe9\xff"])
def test_wrong_key_is_refused(client: TestClient, key: str) -> None:
    response = client.post("/v1/assessments", json={"id": "D"}, headers={b"Authorization": key.encode("latin-1")})
    assert_problem(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/v1/taxonomy", "/v1/assessments/x", "/metrics"])
def test_key_guards_every_route(client: TestClient, path: str) -> None:
    assert_problem(client.get(path, headers={"Authorization": ""}), 401)


def test_key_is_checked_before_body(client: TestClient) -> None:
    response = client.post("/v1/assessments", content=b"{", headers={"Authorization": "", **JSON})
    assert_problem(response, 401)


@pytest.mark.parametrize("path", ["/nowhere", "/v1/assessments/no-such-id", "/v1/assessments/a%2Fb"])
def test_unknown_address_is_404(client: TestClient, path: str) -> None:
    assert_problem(client.get(path), 404)


def test_wrong_method_is_405(client: TestClient) -> None:
    response = client.delete("/v1/assessments")
    assert_problem(response, 405)
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("headers", [{"content-type": "text/plain"}, {}, {**JSON, "content-encoding": "gzip"}])
def test_other_than_plain_json_is_415(client: TestClient, headers: dict[str, str]) -> None:
    assert_problem(client.post("/v1/assessments", content=b"{}", headers=headers), 415)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"id": "a", "text": "\xff"}',
        b'{"id": "a", "text": "x", "deal": NaN}',
        b'{"n": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
def test_unreadable_body_is_400(client: TestClient, body: bytes) -> None:
    assert_problem(client.post("/v1/assessments", content=body, headers=JSON), 400)


def test_deep_but_whole_json_is_survived(client: TestClient) -> None:
    body = b'{"id": "D-1", "text": "price", "extra": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert client.post("/v1/assessments", content=body, headers=JSON).status_code in (201, 400)


@pytest.mark.parametrize("amount", ["1e999", "-1", '"x"', "1" + "0" * 400, "true"])
def test_odd_amount_is_no_crash(client: TestClient, amount: str) -> None:
    body = '{"deal": {"id": "D", "amount": %s}, "documents": [{"id": "n", "kind": "rep_note", "text": "price"}]}'
    assert client.post("/v1/assessments", content=body % amount, headers=JSON).status_code in (201, 422)


def test_ten_megabyte_text_is_refused(client: TestClient) -> None:
    response = client.post("/v1/assessments", json={"id": "D-1", "text": "lost on price " * 750_000})
    problem = assert_problem(response, 422)
    assert problem["errors"]


def test_too_large_body_is_413(client: TestClient) -> None:
    body = json.dumps({"id": "D-1", "text": "x" * 17 * 1024 * 1024})
    assert_problem(client.post("/v1/assessments", content=body, headers=JSON), 413)


def test_fault_of_ours_tells_nothing(client: TestClient) -> None:
    response = client.post("/v1/assessments", json={"id": "D-1", "text": "explode canary"})
    assert_problem(response, 500)
    assert "canary" not in response.text


def test_plain_request_id_is_kept(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"


def test_odd_request_id_is_replaced(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "a b\tc"}).headers["x-request-id"] != "a b\tc"


def test_answers_are_not_cached(client: TestClient) -> None:
    assert client.get("/healthz").headers["cache-control"] == "no-store"
