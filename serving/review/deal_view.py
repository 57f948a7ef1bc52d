"""What the page of a deal shows: what was read, what people said of it, and where it stands in the texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment, Evidence
from lossnlp.calibration import Calibration
from lossnlp.deal import Document
from lossnlp.taxonomy import Taxonomy
from serving.review.causes import cause_in_words
from serving.review.highlight import Mark, ShownDocument, anchor_of, find_again, fold, show_documents
from serving.review.reading_view import Quote, Reading, read_labels, rival_id
from serving.review.texts import Texts
from serving.review.verdict import VerdictLabels, labels_of
from serving.review.verdicts import find_all_held
from serving.store import get_assessment
from serving.tables import AssessmentRow, DealRow, ReviewRow, VerdictRow
from serving.taxonomy_change.carrying import carry_assessment, carry_labels, version_of

MOST_CHARS = 60_000


@dataclass(frozen=True, slots=True)
class Stood:
    """What is kept of a deal that waits, for one person.

    Args:
        review: What waits.
        row: The assessment.
        deal: The CRM's fields.
        assessment: What the model read.
        held: The verdicts that this person may see, oldest first.
        is_blind: Whether another's verdict is kept from them until they have given their own.
        base: What stands in the form at first: the values of the last verdict that may be seen, else those that the model read.
        is_settled: Whether all that was read stands in the list as it is now; else it cannot be accepted as it is.
    """

    review: ReviewRow
    row: AssessmentRow
    deal: DealRow
    assessment: Assessment
    held: tuple[VerdictRow, ...]
    is_blind: bool
    base: VerdictLabels
    is_settled: bool

    @property
    def seen(self) -> str:
        """The id of the verdict that is shown as the one that holds, empty where none is."""
        return str(self.held[-1].id) if self.held else ""

    @property
    def causes(self) -> list[str]:
        """Why it waits, in words."""
        return sorted(cause_in_words(cause.cause) for cause in self.review.causes)


def load_stood(session: Session, review: ReviewRow, person_id: int, taxonomy: Taxonomy) -> Stood:
    """Gives what is kept of a deal that waits, for one person.

    Of two verdicts that are to be given apart, nobody sees the other's before they have given their own.

    Args:
        session: An open session.
        review: What waits.
        person_id: Who looks.
        taxonomy: The list of reasons in service, which all is shown in as far as that is certain.
    """
    row = get_assessment(session, review.assessment_id)
    held = find_all_held(session, row.id)
    is_blind = review.wanted > 1 and person_id not in {verdict.person_id for verdict in held}
    deal = session.get_one(DealRow, row.deal_id)
    read = carry_assessment(session, Assessment.model_validate(row.assessment), taxonomy)
    seen = () if is_blind else tuple(held)
    last = next((verdict for verdict in reversed(seen) if verdict.labels is not None), None)
    if last is None:
        base = labels_of(read.assessment)
    else:
        labels, version = VerdictLabels.model_validate(last.labels), version_of(session, last)
        base, _ = carry_labels(session, labels, version, until=taxonomy.version)
    return Stood(review, row, deal, read.assessment, seen, is_blind, base, is_settled=not read.open)


@dataclass(frozen=True, slots=True)
class DealView:
    """The page of a deal.

    Args:
        stood: What is kept of it.
        texts: Where its words come from.
        documents: Its words, lit; empty where they are not at hand.
        reading: What the model read.
        n_lost: Quotes whose words do not stand in the texts any more.
    """

    stood: Stood
    texts: Texts
    documents: tuple[ShownDocument, ...]
    reading: Reading
    n_lost: int = 0


def view_deal(
    stood: Stood, texts: Texts, *, taxonomy: Taxonomy, calibration: Calibration | None, is_whole: bool = False
) -> DealView:
    """Gives the page of a deal.

    Args:
        stood: What is kept of it.
        texts: Its words.
        taxonomy: The labels there are.
        calibration: The thresholds it was held against; None where they are not at hand.
        is_whole: Whether long documents are shown to their end, not only around what is lit.
    """
    found, lost = find_again(_marks(stood), texts.documents)
    documents = show_documents(texts.documents, found, stood.assessment.speakers)
    quotes = _quotes(found, lost, texts.documents)
    reading = read_labels(stood.assessment, taxonomy=taxonomy, calibration=calibration, quotes=quotes)
    shown = documents if is_whole else fold(documents, most_chars=MOST_CHARS)
    return DealView(stood, texts, shown, reading, len(lost) if texts.documents else 0)


def _marks(stood: Stood) -> tuple[Mark, ...]:
    """Gives every stretch that is quoted: for the values in the form, and for the rivals that were read."""
    quoted = [Mark(label, span) for label, spans in stood.base.evidence.items() for span in spans]
    rivals = [Mark(rival_id(place), rival) for place, rival in enumerate(stood.assessment.competitors) if rival.text]
    return (*quoted, *rivals)


def _quotes(found: Sequence[Mark], lost: Sequence[Mark], documents: Sequence[Document]) -> dict[str, tuple[Quote, ...]]:
    """Gives the quotes of each label; those whose words are not there lead nowhere."""
    quotes: dict[str, tuple[Quote, ...]] = {}
    anchored = [(mark, anchor_of(documents, mark.span)) for mark in found] + [(mark, None) for mark in lost]
    for mark, anchor in anchored:
        span = mark.span
        who = (span.speaker, span.role) if isinstance(span, Evidence) else (None, None)
        quotes[mark.label] = (*quotes.get(mark.label, ()), Quote(span.text, *who, anchor=anchor))
    return quotes


def primary_of(verdict: VerdictRow, taxonomy: Taxonomy) -> str:
    """Gives the label of the primary reason by a verdict; empty where it gives none."""
    codes = VerdictLabels.model_validate(verdict.labels).reasons if verdict.labels is not None else ()
    return next((reason.label for reason in taxonomy.reasons if reason.code in codes[:1]), "")
