"""A deal without what names people: placeholders for persons, the account, mail addresses, phone numbers and web addresses.

Names are those that the deal itself shows: speakers, senders and signers of mails, attendees, the owner, the account. Somebody who is
only talked about keeps their name; a fuller redaction has to find those too. Placeholders keep the shape of what they replace
(`Name_A`, `Name_A@account_a.example`), so that a redacted transcript is still read speaker by speaker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lossnlp.assessment import Span
from lossnlp.deal import Deal, Document
from lossnlp.speaker_names import company_of_domain, is_same_company
from serving.review.named import ACCOUNT, NameFinder, find_parties, letter, tokens_of

# Every repetition is bounded, so that hostile text takes linear time.
_MAIL = re.compile(r"(?<![\w.+'-])([\w.+'-]{1,64})@([\w-]{1,60}(?:\.[\w-]{1,60}){1,4})")
_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"'()\[\]]{1,2000}(?<![.,;:!?])", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w.,/-])(?:\+\d[\d ()./-]{6,18}\d|\(?0\d[\d ()./-]{6,14}\d|\(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4})(?![\w/-])"
)
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d")
_FEWEST_DIGITS, _MOST_DIGITS = 9, 15
_URL_PLACE, _PHONE_PLACE, _OWNER_PLACE = "https://link.example", "Phone_A", "Owner_A"
_FREE_FIELDS = ("stated_reason", "stage", "segment", "team", "region", "product")


@dataclass(frozen=True, slots=True)
class Swap:
    """A stretch of a text and what stands there instead."""

    start: int
    end: int
    words: str

    @property
    def growth(self) -> int:
        """How many characters longer the text becomes."""
        return len(self.words) - (self.end - self.start)


@dataclass(frozen=True, slots=True)
class RedactedText:
    """A text with its swaps done; they stand in order and do not overlap."""

    text: str
    swaps: tuple[Swap, ...]

    def quote(self, start: int, end: int) -> str:
        """Gives the words that stand now where `start` to `end` stood; a swap that the quote cuts is taken whole."""
        for swap in self.swaps:
            if swap.start < end and start < swap.end:
                start, end = min(start, swap.start), max(end, swap.end)
        before = sum(swap.growth for swap in self.swaps if swap.end <= start)
        within = sum(swap.growth for swap in self.swaps if start <= swap.start and swap.end <= end)
        return self.text[start + before : end + before + within]


class Redactor:
    """Swaps what names people in one deal; the same name gets the same placeholder everywhere in it.

    Args:
        deal: The deal.
        kept: Names of rivals, which survive.
    """

    def __init__(self, deal: Deal, kept: Iterable[str] = ()) -> None:
        names = sorted({name for name in kept if name.strip()}, key=len, reverse=True)
        self._kept = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names) or r"(?!)")
        self._rivals = names
        self._account = deal.account
        self._finder = NameFinder(find_parties(deal))
        self._domains: dict[str, str] = {}
        self._senders: dict[str, str] = {}

    def redact(self, raw: str) -> RedactedText:
        """Gives a text with placeholders."""
        fixed = list(_without_overlap([*self._patterns(raw), *self._kept_places(raw)]))
        swaps = [swap for swap in fixed if raw[swap.start : swap.end] != swap.words]
        edges = [0, *(edge for swap in fixed for edge in (swap.start, swap.end)), len(raw)]
        for start, end in list(pairwise(edges))[::2]:
            named = self._finder.find(raw, start, end)
            swaps += [Swap(one.start, one.end, one.party.placeholder) for one in named]
        swaps.sort(key=lambda swap: swap.start)
        parts, at = [], 0
        for swap in swaps:
            parts += [raw[at : swap.start], swap.words]
            at = swap.end
        return RedactedText("".join([*parts, raw[at:]]), tuple(swaps))

    def _kept_places(self, raw: str) -> Iterator[Swap]:
        yield from (Swap(found.start(), found.end(), found[0]) for found in self._kept.finditer(raw))

    def _patterns(self, raw: str) -> Iterator[Swap]:
        yield from (Swap(*found.span(), self._mail(found[1], found[2])) for found in _MAIL.finditer(raw))
        yield from (Swap(*found.span(), _URL_PLACE) for found in _URL.finditer(raw))
        yield from (Swap(*found.span(), _PHONE_PLACE) for found in _PHONE.finditer(raw) if _is_phone(found[0]))

    def _mail(self, sender: str, domain: str) -> str:
        party = self._finder.find_by_words(tokens_of(sender))
        name = party.placeholder if party else _counted(self._senders, sender.casefold(), "mail_{}")
        return f"{name}@{self._domain(domain)}"

    def _domain(self, domain: str) -> str:
        """Gives the domain's placeholder; mail services and rivals keep theirs."""
        company = company_of_domain(domain)
        if company is None or any(is_same_company(company, rival) for rival in self._rivals):
            return domain
        if self._account is not None and is_same_company(company, self._account):
            return f"{ACCOUNT.lower()}.example"
        return _counted(self._domains, company, "domain_{}.example")


class RedactedDeal:
    """A deal with placeholders in every text, and its quotes as they stand there.

    Args:
        deal: The deal as it is.
        kept: Names of rivals, which survive.
    """

    def __init__(self, deal: Deal, kept: Iterable[str] = ()) -> None:
        self._redactor = Redactor(deal, kept)
        self._texts = {
            (document.id, turn): self._redactor.redact(text)
            for document in deal.documents
            for turn, text in document.numbered_texts
        }
        self.deal = self._redact(deal)

    def quote(self, span: Span) -> str:
        """Gives the words that stand now where a quote stood."""
        return self._texts[span.document_id, span.turn].quote(span.start, span.end)

    def _redact(self, deal: Deal) -> Deal:
        """Gives the deal; documents are numbered, as their ids may be titles that name people."""
        fields: dict[str, Any] = {name: self._line(getattr(deal, name)) for name in _FREE_FIELDS}
        fields["documents"] = tuple(self._document(one, at) for at, one in enumerate(deal.documents, start=1))
        owner = self._line(deal.owner)
        fields["owner"] = _OWNER_PLACE if owner is not None and owner == deal.owner else owner
        fields["account"] = ACCOUNT if deal.account is not None else None
        return deal.model_copy(update=fields)

    def _document(self, document: Document, number: int) -> Document:
        turns = document.turns and tuple(
            turn.model_copy(update={"text": self._texts[document.id, index].text, "speaker": self._line(turn.speaker)})
            for index, turn in enumerate(document.turns)
        )
        text = None if document.text is None else self._texts[document.id, None].text
        return document.model_copy(update={"id": f"document-{number}", "text": text, "turns": turns})

    def _line(self, line: str | None) -> str | None:
        return None if line is None else self._redactor.redact(line).text


def _without_overlap(swaps: Sequence[Swap]) -> Iterator[Swap]:
    """Gives the swaps in order; of two that overlap the one that begins first, and of those the longer."""
    at = 0
    for swap in sorted(swaps, key=lambda one: (one.start, -one.end)):
        if swap.start >= at:
            yield swap
            at = swap.end


def _is_phone(words: str) -> bool:
    """Says whether a run of digits is a phone number rather than dates or amounts."""
    digits = sum(char.isdigit() for char in words)
    return _FEWEST_DIGITS <= digits <= _MOST_DIGITS and not _DATE.search(words)


def _counted(seen: dict[str, str], key: str, shape: str) -> str:
    """Gives the placeholder of a key: a new one for a new key."""
    return seen.setdefault(key, shape.format(letter(len(seen)).lower()))
