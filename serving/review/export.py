"""The verdicts that hold as lines to learn from: with the words of their deals, redacted unless asked otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from lossnlp.assessment import Assessment, Span
from lossnlp.deal import Deal
from lossnlp.redaction import stands_for
from lossnlp.speaker_names import company_key
from serving.review.redaction import RedactedDeal
from serving.review.texts import TextSource
from serving.review.verdict import VerdictLabels, labels_of
from serving.review.verdict_lines import VerdictLine, line_labels, make_line
from serving.store import Database, deal_fields
from serving.tables import AssessmentRow, DealRow, LossRow, VerdictRow
from serving.taxonomy_change.carrying import carry_labels, version_of

FindDeal = Callable[[AssessmentRow], Deal | None]
NO_WORDS = "its words are not to be had as they were judged"
OPEN_IN_LIST = "the list of reasons has changed, and which one it is now waits for a person"
NO_QUOTES = "its quotes do not stand in the words that were found"
_PAGE = 200
_Judged = tuple[VerdictRow, AssessmentRow]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A judged deal that could not be exported, and why."""

    deal_id: str
    why: str


@dataclass(slots=True)
class Tally:
    """What an export came to; it is complete once all lines were taken.

    Args:
        lines: Verdicts that were written.
        open: Deals of which nobody could tell, written apart.
        left_out: Deals that could not be written.
    """

    lines: int = 0
    open: int = 0
    left_out: list[LeftOut] = field(default_factory=list)

    def causes(self) -> Counter[str]:
        """Gives how many deals were left out for each cause."""
        return Counter(one.why for one in self.left_out)


@dataclass(frozen=True)
class VerdictExport:
    """Exports the verdicts that hold.

    Args:
        database: Where they are kept.
        find_deal: Gives the deal of an assessment with its words as they were judged, or None; called outside any unit of work.
        redact: Whether names, addresses and numbers become placeholders.
        with_open: Whether deals of which nobody could tell are exported too.
    """

    database: Database
    find_deal: FindDeal
    redact: bool = True
    with_open: bool = False

    def lines(self, tally: Tally, since: datetime | None = None) -> Iterator[VerdictLine]:
        """Gives one line for each deal that a verdict holds of, oldest verdict first, told apart by `format`.

        Args:
            tally: Counts along.
            since: Only verdicts given at or after this moment.
        """
        accounts: dict[str, str] = {}
        for verdict, row in self._held(since):
            is_open = verdict.labels is None
            if is_open and not self.with_open:
                continue
            labels = labels_of(Assessment.model_validate(row.assessment)) if is_open else self._in_newest_list(verdict)
            line = self._line(verdict, row, labels, accounts) if labels else LeftOut(row.deal_id, OPEN_IN_LIST)
            if isinstance(line, LeftOut):
                tally.left_out.append(line)
                continue
            tally.open += is_open
            tally.lines += not is_open
            yield line

    def _in_newest_list(self, verdict: VerdictRow) -> VerdictLabels | None:
        """Gives what a verdict says in the newest list of reasons; None where that is open."""
        with self.database.reading() as session:
            labels, version = VerdictLabels.model_validate(verdict.labels), version_of(session, verdict)
            newest, carried = carry_labels(session, labels, version)
        return None if carried.open else newest

    def _held(self, since: datetime | None) -> Iterator[_Judged]:
        """Gives the verdicts that hold with what they judge, page by page: between two pages no connection is held."""
        query = select(VerdictRow, AssessmentRow).join(LossRow, LossRow.verdict_id == VerdictRow.id)
        query = query.join(AssessmentRow, AssessmentRow.id == VerdictRow.assessment_id).order_by(VerdictRow.id)
        if since is not None:
            query = query.where(VerdictRow.created_at >= since)
        last = 0
        while True:
            with self.database.reading() as session:
                page = session.execute(query.where(VerdictRow.id > last).limit(_PAGE)).all()
            yield from ((verdict, row) for verdict, row in page)
            if len(page) < _PAGE:
                return
            last = page[-1][0].id

    def _line(
        self, verdict: VerdictRow, row: AssessmentRow, labels: VerdictLabels, accounts: dict[str, str]
    ) -> VerdictLine | LeftOut:
        deal = self.find_deal(row)
        if deal is None:
            return LeftOut(row.deal_id, NO_WORDS)
        if not all(_stands(quote, deal) for quotes in labels.evidence.values() for quote in quotes):
            return LeftOut(row.deal_id, NO_QUOTES)
        meta: dict[str, Any] = {
            "verdict": verdict.kind,
            "judged_on": f"{verdict.created_at:%Y-%m-%d}",
            "model": row.model_version,
            "redacted": self.redact,
        }
        if deal.account:
            key = company_key(deal.account) or deal.account
            meta["account"] = accounts.setdefault(key, f"account of {row.deal_id}")
        words = RedactedDeal(deal, _names(labels, row)) if self.redact else None
        held = line_labels(
            labels, revisit=_find_words(labels.revisit_text, deal), quote=words.quote if words else _raw_words(deal)
        )
        return make_line(words.deal if words else deal, held, is_open=verdict.labels is None, meta=meta)


def find_deals_by(source: TextSource, database: Database) -> FindDeal:
    """Gives what finds the deal of an assessment where its words are at hand unchanged: kept sealed, or in the CRM.

    Args:
        source: Where words come from.
        database: Where the deal's own fields are kept.
    """

    def find(row: AssessmentRow) -> Deal | None:
        texts = source.find(row.id)
        if not texts.is_as_read:
            return None
        with database.reading() as session:
            return Deal(documents=texts.documents, **deal_fields(session.get_one(DealRow, row.deal_id)))

    return find


def _raw_words(deal: Deal) -> Callable[[Span], str]:
    """Gives what gives the raw words of a quote: what is kept of them may hold placeholders."""
    texts = {(document.id, turn): text for document in deal.documents for turn, text in document.numbered_texts}
    return lambda span: texts[span.document_id, span.turn][span.start : span.end]


def _names(labels: VerdictLabels, row: AssessmentRow) -> set[str]:
    """Gives the rivals that a person or the model named: they survive a redaction."""
    return {*labels.competitors, *(rival["name"] for rival in row.assessment.get("competitors", ()))}


def _stands(span: Span, deal: Deal) -> bool:
    """Says whether the words of a quote, or those that its placeholders stand for, stand at its place."""
    return any(
        stands_for(span.text, text[span.start : span.end])
        for document in deal.documents
        for turn, text in document.numbered_texts
        if (document.id, turn) == (span.document_id, span.turn)
    )


def _find_words(words: str | None, deal: Deal) -> Span | None:
    """Gives the first place where words stand, None where they do not."""
    for document in deal.documents if words else ():
        for turn, text in document.numbered_texts:
            start = text.find(words or "")
            if start >= 0:
                end = start + len(words or "")
                return Span(document_id=document.id, start=start, end=end, text=text[start:end], turn=turn)
    return None
