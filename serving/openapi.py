"""The published description of the endpoint: request schemas, examples and error answers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from lossnlp.deal import Deal
from serving.crm.signed_doors import LostDeals
from serving.problems import Problem

_REFS = "#/components/schemas/{model}"

EXAMPLE_REQUEST: dict[str, Any] = {
    "deal": {
        "id": "006Hs00001abcde",
        "closed_at": "2026-11-20",
        "stated_reason": "Price",
        "stage": "Negotiation",
        "amount": 42000,
        "currency": "EUR",
        "owner": "rep-17",
        "account": "Nordwind Logistics",
        "segment": "mid-market",
    },
    "documents": [
        {
            "id": "note",
            "kind": "rep_note",
            "text": "Lost to Gong on price, 30% lower. Come back when FY27 opens in Feb.",
        },
        {
            "id": "call-3",
            "kind": "call_transcript",
            "recorded_at": "2026-10-02",
            "text": "[00:00:04] Dana Ortiz (Nordwind): Honestly, nobody here ever saw a business case.",
        },
    ],
}
EXAMPLE_SHORT_REQUEST: dict[str, Any] = {
    "id": "006Hs00001abcdf",
    "text": "Went dark after the demo. Their CFO never joined a single call.",
    "closed_at": "2026-11-20",
}
_NOT_MENTIONED: dict[str, Any] = {"state": "not_mentioned", "confidence": 0.97, "evidence": []}
_CALL_QUOTE: dict[str, Any] = {
    "document_id": "call-3",
    "start": 44,
    "end": 80,
    "text": "nobody here ever saw a business case",
    "turn": None,
    "speaker": "Dana Ortiz (Nordwind)",
    "role": "buyer",
}
_NOTE_QUOTE: dict[str, Any] = {
    "document_id": "note",
    "start": 0,
    "end": 21,
    "text": "Lost to Gong on price",
    "turn": None,
    "speaker": None,
    "role": "rep",
}
EXAMPLE_ANSWER: dict[str, Any] = {
    "id": "0d7c5c1e-6f0e-4f4e-9a55-0b6c3f1f8a51",
    "deal_id": "006Hs00001abcde",
    "reasons": [
        {
            "code": "price",
            "label": "Price",
            "group": "price_budget",
            "primary": True,
            "confidence": 0.91,
            "evidence": [_NOTE_QUOTE],
        }
    ],
    "meddpicc": {
        "metrics": {"state": "gap", "confidence": 0.84, "evidence": [_CALL_QUOTE]},
        "economic_buyer": _NOT_MENTIONED,
        "decision_criteria": _NOT_MENTIONED,
        "decision_process": _NOT_MENTIONED,
        "paper_process": _NOT_MENTIONED,
        "identify_pain": _NOT_MENTIONED,
        "champion": _NOT_MENTIONED,
        "competition": {"state": "gap", "confidence": 0.9, "evidence": [_NOTE_QUOTE]},
    },
    "attribution": {"value": "external_only", "confidence": 0.88},
    "flags": {
        "external_only": {"value": True, "confidence": 0.88, "evidence": []},
        "insufficient_detail": {"value": False, "confidence": 0.95, "evidence": []},
        "rep_buyer_conflict": {"value": True, "confidence": 0.71, "evidence": []},
        "stated_reason_conflict": {"value": False, "confidence": 0.8, "evidence": []},
    },
    "winback": {
        "state": "open",
        "confidence": 0.77,
        "revisit_text": "when FY27 opens in Feb",
        "revisit_on": "2027-02-01",
        "evidence": [],
    },
    "competitors": [
        {
            "name": "Gong",
            "role": "won",
            "confidence": 0.93,
            "document_id": "note",
            "start": 8,
            "end": 12,
            "text": "Gong",
            "turn": None,
        }
    ],
    "speakers": [{"document_id": "call-3", "speaker": "Dana Ortiz (Nordwind)", "role": "buyer", "confidence": 0.96}],
    "review": {"required": True, "because": ["rep_buyer_conflict"]},
    "questions": ["Who signs off money for this, and did we ever speak with that person?"],
    "accepted": ["meddpicc.competition", "external_only", "competitor"],
    "model": {"version": "1.0.0", "taxonomy_version": "1"},
}
EXAMPLE_ITEM_ERROR: dict[str, Any] = {
    "deal_id": "006Hs00001abcdg",
    "error": {"code": "invalid_deal", "message": "Field 'text' is missing; give the note's text.", "field": "text"},
}

_PROBLEMS = {
    400: "The body is not UTF-8 or not JSON.",
    401: "No API key, or one that is not in use.",
    403: "The key lacks the scope that this needs; `detail` names it.",
    404: "Nothing stands under this id.",
    413: "The body is larger than the service accepts.",
    415: "The body is not sent as JSON.",
    422: "The JSON is not a readable deal; `errors` names the field.",
    500: "The service failed; its log tells why under `request_id`.",
    503: "The service is not ready, or has more to do than it could answer in time; `Retry-After` says when to try again.",
}


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Gives the documented error answers of a route."""
    schema = {"schema": {"$ref": _REFS.format(model="Problem")}}
    return {
        status: {"description": _PROBLEMS[status], "content": {"application/problem+json": schema}}
        for status in statuses
    }


def answer_example(description: str, example: dict[str, Any]) -> dict[str, Any]:
    """Gives a documented answer with its example."""
    return {"description": description, "content": {"application/json": {"example": example}}}


def stored_link() -> dict[str, Any]:
    """Gives the link from an answer to where it can be read again."""
    parameters = {"assessment_id": "$response.body#/id"}
    described = "The stored answer, with the state of its write-back."
    operation = "get_assessment_v1_assessments__assessment_id__get"
    return {"links": {"stored": {"operationId": operation, "parameters": parameters, "description": described}}}


def deal_body() -> dict[str, Any]:
    """Gives the request body of one deal; bodies are read by hand, so the description is too."""
    schema = {"oneOf": [{"$ref": _REFS.format(model=name)} for name in ("DealRequest", "ShortRequest")]}
    examples = {
        "deal": {"summary": "A deal with its documents", "value": EXAMPLE_REQUEST},
        "short": {"summary": "One note", "value": EXAMPLE_SHORT_REQUEST},
    }
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}
    }


def batch_body() -> dict[str, Any]:
    """Gives the request body of many deals."""
    schema = {"$ref": _REFS.format(model="BatchRequest")}
    example = {"items": [EXAMPLE_REQUEST, EXAMPLE_SHORT_REQUEST]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def describe_api(app: FastAPI, *, max_items: int) -> dict[str, Any]:
    """Gives the OpenAPI document, made once an app."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name, schema in _request_schemas(max_items).items():
            schemas.setdefault(name, schema)
        app.openapi_schema = document
    return app.openapi_schema


def _request_schemas(max_items: int) -> dict[str, Any]:
    """Gives the schemas of what comes in, cut from the model that checks it."""
    _, parts = models_json_schema(
        [(Deal, "validation"), (LostDeals, "validation"), (Problem, "serialization")], ref_template=_REFS
    )
    schemas: dict[str, Any] = parts["$defs"]
    deal = schemas.pop("Deal")
    fields = deal["properties"]
    documents = fields.pop("documents")
    head = {
        **deal,
        "title": "DealHead",
        "required": ["id"],
        "description": "The CRM's own fields of a closed-lost deal.",
    }
    text = {"type": "string", "title": "Text", "description": "The rep's note."}
    short = {"id": fields["id"], "text": text, "closed_at": fields["closed_at"]}
    items = {"type": "array", "maxItems": max_items, "items": {"oneOf": [_ref("DealRequest"), _ref("ShortRequest")]}}
    return schemas | {
        "DealHead": head,
        "DealRequest": _object({"deal": _ref("DealHead"), "documents": documents}, required=["deal", "documents"]),
        "ShortRequest": _object(short, required=["id", "text"]),
        "BatchRequest": _object({"items": items}, required=["items"]),
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REFS.format(model=name)}


def _object(properties: dict[str, Any], *, required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}
