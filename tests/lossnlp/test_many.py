from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError
from lossnlp.many import BACKFILL_DEALS, SHARE_DEALS

SIGNED = "Lost on price.\n\nKind regards\nAnna\nSales Manager"


def deal(number: int, text: str) -> Deal:
    return Deal.from_request({"id": f"d-{number}", "text": text, "closed_at": "2026-11-20"})


def test_many_deals_read_as_alone(classifier: LossClassifier) -> None:
    texts = ["price", SIGNED, "Went with Gong, come back in Q2. " * 20, "no budget", SIGNED, "they went dark"]
    deals = [deal(number, text) for number, text in enumerate(texts)]
    assert list(classifier.assess_many(iter(deals))) == [classifier.assess(one) for one in deals]


def test_backfill_reads_as_alone(classifier: LossClassifier) -> None:
    texts = ["no budget", "went with Gong, cheaper", "they went dark after the demo", "security said no"]
    deals = [deal(number, texts[number % len(texts)]) for number in range(BACKFILL_DEALS)]
    found = list(classifier.assess_many(deals))
    assert found[: len(texts)] == [classifier.assess(one) for one in deals[: len(texts)]]
    assert [one.deal_id for one in found] == [one.id for one in deals]


def test_endless_input_is_not_drained(classifier: LossClassifier) -> None:
    taken = []

    def endless() -> Iterator[Deal]:
        for number in count():
            taken.append(number)
            yield deal(number, "no budget")

    answers = classifier.assess_many(endless())
    assert next(answers).deal_id == "d-0"
    assert len(taken) <= 2 * SHARE_DEALS
    answers.close()  # type: ignore[attr-defined]  # a generator


def test_long_texts_are_taken_few_at_once(classifier: LossClassifier) -> None:
    taken = []

    def long_notes() -> Iterator[Deal]:
        for number in range(20):
            taken.append(number)
            yield deal(number, "They liked it but the price was wrong. " * 300)

    assert next(iter(classifier.assess_many(long_notes()))).deal_id == "d-0"
    assert len(taken) < 10


def test_bad_deal_fails_after_answers_before(classifier: LossClassifier) -> None:
    answers = classifier.assess_many([deal(1, "no budget"), deal(2, "\u2060 \u2061"), deal(3, "too dear")])
    assert next(answers).deal_id == "d-1"
    with pytest.raises(InvalidDealError):
        next(answers)


def test_no_deals_give_no_answers(classifier: LossClassifier) -> None:
    assert list(classifier.assess_many([])) == []
