"""What the win-back list says of a deal: the known objection, the last words, a contract that ends, and how to open the talk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment, Evidence
from lossnlp.errors import TaxonomyError
from lossnlp.revisit import resolve_revisit
from lossnlp.taxonomy import Taxonomy
from serving.reports.winback_openers import Told, draft_opener
from serving.reports.winback_windows import Windows
from serving.review.verdicts import reading_with
from serving.tables import AssessmentRow, LossElementRow, LossRow, VerdictRow

_TERM = re.compile(
    r"\b(contract|agreement|licen[cs]e|lease|subscription|renewal|notice period)\w*\b[^.!?]*"
    r"\b(until|till|through|ends?|ending|expir\w+|runs?|runs out|up|renew\w*|due|is in)\b"
    r"|\b(locked|tied) in\b[^.!?]*\b(until|till|through)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Words:
    """A quote and whose it is: `buyer`, `rep`, `other`, or None where nobody knows."""

    text: str
    role: str | None


@dataclass(frozen=True, slots=True)
class ContractEnd:
    """The end of a contract with another vendor as the texts say it, and the day it means where they name one."""

    text: str
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Winback:
    """A lost buyer to call back.

    Args:
        loss: The deal as it is read now.
        due_on: The day to call.
        because: Why this day where nobody has named one; None for a day that the texts name.
        reason: The primary reason, for people.
        gaps: The MEDDPICC elements that were gaps, for people.
        words: What shows the primary reason, the buyer's own words first; None where nothing is quoted.
        contract: When another vendor's contract ends, as far as it is said.
        opener: A draft of the first words.
    """

    loss: LossRow
    due_on: date
    because: str | None
    reason: str
    gaps: tuple[str, ...]
    words: Words | None
    contract: ContractEnd | None
    opener: str

    @property
    def is_unclear(self) -> bool:
        """Whether the texts leave open if there is a way back."""
        return self.loss.winback == "unclear"

    @property
    def name(self) -> str:
        """The account, or the deal's id where none is known."""
        return self.loss.account or self.loss.deal_id


@dataclass(frozen=True, slots=True)
class EntryMaker:
    """Makes entries of losses.

    Args:
        taxonomy: Labels for people.
        windows: How long to wait where nobody has said.
        fiscal_year_starts: Month in which fiscal years start, 1 to 12.
    """

    taxonomy: Taxonomy
    windows: Windows
    fiscal_year_starts: int = 1

    def make(self, session: Session, losses: Sequence[LossRow]) -> Iterator[Winback]:
        """Gives the entry of each loss that has a day to call, in the same order, with three queries for all of them."""
        gaps = _find_gaps(session, losses)
        readings = find_readings(session, losses, self.taxonomy)
        for loss in losses:
            if (due_on := self.due_on(loss)) is not None:
                yield self._entry(loss, due_on, readings[loss.deal_id], gaps=gaps.get(loss.deal_id, ()))

    def due_on(self, loss: LossRow) -> date | None:
        """Gives the day to call: the one that the texts name, else the one that follows from the reason; None for neither."""
        return loss.revisit_on or self.windows.get(loss.primary_reason).due_on(loss.lost_on)

    def _entry(self, loss: LossRow, due_on: date, reading: Assessment, *, gaps: Sequence[str]) -> Winback:
        window = self.windows.get(loss.primary_reason)
        return Winback(
            loss=loss,
            due_on=due_on,
            because=None if loss.revisit_on else f"{window.months} months after the loss. {window.because}".strip(),
            reason=reason_label(self.taxonomy, loss.primary_reason),
            gaps=tuple(element.label for element in self.taxonomy.elements if element.code in gaps),
            words=_words_of(reading),
            contract=find_contract_end(reading, loss, fiscal_year_starts=self.fiscal_year_starts),
            opener=draft_opener(loss, _who_told(loss, reading)),
        )


def reason_label(taxonomy: Taxonomy, code: str) -> str:
    """Gives a reason for people; one that an older taxonomy had by its code."""
    try:
        return taxonomy.get_reason(code).label
    except TaxonomyError:
        return code


def find_contract_end(reading: Assessment, loss: LossRow, *, fiscal_year_starts: int = 1) -> ContractEnd | None:
    """Gives when a contract with another vendor ends, None where no quoted words say so.

    Args:
        reading: What was read of the deal.
        loss: The deal.
        fiscal_year_starts: Month in which fiscal years start, 1 to 12.
    """
    if loss.revisit_text and _TERM.search(loss.revisit_text):
        return ContractEnd(loss.revisit_text, loss.revisit_on)
    quotes = [*reading.winback.evidence, *(quote for reason in reading.reasons for quote in reason.evidence)]
    if (competition := reading.meddpicc.get("competition")) is not None:
        quotes += competition.evidence
    for quote in quotes:
        if _TERM.search(quote.text):
            day = resolve_revisit(quote.text, loss.lost_on, fiscal_year_starts=fiscal_year_starts)
            return ContractEnd(quote.text, day)
    return None


def _words_of(reading: Assessment) -> Words | None:
    quotes: Sequence[Evidence] = sorted(reading.primary.evidence, key=lambda quote: quote.role != "buyer")
    return Words(quotes[0].text, quotes[0].role) if quotes else None


def _who_told(loss: LossRow, reading: Assessment) -> Told:
    if loss.revisit_on is None:
        return "window"
    return "asked" if any(quote.role == "buyer" for quote in reading.winback.evidence) else "noted"


def _find_gaps(session: Session, losses: Sequence[LossRow]) -> dict[str, list[str]]:
    ids = [loss.deal_id for loss in losses]
    query = select(LossElementRow.deal_id, LossElementRow.element).where(
        LossElementRow.deal_id.in_(ids), LossElementRow.state == "gap"
    )
    gaps: dict[str, list[str]] = {}
    for deal_id, element in session.execute(query):
        gaps.setdefault(deal_id, []).append(element)
    return gaps


def find_readings(session: Session, losses: Sequence[LossRow], taxonomy: Taxonomy) -> Mapping[str, Assessment]:
    """Gives what holds of each deal: its assessment, with a person's values where there is a verdict."""
    query = select(AssessmentRow.id, AssessmentRow.assessment).where(
        AssessmentRow.id.in_([loss.assessment_id for loss in losses])
    )
    read = {row_id: Assessment.model_validate(assessment) for row_id, assessment in session.execute(query)}
    judged = select(VerdictRow).where(VerdictRow.id.in_([loss.verdict_id for loss in losses if loss.verdict_id]))
    verdicts = {verdict.id: verdict for verdict in session.scalars(judged)}
    return {
        loss.deal_id: reading_with(read[loss.assessment_id], verdicts.get(loss.verdict_id or 0), taxonomy)
        for loss in losses
    }
