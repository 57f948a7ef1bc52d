"""Buyer interviews: the answers join the documents of their deal, and the same model reads all of it anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from lossnlp.deal import MAX_DOCUMENTS, Deal, Document
from serving.errors import UnknownIdError
from serving.intake import Intake
from serving.reports.interview_answers import Answers, documents_of
from serving.reports.interview_questions import QuestionSet
from serving.review.texts import Texts
from serving.store import deal_fields, now
from serving.tables import DealRow, InterviewRow, LossRow

# Gives the documents behind an assessment, as `serving.review.texts.TextSource.find` does
FindTexts = Callable[[str], Texts]


@dataclass(frozen=True, slots=True)
class Interviews:
    """Takes interviews in.

    Args:
        intake: Reads and keeps deals, and so what is written back.
        asked: The questions.
        clock: Gives the moment; tests hand in their own.
    """

    intake: Intake
    asked: QuestionSet
    clock: Callable[[], datetime] = now

    def take(self, deal_id: str, answers: Answers, *, person_id: int, others: Sequence[Document] = ()) -> InterviewRow:
        """Gives the stored interview; where it has words, the deal is read anew with them. Taken twice it is stored once.

        No database connection is held while the deal is read.

        Args:
            deal_id: The deal.
            answers: What the buyer has answered.
            person_id: Who enters it.
            others: The other documents of the deal, as far as they are at hand.

        Raises:
            UnknownIdError: No lost deal has this id.
            InvalidDealError: Nothing readable stands in the words.
        """
        interview = documents_of(answers, self.asked)
        with self.intake.database.reading() as session:
            fields = deal_fields(get_lost_deal(session, deal_id))
            earlier = _earlier_reasons(session, deal_id)
        reasons, assessment_id = {}, None
        if interview:
            reasons = self._read_apart(fields, interview, others) | ({} if _notes(others) else {"earlier": earlier})
            merged = _merged(others, interview)
            assessment_id = self.intake.take_deal(Deal(documents=merged, **fields)).id
        row = InterviewRow(
            deal_id=deal_id,
            person_id=person_id,
            assessment_id=assessment_id,
            question_set=self.asked.version,
            marks=dict(answers.marks),
            reasons=reasons,
            held_on=answers.held_on,
            created_at=self.clock(),
        )
        return self._keep(row)

    def _read_apart(
        self, fields: Mapping[str, Any], interview: Sequence[Document], others: Sequence[Document]
    ) -> dict[str, list[str]]:
        """Gives the reasons of each account read alone: what one side says must not colour what is read in the other."""
        told = [document for document in others if document.kind == "buyer_interview"]
        accounts = {"interview": [*told, *interview], "note": _notes(others)}
        found = {}
        for name, documents in accounts.items():
            if documents:
                found[name] = _codes(self.intake.read(Deal(documents=_merged(documents, ()), **fields)))
        return found

    def _keep(self, row: InterviewRow) -> InterviewRow:
        with self.intake.database.writing() as session:
            same = select(InterviewRow).where(
                InterviewRow.deal_id == row.deal_id,
                InterviewRow.assessment_id == row.assessment_id,
                InterviewRow.held_on == row.held_on,
            )
            known = session.scalar(same.order_by(InterviewRow.id.desc()).limit(1)) if row.assessment_id else None
            if known is not None:
                row.id = known.id
            kept = session.merge(row)
            session.commit()
            return kept


def _notes(documents: Iterable[Document]) -> list[Document]:
    return [document for document in documents if document.kind == "rep_note" and document.has_content]


def _merged(others: Sequence[Document], interview: Sequence[Document]) -> tuple[Document, ...]:
    """Gives the documents of a deal with the interview; one that was entered before under the same id is replaced."""
    by_id = {document.id: document for document in (*others[-(MAX_DOCUMENTS - len(interview)) :], *interview)}
    return tuple(by_id.values())


def _codes(reading: Assessment) -> list[str]:
    return [reason.code for reason in reading.reasons]


def _earlier_reasons(session: Session, deal_id: str) -> list[str]:
    """Gives the reasons of the deal as it is read so far."""
    loss = session.get_one(LossRow, deal_id)
    interview = find_interview(session, deal_id)
    if interview is not None and (before := interview.reasons.get("note") or interview.reasons.get("earlier")):
        return list(before)  # the reading since then holds the buyer's words already
    return [loss.primary_reason]


def get_lost_deal(session: Session, deal_id: str) -> DealRow:
    """Gives a lost deal.

    Raises:
        UnknownIdError: No lost deal has this id.
    """
    deal = session.get(DealRow, deal_id) if session.get(LossRow, deal_id) else None
    if deal is None:
        raise UnknownIdError("No lost deal has this id.")
    return deal


def find_interview(session: Session, deal_id: str) -> InterviewRow | None:
    """Gives the last interview of a deal, None where there was none."""
    query = select(InterviewRow).where(InterviewRow.deal_id == deal_id).order_by(InterviewRow.id.desc()).limit(1)
    return session.scalar(query)
