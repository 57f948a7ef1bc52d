"""Gives and takes back verdicts: each is a new row, and what follows from it happens in the same unit of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, aliased

from lossnlp.assessment import Assessment
from lossnlp.taxonomy import Taxonomy
from serving import outbox
from serving.crm.protocol import Fields
from serving.reports.losses import record_loss
from serving.review.said import Said, names_that_survive, redact_said
from serving.review.verdict import VerdictError, VerdictLabels, judged_assessment, labels_of
from serving.review.waiting import TAXONOMY_CHANGED, VERDICT_TAKEN_BACK, VERDICTS_DIFFER, add_cause, retire_waiting
from serving.store import find_current, get_assessment, is_current, now
from serving.tables import AssessmentRow, DealRow, LossRow, PersonRow, ReviewRow, VerdictRow
from serving.taxonomy_change.carrying import carry_assessment, require_settled, version_of
from serving.writeback import plan_values

MOST_COMMENT_CHARS = 2000


@dataclass(frozen=True, slots=True)
class HeldReading:
    """How a deal reads with what a person said of its words.

    Args:
        verdict: The one that holds, or None.
        reading: The assessment as it reads with it, in the list of reasons that it is of; as the model gave it where there is none.
        current: The same in the list of the model in service.
        assessed_at: When the model read the deal.
    """

    verdict: VerdictRow | None
    reading: Assessment
    current: Assessment
    assessed_at: datetime

    @property
    def verdict_id(self) -> int | None:
        """The id of the verdict that holds."""
        return self.verdict.id if self.verdict else None

    @property
    def planned(self) -> Fields:
        """The CRM values to write: none where nobody can tell, the model's accepted ones where there is no verdict."""
        if self.verdict is not None and self.verdict.kind == "cannot_tell":
            return {}
        return plan_values(self.current, assessed_at=self.assessed_at, is_confirmed=self.verdict is not None)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where verdicts are given.

    Args:
        taxonomy: The labels there are.
        crm: Name of the CRM that values go to; None writes nothing back.
        clock: Gives the moment; tests hand in their own.
        redacts: Whether remarks and marked words are kept with placeholders for what is personal.
    """

    taxonomy: Taxonomy
    crm: str | None = None
    clock: Callable[[], datetime] = now
    redacts: bool = False

    def give(self, session: Session, assessment_id: str, person: PersonRow, said: Said) -> VerdictRow:
        """Gives the new verdict; the write-back is released or stopped with it. The caller commits.

        Args:
            session: An open unit of work.
            assessment_id: The assessment that is judged.
            person: Who judges.
            said: What they say.

        Raises:
            UnknownIdError: No assessment has this id.
            VerdictError: The labels are missing, the comment is too long, or a newer assessment of the deal has come.
        """
        row = get_assessment(session, assessment_id)
        lock_deal(session, row.deal_id)
        _require_current(session, row)
        assessment = Assessment.model_validate(row.assessment)
        carried = carry_assessment(session, assessment, self.taxonomy)
        if said.kind == "accept":
            require_settled(carried, self.taxonomy)
        if self.redacts:
            said = redact_said(said, names_that_survive(session.get_one(DealRow, row.deal_id), assessment))
        verdict = VerdictRow(
            assessment_id=row.id,
            deal_id=row.deal_id,
            person_id=person.id,
            kind=said.kind,
            labels=_labels(said, carried.assessment),
            taxonomy_version=_version(said, carried.assessment, self.taxonomy),
            comment=_comment(said.comment),
            shown=said.shown or {},
            seconds=said.seconds,
            created_at=self.clock(),
        )
        session.add(verdict)
        session.flush()
        self._follow(session, row, assessment, verdict=verdict)
        self._settle_review(session, row)
        return verdict

    def undo(self, session: Session, verdict_id: int, person: PersonRow) -> VerdictRow:
        """Gives the verdict that takes another back; what held before holds again, and the deal waits. The caller commits.

        Raises:
            VerdictError: It is not there, was taken back before or is itself an undo, or is another person's.
        """
        verdict = session.get(VerdictRow, verdict_id)
        if verdict is not None:
            lock_deal(session, verdict.deal_id)
        if verdict is None or verdict.kind == "undo" or _is_undone(session, verdict):
            raise VerdictError(f"Verdict {verdict_id} is not one that holds; open the deal again to see what does.")
        if verdict.person_id != person.id and person.role != "admin":
            raise VerdictError("Only who gave a verdict, or an admin, takes it back; give one of your own instead.")
        row = get_assessment(session, verdict.assessment_id)
        current = _require_current_words(session, row)
        back = VerdictRow(
            assessment_id=row.id,
            deal_id=row.deal_id,
            person_id=person.id,
            kind="undo",
            undoes_id=verdict.id,
            shown={},
            seconds=0.0,
            created_at=self.clock(),
        )
        session.add(back)
        session.flush()
        self._follow(session, current, Assessment.model_validate(current.assessment), verdict=back)
        if current is row:
            self._settle_review(session, row)
        elif find_held_on_content(session, current) is None:
            retire_waiting(session, row.deal_id)
            add_cause(session, current, VERDICT_TAKEN_BACK, at=self.clock())
        if session.get_one(LossRow, row.deal_id).open_version is not None:
            add_cause(session, current, TAXONOMY_CHANGED, at=self.clock())
        return back

    def _follow(self, session: Session, row: AssessmentRow, assessment: Assessment, *, verdict: VerdictRow) -> None:
        """Makes reports and the CRM say what holds now."""
        held = read_held(session, row, assessment, self.taxonomy)
        record_loss(session, row, held.reading, verdict_id=held.verdict_id)
        if self.crm is None:
            return
        outbox.stop_due(session, row.deal_id, crm=self.crm, at=self.clock())
        planned = held.planned
        if planned or outbox.has_write_back(session, row.deal_id, crm=self.crm):
            outbox.add_write_back(session, row, crm=self.crm, planned=planned, verdict=verdict)

    def _settle_review(self, session: Session, row: AssessmentRow) -> None:
        """Makes the review judged once enough people have, and waiting again where two of them differ or one took it back."""
        review = session.scalar(select(ReviewRow).where(ReviewRow.assessment_id == row.id))
        if review is None:
            return
        held = find_all_held(session, row.id)
        review.claimed_by_id = review.claimed_until_at = None
        if len(held) == review.wanted == 2 and not _is_agreed(*held):
            add_cause(session, row, VERDICTS_DIFFER, at=self.clock())
        elif len(held) >= review.wanted:
            review.state, review.judged_at = "judged", self.clock()
        else:
            review.state, review.judged_at = "waiting", None
        session.flush()


def lock_deal(session: Session, deal_id: str) -> None:
    """Holds other verdicts on a deal, and the intake of it, back until this unit of work ends.

    Take it before a claim: intake takes the deal first, then the review.
    """
    session.get_one(DealRow, deal_id, with_for_update=True)


def find_all_held(session: Session, assessment_id: str) -> list[VerdictRow]:
    """Gives the verdicts on an assessment that were not taken back, oldest first; of each person the last."""
    back = aliased(VerdictRow)
    undone = select(back.undoes_id).where(back.undoes_id.is_not(None), back.assessment_id == assessment_id)
    query = select(VerdictRow).where(
        VerdictRow.assessment_id == assessment_id, VerdictRow.kind != "undo", VerdictRow.id.not_in(undone)
    )
    last = {verdict.person_id: verdict for verdict in session.scalars(query.order_by(VerdictRow.id))}
    return sorted(last.values(), key=lambda verdict: verdict.id)


def find_held(session: Session, assessment_id: str) -> VerdictRow | None:
    """Gives the verdict that holds: the last that was not taken back."""
    held = find_all_held(session, assessment_id)
    return held[-1] if held else None


def find_held_on_content(session: Session, row: AssessmentRow) -> VerdictRow | None:
    """Gives the verdict that holds for what an assessment was read from: a person's word outlives the model that they judged."""
    query = select(AssessmentRow.id).join(VerdictRow, VerdictRow.assessment_id == AssessmentRow.id).distinct()
    query = query.where(AssessmentRow.deal_id == row.deal_id, _has_words_of(row))
    held = [found for assessment_id in session.scalars(query).all() if (found := find_held(session, assessment_id))]
    return max(held, key=lambda verdict: verdict.id, default=None)


def _has_words_of(row: AssessmentRow) -> ColumnElement[bool]:
    """Gives the condition on assessments that were read from the same words; rows of older versions know the whole content only."""
    if row.words_sha256 is None:
        return AssessmentRow.content_sha256 == row.content_sha256
    return or_(AssessmentRow.words_sha256 == row.words_sha256, AssessmentRow.content_sha256 == row.content_sha256)


def read_held(session: Session, row: AssessmentRow, assessment: Assessment, taxonomy: Taxonomy) -> HeldReading:
    """Gives how a deal reads now.

    Args:
        session: An open unit of work.
        row: An assessment of the deal.
        assessment: What is stored in it.
        taxonomy: The labels there are.
    """
    verdict = find_held_on_content(session, row)
    reading = reading_with(assessment, verdict, taxonomy)
    if verdict is not None and verdict.labels is not None:
        model = reading.model.model_copy(update={"taxonomy_version": version_of(session, verdict)})
        reading = reading.model_copy(update={"model": model})
    return HeldReading(verdict, reading, carry_assessment(session, reading, taxonomy).assessment, row.created_at)


def reading_with(assessment: Assessment, held: VerdictRow | None, taxonomy: Taxonomy) -> Assessment:
    """Gives the assessment as it reads with the verdict that holds; as it came where none does or it gives no values."""
    if held is None or held.labels is None:
        return assessment
    return judged_assessment(assessment, VerdictLabels.model_validate(held.labels), taxonomy)


def _labels(said: Said, assessment: Assessment) -> dict[str, Any] | None:
    if said.kind == "cannot_tell":
        return None
    labels = labels_of(assessment) if said.kind == "accept" else said.labels
    if labels is None:
        raise VerdictError("A changed verdict names the values that hold.", field="labels")
    return labels.model_dump(mode="json")


def _version(said: Said, assessment: Assessment, taxonomy: Taxonomy) -> str | None:
    """Gives the list that the reasons of a verdict are of: what was accepted may be of another than the form."""
    if said.kind == "cannot_tell":
        return None
    return assessment.model.taxonomy_version if said.kind == "accept" else taxonomy.version


def _comment(comment: str | None) -> str | None:
    text = (comment or "").replace("\x00", "").strip()
    if len(text) > MOST_COMMENT_CHARS:
        raise VerdictError(f"A comment has at most {MOST_COMMENT_CHARS:,} characters; shorten it.", field="comment")
    return text or None


def _is_undone(session: Session, verdict: VerdictRow) -> bool:
    return session.scalar(select(VerdictRow.id).where(VerdictRow.undoes_id == verdict.id)) is not None


def _is_agreed(one: VerdictRow, other: VerdictRow) -> bool:
    """Says whether two verdicts say the same, whatever words they point at."""
    values = [verdict.labels and {**verdict.labels, "evidence": None} for verdict in (one, other)]
    return values[0] == values[1]


def _require_current_words(session: Session, row: AssessmentRow) -> AssessmentRow:
    """Gives the assessment that the deal counts as, which has to be of the same words."""
    current = find_current(session, row.deal_id) or row
    if (current.words_sha256 or current.content_sha256) != (row.words_sha256 or row.content_sha256):
        raise VerdictError("The deal's words have changed since; open it again and judge it as it is now.")
    return current


def _require_current(session: Session, row: AssessmentRow) -> None:
    """Passes for the assessment that its deal counts as: another one is not what would be written."""
    if not is_current(session, row):
        raise VerdictError("The deal has been assessed anew since; open it again and judge that.")
