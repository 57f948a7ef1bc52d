"""The desk at which deals are judged: what its pages need, and the way of a verdict from the form into the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from lossnlp.assessment import Assessment
from lossnlp.deal import Document
from serving.crm.connect import read_field_map
from serving.errors import UnknownIdError
from serving.intake import Assessor
from serving.people.access import Viewer
from serving.review.claims import claim_review
from serving.review.crm_view import CrmView, CrmWindow
from serving.review.deal_view import Stood, load_stood
from serving.review.marking import evidence_by_label, parse_marks
from serving.review.said import Said
from serving.review.texts import Source, TextSource
from serving.review.verdict import VerdictError, VerdictKind, VerdictLabels, labels_of
from serving.review.verdict_form import Entered
from serving.review.verdicts import Bench, lock_deal
from serving.settings import Settings
from serving.store import Database
from serving.tables import PersonRow, ReviewRow, VerdictRow

_KINDS: tuple[VerdictKind, ...] = ("accept", "change", "cannot_tell")
_LONGEST_LOOK_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What the pages of a deal need of the application."""

    settings: Settings
    database: Database
    texts: TextSource
    assessor: Assessor

    @classmethod
    def of(cls, request: Request) -> Desk:
        """Gives the desk of the application that answers."""
        state = request.app.state
        return cls(state.settings, state.database, state.texts, request.state.intake.assessor)

    @property
    def bench(self) -> Bench:
        """Where verdicts are given."""
        return Bench(self.assessor.taxonomy, self.settings.crm, redacts=self.settings.redact)

    def look_at_crm(self, assessment_id: str) -> CrmView:
        """Gives what the CRM holds and would hold."""
        fields = read_field_map(self.settings, self.assessor.taxonomy)
        return CrmWindow(self.database, self.texts.find_crm, fields, self.assessor.taxonomy).look(assessment_id)

    def judge(self, viewer: Viewer, review_id: int, form: FormData) -> int:
        """Gives the id of the new verdict, which is committed when this returns.

        Args:
            viewer: Who judges.
            review_id: The deal that waits.
            form: What they sent.

        Raises:
            UnknownIdError: Nothing waits under this id.
            VerdictError: The verdict cannot be taken as it is; names the field.
        """
        kind = _kind(form)
        entered = Entered.of_form(form, self.assessor.taxonomy)
        documents = self._find_marked(review_id, entered) if kind == "change" else ()
        with self.database.writing() as session:
            review = get_review(session, review_id)
            lock_deal(session, review.deal_id)
            hold = claim_review(session, viewer, review_id)
            if hold is not None and not hold.is_mine:
                raise VerdictError(f"{hold.name} took this deal meanwhile and judges it now.")
            stood = load_stood(session, review, viewer.person_id, self.assessor.taxonomy)
            _require_seen(stood, form)
            labels = self._labels(stood, entered, documents) if kind == "change" else None
            person = session.get_one(PersonRow, viewer.person_id)
            said = _said(kind, labels, stood=stood, form=form)
            given = self.bench.give(session, stood.row.id, person, said)
            session.commit()
            return given.id

    def undo(self, viewer: Viewer, verdict_id: int) -> None:
        """Takes a verdict back; it is committed when this returns.

        Raises:
            VerdictError: It does not hold any more, or it is another person's.
        """
        with self.database.writing() as session:
            self.bench.undo(session, verdict_id, session.get_one(PersonRow, viewer.person_id))
            session.commit()

    def find_review_of(self, verdict_id: int) -> int | None:
        """Gives the id of the review that a verdict was given on, None where there is none.

        Raises:
            UnknownIdError: No verdict has this id.
        """
        with self.database.reading() as session:
            verdict = session.get(VerdictRow, verdict_id)
            if verdict is None:
                raise UnknownIdError(f"No verdict has id {verdict_id}.")
            return session.scalar(select(ReviewRow.id).where(ReviewRow.assessment_id == verdict.assessment_id))

    def _find_marked(self, review_id: int, entered: Entered) -> tuple[Document, ...]:
        """Gives the words that places were marked in; they are fetched only where some were."""
        if not parse_marks(entered.marked):
            return ()
        with self.database.reading() as session:
            assessment_id = get_review(session, review_id).assessment_id
        texts = self.texts.find(assessment_id)
        return texts.documents if texts.is_as_read else ()

    def _labels(self, stood: Stood, entered: Entered, documents: tuple[Document, ...]) -> VerdictLabels:
        added = evidence_by_label(parse_marks(entered.marked), documents, stood.assessment.speakers)
        taxonomy, stated = self.assessor.taxonomy, stood.deal.stated_reason
        return entered.to_labels(taxonomy, base=stood.base, stated=stated, added=added)


def get_review(session: Session, review_id: int) -> ReviewRow:
    """Gives the review with this id.

    Raises:
        UnknownIdError: There is none.
    """
    review = session.get(ReviewRow, review_id)
    if review is None:
        raise UnknownIdError(f"No deal waits under {review_id}; the queue shows those that do.")
    return review


def _require_seen(stood: Stood, form: FormData) -> None:
    """Passes where the page showed what holds now: a tab that stood open for long may be behind."""
    if not stood.is_blind and form.get("seen", stood.seen) != stood.seen:
        raise VerdictError("Another verdict on this deal was given meanwhile; look at it and decide again.")


def _kind(form: FormData) -> VerdictKind:
    kind = next((kind for kind in _KINDS if kind == form.get("kind")), None)
    if kind is None:
        raise VerdictError("Choose what to do: accept, save the changes, or say that nobody can tell.", field="kind")
    return kind


def _said(kind: VerdictKind, labels: VerdictLabels | None, *, stood: Stood, form: FormData) -> Said:
    """Gives what the person says; changes that change nothing accept."""
    if labels is not None and stood.is_settled and labels == labels_of(stood.assessment):
        kind = "accept"
    source = form.get("texts")
    shown = {
        "causes": sorted(cause.cause for cause in stood.review.causes),
        "confidence": dict(_confidences(stood.assessment)),
        "texts": source if source in get_args(Source) else None,
    }
    return Said(kind, labels, str(form.get("comment", "")), shown, _seconds(form))


def _confidences(assessment: Assessment) -> Iterator[tuple[str, float | None]]:
    yield from ((reason.code, reason.confidence) for reason in assessment.reasons)
    yield from ((f"meddpicc.{code}", found.confidence) for code, found in assessment.meddpicc.items())
    yield from ((name, flag.confidence) for name, flag in assessment.flags)
    yield "winback", assessment.winback.confidence


def _seconds(form: FormData) -> float:
    """Gives how long the person looked, 0 where the page could not tell."""
    try:
        seconds = float(str(form.get("seconds", "")))
    except ValueError:
        return 0.0
    return min(seconds, _LONGEST_LOOK_S) if seconds > 0 else 0.0
