"""The 3.0 description is whole, true, and within what Salesforce's External Services can read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

from serving import flat, openapi
from serving.openapi_30 import MAX_DESCRIPTION_CHARS, describe_api_30, downgrade_schema

MAX_DOCUMENT_CHARS = 10_000_000
MAX_OPERATIONS_AND_OBJECTS = 3_000
APEX_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*")
CAMEL, SNAKE, PASCAL = (re.compile(case) for case in ("[a-z]+(?:[A-Z][a-z0-9]+)*", "[a-z0-9_]+", "(?:[A-Z][a-z0-9]+)+"))
MEDIA_TYPES = {"application/json", "application/x-www-form-urlencoded", "text/plain"}
UNREADABLE = {"const", "not", "$defs", "examples", "prefixItems", "contentMediaType", "patternProperties", "if"}
REF = {"$ref": "#/components/schemas/A"}
TEXT, COUNT = {"type": "string"}, {"type": "integer"}
DOWNGRADES = [
    ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    ({"type": ["string", "integer"], "title": "T"}, {"anyOf": [TEXT, COUNT], "title": "T"}),
    ({"type": "null"}, {"enum": [None], "nullable": True}),
    ({"anyOf": [TEXT, {"type": "null"}], "title": "T"}, {"type": "string", "nullable": True, "title": "T"}),
    ({"oneOf": [TEXT, COUNT, {"type": "null"}]}, {"oneOf": [TEXT, COUNT], "nullable": True}),
    ({"anyOf": [REF, {"type": "null"}]}, {"allOf": [REF], "nullable": True}),
    ({"anyOf": [TEXT, {"type": "null"}], "type": "string"}, {"type": "string", "nullable": True, "allOf": [TEXT]}),
    ({"anyOf": [TEXT, {"type": "null"}], "default": None}, {"type": "string", "nullable": True}),
    ({"anyOf": [{"const": "a"}, {"type": "null"}]}, {"enum": ["a", None], "nullable": True}),
    ({"const": "a", "type": "string"}, {"enum": ["a"], "type": "string"}),
    ({"type": "string", "examples": ["a", "b"]}, {"type": "string", "example": "a"}),
    ({"type": "string", "default": ""}, {"type": "string", "default": ""}),
    ({"exclusiveMinimum": 0, "type": "number"}, {"minimum": 0, "exclusiveMinimum": True, "type": "number"}),
    ({"exclusiveMaximum": 9, "maximum": 5}, {"maximum": 5}),
    ({"exclusiveMaximum": 5, "maximum": 9}, {"maximum": 5, "exclusiveMaximum": True}),
    ({"type": "array"}, {"type": "array", "items": {}}),
    (
        {"type": "array", "prefixItems": [TEXT, TEXT], "maxItems": 2},
        {"type": "array", "items": TEXT, "maxItems": 2},
    ),
    (
        {"type": "array", "prefixItems": [TEXT, COUNT], "items": False},
        {"type": "array", "items": {"anyOf": [TEXT, COUNT]}, "maxItems": 2},
    ),
    ({"type": "array", "prefixItems": [TEXT], "items": TEXT}, {"type": "array", "items": TEXT}),
    ({"type": "array", "prefixItems": [TEXT]}, {"type": "array", "items": {}}),
    (
        {"type": "string", "contentMediaType": "application/octet-stream"},
        {"type": "string", "format": "binary"},
    ),
    ({"type": "string", "contentEncoding": "base64"}, {"type": "string", "format": "byte"}),
    ({**REF, "description": "D"}, {"allOf": [REF], "description": "D"}),
    (REF, REF),
    ({"not": TEXT, "$comment": "C"}, {}),
    (
        {"type": "object", "patternProperties": {"^a": TEXT}, "additionalProperties": False},
        {"type": "object"},
    ),
    (
        {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        {"type": "object", "additionalProperties": {"type": "string", "nullable": True}},
    ),
    (
        {"type": "object", "properties": {"const": {"const": 1}, "examples": True}},
        {"type": "object", "properties": {"const": {"enum": [1]}, "examples": {}}},
    ),
]


@pytest.fixture(params=["", "?only=flat"])
def described(request: pytest.FixtureRequest, client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get(f"/openapi-3.0.json{request.param}", headers={"Authorization": ""}).json()
    return document


@pytest.fixture
def small(client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi-3.0.json?only=flat").json()
    return document


@pytest.fixture
def whole(client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi-3.0.json").json()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in document["paths"].values():
        yield from item.items()


def bodies(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Gives the contents of what goes in and what comes out, by media type."""
    for body in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield body.get("content", {})


def schemas(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Gives every schema, and those within them."""
    for schema in document["components"]["schemas"].values():
        yield from with_children(schema)
    for _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            yield from with_children(parameter["schema"])
        for media in (media for content in bodies(operation) for media in content.values()):
            yield from with_children(media.get("schema", {}))


def with_children(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    children = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for child in (*children, *(branch for key in ("allOf", "anyOf", "oneOf") for branch in schema.get(key, []))):
        if isinstance(child, dict):
            yield from with_children(child)


def property_names(document: dict[str, Any]) -> set[str]:
    return {name for schema in schemas(document) for name in schema.get("properties", {})}


def faults(instance: object, name: str, document: dict[str, Any]) -> list[str]:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return [error.message for error in OAS30Validator(schema).iter_errors(instance)]


@pytest.mark.parametrize(("schema", "expected"), DOWNGRADES)
def test_schema_is_said_in_older_words(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert downgrade_schema(schema) == expected


def test_document_is_valid_openapi_30(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.0.3"
    assert [error.message for error in OpenAPIV30SpecValidator(described).iter_errors()] == []


def test_newer_document_stays_as_it_is(client: TestClient) -> None:
    before = client.get("/openapi.json").json()
    client.get("/openapi-3.0.json")
    assert client.get("/openapi.json").json() == before
    assert before["openapi"].startswith("3.1")


def test_whole_document_has_every_operation(whole: dict[str, Any], client: TestClient) -> None:
    newer = client.get("/openapi.json").json()
    assert {path: set(item) for path, item in whole["paths"].items()} == {
        path: set(item) for path, item in newer["paths"].items()
    }


def test_small_document_holds_flat_operation_alone(small: dict[str, Any]) -> None:
    [(method, operation)] = operations(small)
    assert (method, operation["operationId"]) == ("post", "assessDeal")
    assert set(small["components"]["schemas"]) == {"FlatRequest", "FlatAssessment"}


def test_unknown_part_is_refused(client: TestClient) -> None:
    response = client.get("/openapi-3.0.json?only=round")
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "only")


def test_real_answers_fit_their_schemas(client: TestClient, whole: dict[str, Any]) -> None:
    taken = client.post("/v1/assessments", json=openapi.EXAMPLE_REQUEST).json()
    assert faults(taken, "TakenAssessment", whole) == []
    assert faults(client.get(f"/v1/assessments/{taken['id']}").json(), "StoredAssessment", whole) == []
    assert faults(client.get("/v1/taxonomy").json(), "Taxonomy", whole) == []
    assert faults(client.post("/v1/assessments:flat", json=flat.EXAMPLE_REQUEST).json(), "FlatAssessment", whole) == []


def test_examples_fit_their_schemas(whole: dict[str, Any]) -> None:
    assert faults(openapi.EXAMPLE_ANSWER, "TakenAssessment", whole) == []
    assert faults(openapi.EXAMPLE_REQUEST, "DealRequest", whole) == []
    assert faults(flat.EXAMPLE_REQUEST, "FlatRequest", whole) == []
    assert faults(flat.EXAMPLE_ANSWER, "FlatAssessment", whole) == []


def test_limits_of_input_are_kept(whole: dict[str, Any]) -> None:
    assert faults({"dealId": "x" * 201, "note": "n"}, "FlatRequest", whole)
    assert faults({**flat.EXAMPLE_REQUEST, "amount": -1}, "FlatRequest", whole)
    assert faults({"deal": {"id": ""}, "documents": []}, "DealRequest", whole)


def test_schemas_use_readable_words(described: dict[str, Any]) -> None:
    assert [schema for schema in schemas(described) if UNREADABLE & schema.keys()] == []
    assert {type(schema.get("type", "")) for schema in schemas(described)} == {str}
    assert "null" not in {schema.get("type") for schema in schemas(described)}


def test_references_stand_alone(described: dict[str, Any]) -> None:
    assert [schema for schema in schemas(described) if "$ref" in schema and len(schema) > 1] == []


def test_no_list_holds_lists(described: dict[str, Any]) -> None:
    lists = [schema for schema in schemas(described) if schema.get("type") == "array"]
    assert [schema for schema in lists if schema["items"].get("type") == "array"] == []


def test_operations_have_their_own_apex_names(described: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(described)]
    assert len({name.lower() for name in names}) == len(names)
    assert all(APEX_NAME.fullmatch(name) and CAMEL.fullmatch(name) for name in names)


def test_names_are_apex_identifiers(described: dict[str, Any]) -> None:
    names = property_names(described) | set(described["components"]["schemas"])
    assert [name for name in names if not APEX_NAME.fullmatch(name)] == []


def test_schema_keeps_one_case(described: dict[str, Any]) -> None:
    for schema in schemas(described):
        names = schema.get("properties", {})
        assert all(map(CAMEL.fullmatch, names)) or all(map(SNAKE.fullmatch, names))


def test_small_document_keeps_one_case(small: dict[str, Any]) -> None:
    assert [name for name in property_names(small) if not CAMEL.fullmatch(name)] == []
    assert [name for name in small["components"]["schemas"] if not PASCAL.fullmatch(name)] == []


def test_bodies_have_readable_media_types(described: dict[str, Any]) -> None:
    kinds = {kind for _, operation in operations(described) for content in bodies(operation) for kind in content}
    assert kinds <= MEDIA_TYPES


def test_reading_operation_has_no_body(described: dict[str, Any]) -> None:
    assert {method for method, _ in operations(described)} <= {"get", "post", "put", "patch", "delete"}
    assert [
        operation for method, operation in operations(described) if method == "get" and "requestBody" in operation
    ] == []


def test_security_and_headers_are_left_out(described: dict[str, Any]) -> None:
    assert set(described) == {"openapi", "info", "paths", "components"}
    assert set(described["components"]) == {"schemas"}
    for _, operation in operations(described):
        assert "security" not in operation
        assert {key for answer in operation["responses"].values() for key in answer} <= {"description", "content"}


def test_long_description_is_cut(client: TestClient) -> None:
    newer = client.get("/openapi.json").json()
    newer["paths"]["/v1/taxonomy"]["get"]["description"] = "x" * 2_000
    cut = describe_api_30(newer)["paths"]["/v1/taxonomy"]["get"]["description"]
    assert len(cut) == MAX_DESCRIPTION_CHARS == 1_333


def test_document_is_small_enough(described: dict[str, Any]) -> None:
    assert len(json.dumps(described)) < MAX_DOCUMENT_CHARS
    count = len(list(operations(described))) + len(described["components"]["schemas"])
    assert count < MAX_OPERATIONS_AND_OBJECTS


def test_flat_answer_is_text_and_doubles(small: dict[str, Any]) -> None:
    answer = small["components"]["schemas"]["FlatAssessment"]
    kinds = {(field["type"], field.get("format")) for field in answer["properties"].values()}
    assert kinds == {("string", None), ("number", "double")}
    assert set(answer["required"]) == set(answer["properties"])
    assert not any({"nullable", "enum", "default"} & field.keys() for field in answer["properties"].values())


def test_flat_operation_has_one_good_answer(small: dict[str, Any]) -> None:
    [(_, operation)] = operations(small)
    assert [status for status in operation["responses"] if status < "300"] == ["200"]
    [media] = operation["responses"]["200"]["content"].values()
    assert media["schema"] == {"$ref": "#/components/schemas/FlatAssessment"}
    assert None not in media["example"].values()
