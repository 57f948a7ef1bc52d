"""The page of a deal for those who sold it and their managers: what its texts say and what is worth asking. Nothing is judged here."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment, Evidence
from lossnlp.taxonomy import Taxonomy
from serving.errors import UnknownIdError
from serving.intake import Assessor
from serving.people.access import SignedIn, Viewer, sees_loss
from serving.rendering import render_page
from serving.review.verdicts import find_all_held, reading_with
from serving.store import Database, get_assessment
from serving.tables import DealRow, LossRow, ReviewRow, VerdictRow

router = APIRouter(include_in_schema=False)
_NOTES = {
    "rep_buyer_conflict": "The note and the buyer's own words name different reasons; both stand below.",
    "stated_reason_conflict": "The texts say more than the reason that was chosen in the CRM, or something else.",
    "insufficient_detail": "The note says little about this deal; a sentence on what decided it helps whoever picks it up next.",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A value in neutral words, what it means, and the words of the texts that show it."""

    title: str
    meaning: str
    quotes: tuple[Evidence, ...]


@router.get("/deals/{deal_id:path}")
def show_told(request: Request, deal_id: str, viewer: SignedIn) -> HTMLResponse:
    """Gives a deal's reading and its questions, to whom the deal is theirs to see."""
    database: Database = request.app.state.database
    assessor: Assessor = request.state.intake.assessor
    with database.reading() as session:
        loss = session.scalar(select(LossRow).where(LossRow.deal_id == deal_id, sees_loss(viewer)))
        if loss is None:
            raise UnknownIdError("There is no such deal, or it is not one of those that you see.")
        row = get_assessment(session, loss.assessment_id)
        reading = reading_with(
            Assessment.model_validate(row.assessment), _find_shown(session, loss, viewer), assessor.taxonomy
        )
        return render_page(
            request,
            "review/told.html",
            viewer=viewer,
            deal=session.get_one(DealRow, deal_id),
            reading=reading,
            notes=[words for name, words in _NOTES.items() if getattr(reading.flags, name).value],
            reasons=_reasons(reading, assessor.taxonomy),
            open_elements=_elements(reading, assessor.taxonomy, state="gap"),
            good_elements=_elements(reading, assessor.taxonomy, state="covered"),
        )


def _find_shown(session: Session, loss: LossRow, viewer: Viewer) -> VerdictRow | None:
    """Gives the verdict that holds, None where it is to be kept from this viewer: who judges apart sees no other's before their own."""
    held = session.get(VerdictRow, loss.verdict_id) if loss.verdict_id is not None else None
    if held is None or viewer.role not in ("ops", "admin"):
        return held
    review = session.scalar(select(ReviewRow).where(ReviewRow.assessment_id == held.assessment_id))
    given = {verdict.person_id for verdict in find_all_held(session, held.assessment_id)}
    return None if review and review.wanted > 1 and viewer.person_id not in given else held


def _reasons(reading: Assessment, taxonomy: Taxonomy) -> list[Told]:
    known = {reason.code: reason for reason in taxonomy.reasons}
    return [
        Told(known[reason.code].label, known[reason.code].definition, reason.evidence)
        if reason.code in known
        else Told(reason.label, "", reason.evidence)
        for reason in reading.reasons
    ]


def _elements(reading: Assessment, taxonomy: Taxonomy, *, state: str) -> list[Told]:
    found = [(element, reading.meddpicc.get(element.code)) for element in taxonomy.elements]
    return [Told(one.label, one.question, was.evidence) for one, was in found if was is not None and was.state == state]
