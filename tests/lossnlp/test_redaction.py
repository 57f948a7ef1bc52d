from __future__ import annotations

import re
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from lossnlp import redaction_kinds
from lossnlp.deal import Deal
from lossnlp.redacted_deal import RedactedDeal
from lossnlp.redaction import redact, redact_texts, stands_for

NOTE = "Lost to Gong, 30% lower. Dana Ortiz signs, ask Dana: dana@nordwind.example or +44 20 7946 0958."


def test_people_and_addresses_become_placeholders() -> None:
    assert redact(NOTE).text == "Lost to Gong, 30% lower. [person 1] signs, ask [person 1]: [mail 1] or [phone 1]."


def test_offsets_lead_to_raw_and_back() -> None:
    redacted = redact(NOTE)
    for span in redacted.spans:
        assert redacted.to_raw(span.redacted_start) == span.start
        assert redacted.to_raw(span.redacted_end, is_end=True) == span.end
    at = NOTE.index("signs")
    assert redacted.text[redacted.to_redacted(at) :].startswith("signs")
    assert redacted.to_raw(redacted.to_redacted(at)) == at


def test_quote_that_cuts_a_name_hides_it() -> None:
    start = NOTE.index("Ortiz")
    assert redact(NOTE).quote(start, start + len("Ortiz signs")) == "[person 1] signs"


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("pay to DE89 3704 0044 0532 0130 00 now", "bank", "DE89 3704 0044 0532 0130 00"),
        ("card 4111 1111 1111 1111 declined", "card", "4111 1111 1111 1111"),
        ("ring 020 7946 0958", "phone", "020 7946 0958"),
        ("VAT DE136695976 differs", "id", "DE136695976"),
        ("ticket #458812 open", "id", "458812"),
        ("host 10.42.7.19 down", "ip", "10.42.7.19"),
        ("password: Sommer2026!", "secret", "Sommer2026!"),
        ("see https://a:b@x.example/y", "link", "https://a:b@x.example/y"),
        ("to Hauptstraße 12, 80331 München", "address", "Hauptstraße 12, 80331 München"),
    ],
)
def test_form_is_found_by_kind(text: str, kind: str, found: str) -> None:
    (span,) = redact(text).spans
    assert (span.kind, text[span.start : span.end]) == (kind, found)


@pytest.mark.parametrize(
    "text",
    [
        "42,000 EUR over 3 years, 1.200.450 records, 2019-2024",
        "demo 14.02.2026, offer 2026-03-01, lost 11/20/2026",
        "DE89 3704 0044 0532 0130 01 and 4111 1111 1111 1112 fail their checks",
        "version 4.12.0.3 and ISO-27001",
        "Ernst & Young told them to wait, Dr. Martens went quiet, Morgan Stanley owns it",
        "We will mark it up; may be back in May, hope dies last",
    ],
)
def test_figures_days_and_companies_survive(text: str) -> None:
    assert redact(text).text == text


@pytest.mark.parametrize(
    ("text", "found"), [("Will said no", "Will"), ("hi priya, sorry", "priya"), ("CFO Halvorsen left", "Halvorsen")]
)
def test_words_beside_it_make_a_name(text: str, found: str) -> None:
    assert [text[span.start : span.end] for span in redact(text).spans] == [found]


def test_same_person_has_one_number_everywhere() -> None:
    first, second = redact_texts(["Dana Ortiz and Priya came", "Ortiz asked Priya"])
    assert first.text == "[person 1] and [person 2] came"
    assert second.text == "[person 1] asked [person 2]"


def test_deal_keeps_turns_and_account() -> None:
    text = "Pete Osgood (Kestrel): Kestrel cannot pay.\nMoira Lennox (Kestrel): Pete is right."
    deal = Deal.from_request(
        {"deal": {"id": "d", "account": "Kestrel"}, "documents": [{"id": "c", "kind": "call_transcript", "text": text}]}
    )
    assert RedactedDeal(deal).deal.documents[0].text == (
        "[person 1] (Kestrel): Kestrel cannot pay.\n[person 2] (Kestrel): [person 1] is right."
    )


def test_stored_quote_stands_for_raw_words() -> None:
    assert stands_for("[person 1] said no to [person 2]", "Dana said no to Priya")
    assert not stands_for("[person 1] said yes", "Dana said no")
    assert not stands_for("said no", "said so")


def _repeats(parsed: Any) -> list[int]:
    """Gives the upper bound of every repetition in a parsed pattern."""
    bounds: list[int] = []
    for item in parsed:
        if isinstance(item, tuple) and len(item) == 2 and str(item[0]) in {"MAX_REPEAT", "MIN_REPEAT"}:
            bounds.append(int(item[1][1]))
        if isinstance(item, (tuple, list, parser.SubPattern)):
            bounds += _repeats(item)
    return bounds


def test_no_form_repeats_without_bound() -> None:
    patterns = [one for one in vars(redaction_kinds).values() if isinstance(one, re.Pattern)]
    bounds = [
        bound
        for pattern in patterns
        for bound in _repeats(parser.parse(pattern.pattern, pattern.flags & re.IGNORECASE))
    ]
    assert len(patterns) > 15
    assert max(bounds) <= 8000


@pytest.mark.parametrize(
    "unit", ["a.", "a@", "1 ", "1-", "+", "A ", "Mc", "de ", "J. ", "([", "00:", "https://", "password: "]
)
def test_hostile_text_comes_through(unit: str) -> None:
    redacted = redact(unit * 700)
    assert redacted.to_raw(len(redacted.text), is_end=True) == len(unit) * 700
