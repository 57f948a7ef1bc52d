from __future__ import annotations

import json

from lossnlp.classifier import LossClassifier
from lossnlp.lines import MAX_LINE_BYTES, answer_lines

GOOD = b'{"id": "good", "text": "Lost on price, 30% over."}'


def answers(classifier: LossClassifier, *lines: bytes) -> list[dict[str, object]]:
    return [answer.body for answer in answer_lines(lines, classifier)]


def test_bad_lines_are_answered_in_place(classifier: LossClassifier) -> None:
    bad = [
        b"not json",
        b'{"id": "e", "text": ""}',
        b'{"id": "u", "text": "caf\xe9"}',
        b'["a"]',
        b"[" * 100_000,
        b'{"text": "x"}',
    ]
    found = answers(classifier, GOOD, *bad, GOOD)
    assert [("error" in answer) for answer in found] == [False, *[True] * len(bad), False]
    assert found[0] == found[-1]


def test_error_keeps_the_deal_id(classifier: LossClassifier) -> None:
    body = answers(classifier, b'{"deal": {"id": "d-9"}, "documents": []}')[0]
    assert body["deal_id"] == "d-9"
    assert json.dumps(body["error"])


def test_blank_lines_are_passed_over(classifier: LossClassifier) -> None:
    assert len(answers(classifier, b"\n", GOOD, b"  \r\n")) == 1


def test_byte_order_mark_is_no_fault(classifier: LossClassifier) -> None:
    assert "error" not in answers(classifier, b"\xef\xbb\xbf" + GOOD)[0]


def test_endless_line_is_refused(classifier: LossClassifier) -> None:
    body = answers(classifier, b'{"id": "x", "text": "' + b"a" * MAX_LINE_BYTES + b'"}')[0]
    assert "longer than" in json.dumps(body)
