from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lossnlp.assessment import Assessment, Evidence
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError

NOTE = "Lost to Gong on price, they came in 30% lower. Champion loved us but the CFO would not budge. Come back in Q2."
CALL = (
    "[00:00:04] Dana Ortiz (Nordwind): We stopped because your tool cannot read our SAP orders, that was the knock-out.\n"
    "[00:00:20] Tom Hill (Lumetra): I can send you a quote for the connector.\n"
    "[00:00:31] Dana Ortiz (Nordwind): Our team needs it today, so we went with Celonis."
)


def deal(text: str = NOTE, **extra: object) -> Deal:
    return Deal.from_request({"id": "d-1", "text": text, "closed_at": "2026-11-20"} | extra)


def deal_with_call() -> Deal:
    documents = [
        {"id": "note", "kind": "rep_note", "text": NOTE},
        {"id": "call", "kind": "call_transcript", "text": CALL},
    ]
    return Deal.from_request(
        {"deal": {"id": "d-2", "closed_at": "2026-11-20", "stated_reason": "Price"}, "documents": documents}
    )


def quotes(assessment: Assessment) -> Iterator[Evidence]:
    for reason in assessment.reasons:
        yield from reason.evidence
    for reading in assessment.meddpicc.values():
        yield from reading.evidence
    yield from assessment.flags.external_only.evidence
    yield from assessment.winback.evidence


def test_clear_note_is_read_as_written(classifier: LossClassifier) -> None:
    assessment = classifier.assess(deal())
    assert {reason.code for reason in assessment.reasons} >= {"price", "competitor"}
    assert assessment.meddpicc["competition"].state == "gap"
    assert [rival.name for rival in assessment.competitors] == ["Gong"]


def test_exactly_one_reason_is_primary(classifier: LossClassifier) -> None:
    reasons = classifier.assess(deal()).reasons
    assert [reason.primary for reason in reasons] == [True, *[False] * (len(reasons) - 1)]


def test_every_quote_equals_its_slice(classifier: LossClassifier) -> None:
    texts = {"note": NOTE, "call": CALL}
    found = list(quotes(classifier.assess(deal_with_call())))
    assert found
    assert all(texts[quote.document_id][quote.start : quote.end] == quote.text for quote in found)


def test_quotes_survive_mojibake_and_zero_width(classifier: LossClassifier) -> None:
    text = "Ã¼ber\u200bBudget: CFO\x00 froze all spend, Lost to KÃ¶nig\u200b on price."
    found = list(quotes(classifier.assess(deal(text))))
    assert found
    assert all(text[quote.start : quote.end] == quote.text for quote in found)


def test_same_deal_twice_gives_the_same(classifier: LossClassifier) -> None:
    assert classifier.assess(deal_with_call()) == classifier.assess(deal_with_call())


def test_batch_and_threads_change_nothing(classifier: LossClassifier) -> None:
    deals = [deal(f"{NOTE} Also note {number}." * (1 + number % 3)) for number in range(12)]
    alone = [classifier.assess(one) for one in deals]
    assert list(classifier.assess_many(deals)) == alone
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(classifier.assess, deals)) == alone


def test_one_thread_gives_the_same_labels(classifier: LossClassifier) -> None:
    single = LossClassifier.load(threads=1).assess(deal_with_call())
    many = classifier.assess(deal_with_call())
    assert [reason.code for reason in single.reasons] == [reason.code for reason in many.reasons]
    assert [r.confidence for r in single.reasons] == pytest.approx([r.confidence for r in many.reasons], abs=1e-4)


def test_values_that_do_not_arise_are_null(classifier: LossClassifier) -> None:
    call = {"id": "call", "kind": "call_transcript", "text": CALL}
    buyer_only = classifier.assess(Deal.from_request({"deal": {"id": "d-3"}, "documents": [call]}))
    assert buyer_only.flags.external_only.value is None
    assert buyer_only.flags.rep_buyer_conflict.value is None
    assert buyer_only.attribution.value is None
    assert classifier.assess(deal()).flags.stated_reason_conflict.value is None


def test_speakers_of_calls_get_roles(classifier: LossClassifier) -> None:
    roles = {who.speaker: who.role for who in classifier.assess(deal_with_call()).speakers}
    assert roles == {"Dana Ortiz (Nordwind)": "buyer", "Tom Hill (Lumetra)": "rep"}


def test_revisit_phrase_becomes_a_date(classifier: LossClassifier) -> None:
    winback = classifier.assess(deal("Budget frozen, they asked us to come back in Q2 2027.")).winback
    assert winback.revisit_text is not None
    assert str(winback.revisit_on) == "2027-04-01"


@pytest.mark.parametrize(
    "text",
    [
        "😀😀😀",
        "....",
        "客户选择了另一家供应商,因为我们的价格太高。",
        "Der Einkauf blockiert, Geschäftsführung streicht Mittel",
        "x" * 5_000,
    ],
)
def test_illegible_text_waits_for_a_person(classifier: LossClassifier, text: str) -> None:
    assessment = classifier.assess(deal(text))
    assert assessment.review.required
    assert assessment.accepted == ()


@pytest.mark.parametrize(
    "text",
    [
        "price",
        "LOST ON PRICE. CFO SAID NO WAY. " * 8,
        "so they said it was too dear and went with the other lot " * 20,
        "Reason: Price\nCompetitor: Gong\nNext step: none",
        "12/03 called, vm\n14/03 mailed\n20/03 no answer\n02/04 closed",
        "\ufeffLost on price\r\nCFO no",
    ],
)
def test_every_manner_of_note_is_answered(classifier: LossClassifier, text: str) -> None:
    assessment = classifier.assess(deal(text))
    assert len(assessment.meddpicc) == 8
    assert 0 <= assessment.primary.confidence <= 1


def test_text_without_a_sign_is_refused(classifier: LossClassifier) -> None:
    with pytest.raises(InvalidDealError):
        classifier.assess(deal("\u2060 \u2061\n\u202e"))


def test_unknown_is_never_accepted(classifier: LossClassifier) -> None:
    assessment = classifier.assess(deal("see mail"))
    assert assessment.primary.code == "unknown"
    assert "primary_reason" not in assessment.accepted


def test_questions_are_few_and_open(classifier: LossClassifier) -> None:
    questions = classifier.assess(deal()).questions
    assert 0 < len(questions) <= 4
    assert all(question.endswith("?") for question in questions)


@pytest.mark.slow
def test_hour_long_call_is_read_whole(classifier: LossClassifier) -> None:
    talk = "".join(
        f"[{n // 60:02}:{n % 60:02}] {'Dana' if n % 2 else 'Tom'}: we talked about the plant and the line again, item {n}.\n"
        for n in range(1_200)
    )
    text = talk + "[20:00] Dana: Honestly we stay with SAP, you were too expensive.\n"
    call = {"id": "call", "kind": "call_transcript", "text": text}
    assessment = classifier.assess(Deal.from_request({"deal": {"id": "long"}, "documents": [call]}))
    found = [*quotes(assessment), *assessment.competitors]
    assert all(text[quote.start : quote.end] == quote.text for quote in found)
    assert [(rival.name, rival.start) for rival in assessment.competitors] == [("SAP", text.index("SAP"))]
