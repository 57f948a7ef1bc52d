"""A deal and its assessment without personal data: the same placeholders in every text, quotes at their raw offsets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal, Document
from lossnlp.people import read_people
from lossnlp.person_cues import Words
from lossnlp.redaction import Redacted, redact_texts
from lossnlp.speaker_names import read_name
from lossnlp.transcripts import read_turns


class RedactedDeal:
    """A deal whose texts hold placeholders.

    Args:
        deal: The deal as it came.
        kept: Names of companies and products that survive, beside the account, the product and the rivals that the texts show.
    """

    def __init__(self, deal: Deal, kept: Iterable[str] = ()) -> None:
        self._places = [(document.id, turn) for document in deal.documents for turn, _ in document.numbered_texts]
        self._raw = deal.texts
        self._lines = list(dict.fromkeys(_lines(deal)))
        surviving = [*kept, *(name for name in (deal.account, deal.product) if name)]
        redacted = redact_texts([*self._raw, *self._lines], kept=surviving, people=_people(deal))
        self._texts = dict(zip(self._places, redacted[: len(self._places)], strict=True))
        self._by_line = dict(zip(self._lines, redacted[len(self._places) :], strict=True))
        self.deal = deal.model_copy(update={"documents": tuple(map(self._document, deal.documents))})

    def text(self, document_id: str, turn: int | None = None) -> Redacted:
        """Gives a text of the deal with its placeholders and offsets."""
        return self._texts[document_id, turn]

    def assessment(self, assessment: Assessment) -> Assessment:
        """Gives the assessment with redacted quotes and labels; offsets stay those of the raw texts."""
        kept: Assessment = Assessment.model_validate(self._walk(assessment.model_dump(mode="json")))
        return kept

    def _walk(self, value: Any) -> Any:  # noqa: ANN401 (a decoded assessment holds values of all kinds)
        if isinstance(value, list):
            return [self._walk(one) for one in value]
        if not isinstance(value, dict):
            return value
        walked = {key: self._walk(one) for key, one in value.items()}
        if {"document_id", "start", "end", "text"} <= walked.keys():
            walked["text"] = self.text(value["document_id"], value["turn"]).quote(value["start"], value["end"])
        if isinstance(value.get("speaker"), str):
            walked["speaker"] = self.words(value["speaker"])
        if isinstance(value.get("revisit_text"), str):
            walked["revisit_text"] = self.words(value["revisit_text"])
        return walked

    def words(self, line: str) -> str:
        """Gives a quote or a label with the numbers that the deal's people have; what stands in a text, as it stands there."""
        if line in self._by_line:
            return self._by_line[line].text
        for place, raw in zip(self._places, self._raw, strict=True):
            start = raw.find(line)
            if start >= 0:
                return self._texts[place].quote(start, start + len(line))
        return redact_texts([line])[0].text

    def _document(self, document: Document) -> Document:
        turns = document.turns and tuple(
            turn.model_copy(
                update={"text": self.text(document.id, at).text, "speaker": turn.speaker and self.words(turn.speaker)}
            )
            for at, turn in enumerate(document.turns)
        )
        text = None if document.text is None else self.text(document.id).text
        return document.model_copy(update={"text": text, "turns": turns})


def redact_deal(deal: Deal, kept: Iterable[str] = ()) -> Deal:
    """Gives the deal with placeholders in every text and label of a speaker."""
    return RedactedDeal(deal, kept).deal


def redact_for_rest(deal: Deal, assessment: Assessment) -> tuple[Deal, Assessment]:
    """Gives what may be kept of a deal and of its assessment.

    The rivals' names survive. Of the deal the stated reason is redacted; its owner and account stay: they are keys.
    """
    redacted = RedactedDeal(deal, [rival.name for rival in assessment.competitors])
    stated = deal.stated_reason and redacted.words(deal.stated_reason)
    return deal.model_copy(update={"stated_reason": stated}), redacted.assessment(assessment)


def _lines(deal: Deal) -> Iterable[str]:
    """Gives the labels of the deal's speakers."""
    for document in deal.documents:
        yield from (turn.speaker for turn in read_turns(document) if turn.speaker)


def _people(deal: Deal) -> list[Words]:
    """Gives the words of the names of those who speak in the deal and of its owner."""
    people = read_people([(document, read_turns(document)) for document in deal.documents])
    owner = read_name(deal.owner).words if deal.owner and not any(map(str.isdigit, deal.owner)) else frozenset()
    return [words for words in (*(person.words for person in people), owner) if words]
