"""The columns that a job writes: an assessment on one level with its whole JSON beside it, or why a row was refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from lossnlp.taxonomy import get_default_taxonomy

_GAPS = {f"gap_{code}": code for code in get_default_taxonomy().element_codes}
_FLAGS = ("external_only", "insufficient_detail", "rep_buyer_conflict", "stated_reason_conflict")
_DDL = {
    pa.string(): "string",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.int32(): "int",
    pa.date32(): "date",
    pa.list_(pa.string()): "array<string>",
}

ASSESSMENTS = pa.schema(
    [
        ("deal_id", pa.string()),
        ("model_version", pa.string()),
        ("taxonomy_version", pa.string()),
        ("primary_reason", pa.string()),
        ("primary_confidence", pa.float64()),
        ("primary_accepted", pa.bool_()),
        ("contributing_reasons", pa.list_(pa.string())),
        *((name, pa.string()) for name in _GAPS),
        *((name, pa.bool_()) for name in _FLAGS),
        ("winback", pa.string()),
        ("revisit_on", pa.date32()),
        ("rival", pa.string()),
        ("needs_review", pa.bool_()),
        ("review_because", pa.list_(pa.string())),
        ("assessment", pa.string()),
    ]
)
ERRORS = pa.schema(
    [
        ("deal_id", pa.string()),
        ("row_hash", pa.string()),
        ("error_code", pa.string()),
        ("error_message", pa.string()),
        ("error_field", pa.string()),
    ]
)
OUTCOMES = pa.schema([*ASSESSMENTS, *list(ERRORS)[1:], ("partition", pa.int32()), ("seconds", pa.float64())])


def ddl(columns: pa.Schema) -> str:
    """Gives columns as Spark writes them, such as `deal_id string, winback string`."""
    return ", ".join(f"{column.name} {_DDL[column.type]}" for column in columns)


def assessment_values(body: Mapping[str, Any]) -> dict[str, object]:
    """Gives the columns of one assessment.

    Args:
        body: The assessment, as the contract shapes it.
    """
    primary, *others = body["reasons"]
    winback = body["winback"]
    rivals = {rival["role"]: rival["name"] for rival in reversed(body["competitors"])}
    return {
        "deal_id": body["deal_id"],
        "model_version": body["model"]["version"],
        "taxonomy_version": body["model"]["taxonomy_version"],
        "primary_reason": primary["code"],
        "primary_confidence": primary["confidence"],
        "primary_accepted": "primary_reason" in body["accepted"],
        "contributing_reasons": [reason["code"] for reason in others],
        **{name: body["meddpicc"].get(code, {}).get("state") for name, code in _GAPS.items()},
        **{name: body["flags"][name]["value"] for name in _FLAGS},
        "winback": winback["state"],
        "revisit_on": date.fromisoformat(winback["revisit_on"]) if winback["revisit_on"] else None,
        "rival": rivals.get("won") or rivals.get("incumbent"),
        "needs_review": body["review"]["required"],
        "review_because": body["review"]["because"],
        "assessment": json.dumps(body, ensure_ascii=False),
    }


def error_values(body: Mapping[str, Any], request: bytes) -> dict[str, object]:
    """Gives the columns of one refused row; nothing of its text stands in them.

    Args:
        body: The error, as the contract shapes it.
        request: The row's JSON, of which a hash is given: the first 16 digits of its SHA-256.
    """
    fault = body["error"]
    return {
        "deal_id": body["deal_id"],
        "row_hash": hashlib.sha256(request).hexdigest()[:16],
        "error_code": fault["code"],
        "error_message": fault["message"],
        "error_field": fault["field"],
    }
