from __future__ import annotations

import json

import pytest

from lossnlp.assessment import Assessment
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.lines import MAX_LINE_BYTES, answer_lines

GOOD = b'{"id": "good", "text": "Lost on price, 30% over."}'


class BrokenClassifier(LossClassifier):
    """Stands for any fault nobody foresaw."""

    def __init__(self) -> None:
        pass

    def assess(self, deal: Deal) -> Assessment:
        raise KeyError(deal.documents[0].text)


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


@pytest.mark.parametrize(
    "bad", [b'{"id": "b", "text": "x", "n": ' + b"1" * 5_000 + b"}", b'{"id": "\\ud800", "text": "x"}']
)
def test_odd_json_stops_no_line(classifier: LossClassifier, bad: bytes) -> None:
    found = answers(classifier, bad, GOOD)
    assert [("error" in answer) for answer in found] == [True, False]
    assert json.dumps(found, ensure_ascii=False).encode()


def test_unforeseen_fault_tells_no_text() -> None:
    body = answers(BrokenClassifier(), b'{"id": "d-1", "text": "canary"}', GOOD)[0]
    assert (body["deal_id"], body["error"]["code"]) == ("d-1", "internal")
    assert "canary" not in json.dumps(body)
