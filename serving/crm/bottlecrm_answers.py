"""What BottleCRM's answers and refusals mean, said without any text of a deal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serving.crm.http import CrmCallError
from serving.crm.protocol import CrmError, FieldChange, SendResult

Row = dict[str, Any]

NOT_FOUND = "deal not found"
_MAX_CAUSE = 200
_GENERAL = frozenset({"custom_fields", "non_field_errors"})


def get_rows(answer: Mapping[str, Any], name: str) -> list[Row]:
    """Gives the list of that name.

    Raises:
        CrmError: The answer holds none.
    """
    rows = answer.get(name)
    if not isinstance(rows, list):
        raise CrmError(f"BottleCRM answered without {name}.")
    return rows


def find_cause(answer: object) -> str | None:
    """Gives the causes of a refusal, each behind its field; BottleCRM's are fixed sentences and quote no text of a deal."""
    if not isinstance(answer, dict):
        return None
    return "; ".join(_causes(answer.get("errors") or answer.get("detail")))[:_MAX_CAUSE] or None


def is_gone(error: CrmCallError) -> bool:
    """Says that the record is not there; a wrong address and a module that is switched off are 404 as well."""
    return error.status == 404 and isinstance(error.answer, dict) and "code" not in error.answer


def read_refusal(change: FieldChange, error: CrmCallError) -> SendResult:
    """Gives the result of a change that was not taken.

    Raises:
        CrmCallError: No deal could be written with this token.
    """
    if error.status in (401, 403):
        raise error
    if error.is_retryable or error.status is None or error.status >= 500:
        # A proxy's own 5xx does not say that nothing was written
        is_certain = error.is_certain and error.is_retryable
        return SendResult(change.deal_id, str(error), is_retryable=True, is_certain=is_certain)
    cause = NOT_FOUND if is_gone(error) else find_cause(error.answer) or f"BottleCRM answered {error.status}"
    return SendResult(change.deal_id, cause, is_certain=error.is_certain)


def _causes(told: object) -> Iterator[str]:
    if isinstance(told, str):
        yield told
    elif isinstance(told, list):
        for part in told:
            yield from _causes(part)
    elif isinstance(told, dict):
        for name, part in told.items():
            yield from (cause if name in _GENERAL else f"{name}: {cause}" for cause in _causes(part))
