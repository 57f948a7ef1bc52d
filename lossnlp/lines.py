"""Lines: requests read from JSON lines, answered one for one; a bad line is answered in its place and loses nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError, LossNlpError

MAX_LINE_BYTES = 16 * 1024 * 1024
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Answer:
    """The answer to one line.

    Args:
        body: An assessment or an error, as the contract shapes them.
        is_good: Says whether it is an assessment.
    """

    body: dict[str, Any]
    is_good: bool


def answer_lines(lines: Iterable[bytes], classifier: LossClassifier) -> Iterator[Answer]:
    """Gives one answer for each line that is not blank, in order.

    Args:
        lines: Encoded JSON lines, one request each.
        classifier: Who answers.
    """
    for line in lines:
        if line.strip():
            yield _answer(line, classifier)


def _answer(line: bytes, classifier: LossClassifier) -> Answer:
    request: object = None
    try:
        request = read_request(line)
        return Answer(classifier.assess(Deal.from_request(request)).model_dump(mode="json"), is_good=True)
    except LossNlpError as error:
        fault = {"code": error.code, "message": error.message, "field": error.field}
    except Exception as error:  # noqa: BLE001 - the other lines must be answered, and a log would hold the deal's text
        message = f"This deal could not be assessed ({type(error).__name__}); please report it."
        fault = {"code": "internal", "message": message, "field": None}
    return Answer({"deal_id": find_deal_id(request), "error": fault}, is_good=False)


def read_request(line: bytes) -> object:
    """Gives the decoded request of a line, or of any encoded JSON.

    Args:
        line: Encoded in UTF-8, with or without a byte order mark; at most 16 MiB.

    Raises:
        InvalidDealError: The line is too long, not UTF-8 or not JSON, nested too deep or holds a number of thousands of digits.
    """
    if len(line) > MAX_LINE_BYTES:
        raise InvalidDealError(
            f"The line is longer than {MAX_LINE_BYTES // 2**20} MiB; give each deal fewer or shorter documents."
        )
    try:
        return json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidDealError(f"The line is not UTF-8 at byte {error.start}; save the file as UTF-8.") from None
    except RecursionError:
        raise InvalidDealError("The line's JSON is nested too deep; a request has at most four levels.") from None
    except json.JSONDecodeError as error:
        raise InvalidDealError(f"The line is not JSON at character {error.pos}: {error.msg}.") from None
    except ValueError:  # a guard of Python against slow conversions
        raise InvalidDealError(
            "The line holds a number of thousands of digits; shorten it or write it as text."
        ) from None


def find_deal_id(request: object) -> str | None:
    """Gives the deal's id as far as a request, good or bad, has one that can be written down (no lone surrogates)."""
    if not isinstance(request, dict):
        return None
    head = request.get("deal")
    found = head.get("id") if isinstance(head, dict) else request.get("id")
    return found if isinstance(found, str) and not _SURROGATE.search(found) else None
