"""Deals that can be told apart: each has a mark of its own in its text, and a reason that follows from its number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from lossnlp.taxonomy import Taxonomy, get_default_taxonomy

VERSION = "stand-in-1"
_SAID = {
    "price": "the price was far too high",
    "budget": "their budget was frozen in May",
    "procurement_legal": "legal took far too long",
    "timing": "the timing was wrong for them",
}
_WORDS = {"price": "price", "budget": "budget", "legal": "procurement_legal", "timing": "timing"}
_MARK = re.compile(r"M\d{6}")
_NOTHING = {"value": False, "confidence": 0.9}
_FLAGS = ("external_only", "insufficient_detail", "rep_buyer_conflict", "stated_reason_conflict")
_PERSONS_EACH = 20


@dataclass(frozen=True, slots=True)
class KnownDeal:
    """A deal whose right answer is known.

    Args:
        number: From 0 on.
    """

    number: int

    @property
    def id(self) -> str:
        """The CRM's id."""
        return f"D-{self.number:06}"

    @property
    def mark(self) -> str:
        """What stands in no other deal's text."""
        return f"M{self.number:06}"

    @property
    def reason(self) -> str:
        """Why it was lost."""
        return list(_SAID)[self.number % len(_SAID)]

    @property
    def text(self) -> str:
        """The note."""
        return f"{self.mark}: {_SAID[self.reason]}."

    @property
    def is_persons(self) -> bool:
        """Says whether a person has set its reason before anything else came."""
        return self.number % _PERSONS_EACH == 0

    def is_answer(self, answer: dict[str, Any]) -> bool:
        """Says whether an answer is this deal's: its id, its reason, its own words as evidence."""
        first = answer["reasons"][0]
        quotes = [evidence["text"] for evidence in first["evidence"]]
        return answer["deal_id"] == self.id and first["code"] == self.reason and quotes == [self.text]


class Reader:
    """The classifier of these services: it answers with the reason that the words of a note say, and the note as evidence."""

    model_version = VERSION

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels that ship."""
        return get_default_taxonomy()

    def assess(self, deal: Deal, /) -> Assessment:
        """Gives the assessment of one deal."""
        document = deal.documents[0]
        text = document.text or ""
        code = next(code for word, code in _WORDS.items() if word in text)
        evidence = {"document_id": document.id, "start": 0, "end": len(text), "text": text, "role": "rep"}
        reason = {"code": code, "label": code, "group": "g", "primary": True, "confidence": 0.9, "evidence": [evidence]}
        return Assessment.model_validate({**_rest(deal.id), "reasons": [reason]})


def _rest(deal_id: str) -> dict[str, Any]:
    element = {"state": "not_mentioned", "confidence": 0.9}
    return {
        "deal_id": deal_id,
        "model": {"version": VERSION, "taxonomy_version": "1"},
        "meddpicc": dict.fromkeys(get_default_taxonomy().element_codes, element),
        "attribution": {"value": "external_only", "confidence": 0.9},
        "flags": dict.fromkeys(_FLAGS, _NOTHING),
        "winback": {"state": "open", "confidence": 0.8, "revisit_on": "2027-02-01"},
        "review": {"required": False, "because": []},
        "accepted": ["primary_reason", "external_only", "winback"],
    }


def find_mark(text: str) -> str | None:
    """Gives the mark that stands in a text."""
    found = _MARK.search(text)
    return found.group() if found else None
