from __future__ import annotations

import pytest

from lossnlp.deal import MAX_DOCUMENT_CHARS, Deal
from lossnlp.errors import InvalidDealError


def request(**document: object) -> dict[str, object]:
    return {"deal": {"id": "d-1"}, "documents": [{"id": "note", "kind": "rep_note"} | document]}


def test_short_form_becomes_one_rep_note() -> None:
    deal = Deal.from_request({"id": "d-1", "text": "Lost on price", "closed_at": "2026-11-20"})
    assert [(document.kind, document.text) for document in deal.documents] == [("rep_note", "Lost on price")]
    assert str(deal.closed_at) == "2026-11-20"


def test_date_time_counts_as_its_day() -> None:
    deal = Deal.from_request({"id": "d-1", "text": "x", "closed_at": "2026-11-20T23:10:00Z"})
    assert str(deal.closed_at) == "2026-11-20"


@pytest.mark.parametrize("day", ["Their CFO said no", "Tuesday", 0, 1_763_596_800, True, "0"])
def test_no_day_is_no_date(day: object) -> None:
    with pytest.raises(InvalidDealError) as caught:
        Deal.from_request({"id": "d-1", "text": "x", "closed_at": day})
    assert caught.value.message == "Field 'closed_at': should be a date such as 2026-11-20."


def test_unknown_fields_are_ignored_quietly() -> None:
    assert Deal.from_request(request(text="x", colour="blue")).id == "d-1"


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"text": "x"}, "id"),
        ({"id": "d-1"}, "text"),
        ({"id": "d-1", "text": ""}, "text"),
        ({"id": "d-1", "text": " \x00\u200b "}, "text"),
        ({"id": "d-1", "text": "x" * (MAX_DOCUMENT_CHARS + 1)}, "text"),
        ({"id": "d-1", "text": "x", "closed_at": "yesterday"}, "closed_at"),
        ({"deal": {"id": "d-1"}}, "documents"),
        ({"deal": {"id": "d-1"}, "documents": []}, "documents"),
        (request(text="x", kind="poem"), "documents.0.kind"),
        (request(), "documents.0"),
        (request(text="x", turns=[{"text": "x"}]), "documents.0"),
        (
            {"deal": {"id": "d-1", "amount": -5}, "documents": [{"id": "n", "kind": "rep_note", "text": "x"}]},
            "deal.amount",
        ),
        (
            {"deal": {"id": "d-1", "amount": False}, "documents": [{"id": "n", "kind": "rep_note", "text": "x"}]},
            "deal.amount",
        ),
    ],
)
def test_bad_request_names_the_field(bad: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidDealError) as caught:
        Deal.from_request(bad)
    assert caught.value.field == field


def test_error_never_repeats_the_text() -> None:
    with pytest.raises(InvalidDealError) as caught:
        Deal.from_request({"id": "d-1", "text": "canary " * 500_000})
    assert "canary" not in caught.value.message


def test_twin_document_ids_are_refused() -> None:
    twin = {"id": "n", "kind": "rep_note", "text": "x"}
    with pytest.raises(InvalidDealError, match="unique"):
        Deal.from_request({"deal": {"id": "d-1"}, "documents": [twin, twin]})


def test_lone_surrogate_becomes_replacement_mark() -> None:
    deal = Deal.from_request({"id": "d-1", "text": "bad \ud83d mark"})
    assert deal.documents[0].text == "bad \ufffd mark"
