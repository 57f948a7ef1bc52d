"""The words of deals without the names in them: quotes for whoever reads a loss review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import case, func, select

from lossnlp.assessment import Assessment, Evidence
from lossnlp.deal import Deal, Document, Turn
from serving.reports.dimensions import amount_band
from serving.reports.pack_names import NameRemover
from serving.reports.report import Report
from serving.reports.winback_entries import find_readings
from serving.tables import LossReasonRow, LossRow

_WHO = {"buyer": "buyer", "rep": "our note or call", "other": "somebody else"}
_MOST_CHARS, _FEWEST_CHARS = 320, 15


@dataclass(frozen=True, slots=True)
class Passage:
    """A quote without names.

    Args:
        text: The words.
        who: Who says them, for people; empty where nobody knows.
        document_id: Where they stand; it is shown to nobody.
    """

    text: str
    who: str
    document_id: str


@dataclass(frozen=True, slots=True)
class Voice:
    """A deal's quotes.

    Args:
        deal: What may be told of the deal: segment, product and size.
        passages: Its quotes.
        told: The deal itself; it is shown to nobody as it is.
    """

    deal: str
    passages: tuple[Passage, ...]
    told: Told

    def without_names_of(self, documents: Sequence[Document]) -> Voice:
        """Gives the quotes without the names that only documents show; as they are where none are at hand."""
        if not documents:
            return self
        remover = self.told.remover(documents)
        return replace(self, passages=tuple(without_names(passage, remover) for passage in self.passages))


@dataclass(frozen=True, slots=True)
class Chorus:
    """Quotes about one subject.

    Args:
        title: The subject.
        voices: Deals that speak of it.
        question: What is worth asking next time; empty for nothing.
    """

    title: str
    voices: tuple[Voice, ...]
    question: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A lost deal and what holds of it."""

    loss: LossRow
    reading: Assessment

    @property
    def deal(self) -> str:
        """What may be told of the deal without naming anybody: segment, product and size."""
        loss = self.loss
        band = amount_band(loss.amount)
        size = band and f"{band} {loss.currency or ''}".rstrip()
        return ", ".join(part for part in (loss.segment, loss.product, size) if part) or "a deal without these fields"

    def remover(self, documents: Sequence[Document] = ()) -> NameRemover:
        """Gives what takes the names out of this deal's words.

        Args:
            documents: Its documents where they are at hand; they show more names than what is kept does.
        """
        loss, reading = self.loss, self.reading
        rivals = [rival.name for rival in reading.competitors]
        kept = Document(id="kept", kind="call_transcript", turns=tuple(_turns(reading)))
        deal = Deal(id="kept", documents=tuple(documents) or (kept,), owner=loss.owner, account=loss.account)
        return NameRemover(deal, rivals)

    def passages(self, quotes: Iterable[Evidence]) -> tuple[Passage, ...]:
        """Gives quotes without names; none that are too short to tell anything, none that another one holds."""
        remover = self.remover()
        found = distinct(quote for quote in quotes if len(quote.text.strip()) >= _FEWEST_CHARS)
        return tuple(
            Passage(_without_names(quote.text, remover), _WHO.get(quote.role or "", ""), quote.document_id)
            for quote in found
        )


def _turns(reading: Assessment) -> Iterator[Turn]:
    """Gives who speaks in a deal, as turns that names are found in."""
    yield Turn(text="who speaks")
    yield from (Turn(speaker=one.speaker, role=one.role, text="speaks") for one in reading.speakers)
    quoted = (quote for reason in reading.reasons for quote in reason.evidence)
    yield from (Turn(speaker=quote.speaker, role=quote.role, text="speaks") for quote in quoted if quote.speaker)


def distinct(quotes: Iterable[Evidence]) -> list[Evidence]:
    """Gives the quotes in their order, without those whose words stand in another one of the same document."""
    every = list({(quote.document_id, quote.text): quote for quote in quotes}.values())
    return [
        one
        for one in every
        if not any(
            one is not other and one.document_id == other.document_id and one.text in other.text for other in every
        )
    ]


def without_names(passage: Passage, remover: NameRemover) -> Passage:
    """Gives a passage without the names that were left in it."""
    return replace(passage, text=_without_names(passage.text, remover))


def _without_names(text: str, remover: NameRemover) -> str:
    words = remover.remove(text)
    return words if len(words) <= _MOST_CHARS else f"{words[:_MOST_CHARS].rsplit(' ', 1)[0]} …"


def read_told(report: Report, losses: Sequence[LossRow]) -> list[Told]:
    """Gives what holds of some deals."""
    readings = find_readings(report.session, losses, report.taxonomy)
    return [Told(loss, readings[loss.deal_id]) for loss in losses]


def read_with_reason(report: Report, code: str, *, most: int) -> list[Told]:
    """Gives deals that a reason applies to, those with most money in the currency of the report first.

    Args:
        report: The report being made.
        code: The reason.
        most: How many deals at most.
    """
    in_currency = case((LossRow.currency == report.scope.currency, 0), else_=1)
    query = select(LossRow).join(LossReasonRow, LossReasonRow.deal_id == LossRow.deal_id)
    query = query.where(*report.scope.where, LossReasonRow.code == code)
    query = query.order_by(in_currency, func.coalesce(LossRow.amount, -1).desc(), LossRow.deal_id)
    return read_told(report, list(report.session.scalars(query.limit(most))))


def quotes_of(reading: Assessment, code: str) -> tuple[Evidence, ...]:
    """Gives what shows a reason, the buyer's own words first."""
    quotes = [quote for reason in reading.reasons if reason.code == code for quote in reason.evidence]
    return tuple(sorted(quotes, key=lambda quote: quote.role != "buyer"))
