from __future__ import annotations

from typing import Any

import pytest

from lossnlp.assessment import Span
from lossnlp.deal import Deal
from lossnlp.segments import read_deal
from serving.review.redaction import RedactedDeal

CALL = (
    "Lowri Banner (Tallowick): Pete, thanks for making time.\n"
    "Pete Osgood (Kestrel Foods): We read your offer. Kestrel cannot pay 68,000 for this.\n"
    "Lowri Banner (Tallowick): Could we phase it until 2026-11-20?\n"
    "Pete Osgood (Kestrel Foods): Moira and I went with Gong. Write to pete.osgood@kestrelfoods.co.uk or call +44 20 7946 0958."
)
LOWER = "dana: hi tom\ntom: hello dana, it is too much\ndana: ok tom\ntom: we will not buy\n"
MAIL = (
    "From: Pete Osgood <pete.osgood@kestrelfoods.co.uk>\nTo: Lowri Banner <lowri@tallowick.io>\nSubject: Offer\n\n"
    "Hi Lowri,\n\nthe price was too high, see https://kestrelfoods.co.uk/budget for why.\n\nBest regards\nPete"
)


def deal(**changes: Any) -> Deal:
    head = {"id": "d-1", "account": "Kestrel Foods", "owner": "Lowri Banner", "team": "North"}
    documents = [
        {"id": "Call with Pete", "kind": "call_transcript", "text": CALL},
        {"id": "mail", "kind": "email_thread", "text": MAIL},
    ]
    return Deal.from_request({"deal": head, "documents": documents} | changes)


def note(text: str, **head: Any) -> str:
    """Gives the note of a deal as it reads redacted."""
    documents = [{"id": "n", "kind": "rep_note", "text": text}]
    found = RedactedDeal(Deal.from_request({"deal": {"id": "d-2", **head}, "documents": documents}), ["Gong"])
    return found.deal.documents[0].text or ""


def test_nobody_who_speaks_is_named_any_more() -> None:
    whole = RedactedDeal(deal(), ["Gong"]).deal.model_dump_json()
    for name in ("Pete", "Osgood", "Lowri", "Banner", "Kestrel", "kestrelfoods", "+44", "lowri@"):
        assert name not in whole


def test_rivals_amounts_and_days_survive() -> None:
    text = RedactedDeal(deal(), ["Gong"]).deal.documents[0].text or ""
    assert "went with Gong" in text
    assert "68,000" in text
    assert "2026-11-20" in text


def test_speakers_are_read_as_before() -> None:
    before, after = read_deal(deal()).speakers, read_deal(RedactedDeal(deal()).deal).speakers
    assert [one.role for one in after] == [one.role for one in before]
    assert {one.role for one in after} == {"rep", "buyer"}


def test_mail_addresses_keep_their_shape() -> None:
    text = RedactedDeal(deal()).deal.documents[1].text or ""
    assert "Name_B <Name_B@account_a.example>" in text
    assert "<Name_A@domain_a.example>" in text
    assert "https://link.example for why" in text


def test_fields_and_document_ids_name_nobody() -> None:
    found = RedactedDeal(deal()).deal
    assert (found.account, found.owner, found.team) == ("Account_A", "Name_A", "North")
    assert [document.id for document in found.documents] == ["document-1", "document-2"]


def test_quote_through_a_name_still_stands() -> None:
    redacted = RedactedDeal(deal())
    start = CALL.index("ing time.")
    cut = CALL.index("trel cannot")
    for low, high in ((start, start + 8), (cut, cut + 15), (CALL.index("Osgood (Kestrel"), cut + 11)):
        quote = redacted.quote(Span(document_id="Call with Pete", start=low, end=high, text=CALL[low:high]))
        assert quote
        assert quote in (redacted.deal.documents[0].text or "")
    assert (
        redacted.quote(Span(document_id="Call with Pete", start=cut, end=cut + 15, text="")) == "Account_A cannot pay"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Closed on 12.11.2026, 10:30, for 1,200,000 EUR or 0.5 % less.",
        "Will come back in May. Mark it.",
        "Order 12345678 was 2024/2025 budget.",
    ],
)
def test_plain_words_and_numbers_stay(text: str) -> None:
    assert note(text, owner="Will Mark-May") == text.replace("Mark", "Name_A").replace("May", "Name_A")


def test_phone_numbers_of_many_kinds_go() -> None:
    text = note("Call 020 7946 0958, (555) 123-4567, 555-123-4567 or +49 (0)30 901820-44.")
    assert text == "Call Phone_A, Phone_A, Phone_A or Phone_A."


def test_account_name_goes_without_its_suffix() -> None:
    text = note("Nordwind said no. NORDWIND LOGISTICS paid Gong.", account="Nordwind Logistics GmbH")
    assert text == "Account_A said no. Account_A paid Gong."


def test_transcript_in_lower_case_is_redacted() -> None:
    documents = [{"id": "c", "kind": "call_transcript", "text": LOWER}]
    text = RedactedDeal(Deal.from_request({"deal": {"id": "d"}, "documents": documents})).deal.documents[0].text
    assert text == LOWER.replace("dana", "Name_A").replace("tom", "Name_B")


def test_turns_and_their_speakers_are_redacted() -> None:
    turns = [{"speaker": "Dana Ortiz", "text": "Hello Tom."}, {"speaker": "Tom Hill", "text": "Dana, it is too dear."}]
    documents = [{"id": "c", "kind": "call_transcript", "turns": turns}]
    found = RedactedDeal(Deal.from_request({"deal": {"id": "d"}, "documents": documents})).deal.documents[0].turns or ()
    assert [(turn.speaker, turn.text) for turn in found] == [
        ("Name_A", "Hello Name_B."),
        ("Name_B", "Name_A, it is too dear."),
    ]
