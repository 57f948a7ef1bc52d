"""What HubSpot's refusals and batch answers mean for each deal, said without any text of a deal."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from serving.crm.http import CrmCallError
from serving.crm.protocol import FieldChange, SendResult

_LATER = frozenset({423, 477})
_BUSY_CATEGORIES = frozenset({"RATE_LIMITS", "RATE_LIMIT", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"})
_CODE = re.compile(r"[\w.-]{1,100}", re.ASCII)
_MAX_DETAILS = 6


def find_cause(answer: object, names: Collection[str] = ()) -> str | None:
    """Gives HubSpot's category and codes for a refusal and the properties that it names.

    Its message itself stays out: it quotes the refused values, and with them the deal's text.

    Args:
        answer: The decoded answer, or one error of a batch; every part of it may be missing.
        names: Known property names to look for in the message.

    Source: HubSpot, "Error handling".
    """
    if not isinstance(answer, dict):
        return None
    categories = (answer.get(name) for name in ("category", "errorType", "subCategory", "policyName"))
    codes = [code for code in dict.fromkeys(map(str, filter(None, categories))) if _CODE.fullmatch(code)]
    details = list(dict.fromkeys(detail for detail in _details(answer) if detail and detail not in codes))
    if not details:
        told = set(_CODE.findall(str(answer.get("message", ""))))
        details = [name for name in names if name in told]
    return ": ".join(filter(None, (" ".join(codes), ", ".join(details[:_MAX_DETAILS])))) or None


def concerns_all(error: CrmCallError) -> bool:
    """Says that no deal could be written with these credentials."""
    cause = find_cause(error.answer) or ""
    return error.status == 401 or (error.status == 403 and "MISSING_SCOPES" in cause)


def may_pass(error: CrmCallError) -> bool:
    """Says that the refusal tells nothing about the deals."""
    return error.is_retryable or error.status is None or error.status >= 500 or error.status in _LATER


def is_undone(error: CrmCallError) -> bool:
    """Says that nothing can have been written; a proxy's own 5xx does not say it."""
    return error.is_certain and (error.is_retryable or error.status in _LATER)


def read_result(change: FieldChange, answer: Mapping[str, Any], names: Collection[str]) -> SendResult:
    """Gives what a batch's answer tells of one deal."""
    if any(str(found.get("id")) == change.deal_id for found in answer.get("results") or ()):
        return SendResult(change.deal_id)
    for error in answer.get("errors") or ():
        if change.deal_id in _named_ids(error):
            cause = find_cause(error, names) or "refused"
            is_busy = error.get("category") in _BUSY_CATEGORIES
            return later(change, cause) if is_busy else SendResult(change.deal_id, cause)
    return later(change, "HubSpot did not say what became of this deal")


def later(change: FieldChange, cause: str, *, is_certain: bool = False) -> SendResult:
    """Gives the result of a change that may succeed later."""
    return SendResult(change.deal_id, error=cause, is_retryable=True, is_certain=is_certain)


def _named_ids(error: Mapping[str, Any]) -> Iterator[str]:
    """Gives the deals that an error of a batch is about; we trace each deal by its own id."""
    context = error.get("context")
    for key in ("ids", "objectWriteTraceId"):
        value = context.get(key) if isinstance(context, dict) else None
        yield from map(str, value if isinstance(value, list) else [value])


def _details(answer: Mapping[str, Any]) -> Iterator[str]:
    """Gives codes, property names and scopes out of the parts of a refusal; only words without blanks are let through."""
    context = answer.get("context")
    for key in ("propertyName", "properties", "requiredGranularScopes", "missingScopes"):
        value = context.get(key) if isinstance(context, dict) else None
        yield from filter(_CODE.fullmatch, map(str, value if isinstance(value, list) else filter(None, [value])))
    for part in (*(answer.get("errors") or ()), *_invalid_values(str(answer.get("message", "")))):
        if isinstance(part, dict):
            words = (str(part.get(key) or "") for key in ("name", "code", "error"))
            yield " ".join(filter(_CODE.fullmatch, words))
            yield from _details(part)


def _invalid_values(message: str) -> Sequence[Any]:
    """Gives what a message says of each invalid value: HubSpot writes it as JSON behind a sentence."""
    _, mark, rest = message.partition("Property values were not valid: ")
    try:
        found = json.loads(rest) if mark else []
    except (ValueError, RecursionError):
        return ()
    return found if isinstance(found, list) else ()
