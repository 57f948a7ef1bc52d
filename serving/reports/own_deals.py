"""A rep's own lost deals, with what is worth asking about each; nothing that compares them with anybody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from lossnlp.assessment import ElementReading, Reason
from lossnlp.questions import coaching_questions
from lossnlp.taxonomy import Taxonomy
from serving.people.access import Viewer, sees_loss
from serving.reports.story_consents import find_consented
from serving.tables import LossElementRow, LossReasonRow, LossRow

PAGE = 25
_SURE = 1.0


@dataclass(frozen=True, slots=True)
class OwnDeal:
    """A lost deal of the viewer's.

    Args:
        loss: The deal as it is read now.
        reasons: Labels of its reasons, the primary first.
        gaps: Labels of the elements with a gap.
        questions: What is worth asking, the most useful first.
        is_agreed: Whether the viewer has agreed that it is told under their name.
    """

    loss: LossRow
    reasons: tuple[str, ...]
    gaps: tuple[str, ...]
    questions: tuple[str, ...]
    is_agreed: bool = False


def read_own_deals(
    session: Session, viewer: Viewer, taxonomy: Taxonomy, *, page: int = 1
) -> tuple[list[OwnDeal], bool]:
    """Gives a page of the viewer's own lost deals, the latest first, and whether there are more.

    Args:
        session: An open session.
        viewer: Whose deals.
        taxonomy: Gives labels and questions.
        page: 1 or more.
    """
    query = select(LossRow).where(sees_loss(viewer)).order_by(LossRow.lost_on.desc(), LossRow.deal_id)
    losses = list(session.scalars(query.offset((page - 1) * PAGE).limit(PAGE + 1)))
    shown = losses[:PAGE]
    ids = [loss.deal_id for loss in shown]
    codes, states = defaultdict[str, list[str]](list), defaultdict[str, dict[str, str]](dict)
    reasons = select(LossReasonRow).where(LossReasonRow.deal_id.in_(ids))
    for reason in session.scalars(reasons.order_by(LossReasonRow.is_primary.desc(), LossReasonRow.code)):
        codes[reason.deal_id].append(reason.code)
    for element in session.scalars(select(LossElementRow).where(LossElementRow.deal_id.in_(ids))):
        states[element.deal_id][element.element] = element.state
    agreed = find_consented(session, ids)
    deals = [
        replace(_own_deal(loss, codes[loss.deal_id], states[loss.deal_id], taxonomy), is_agreed=loss.deal_id in agreed)
        for loss in shown
    ]
    return deals, len(losses) > PAGE


def _own_deal(loss: LossRow, codes: Sequence[str], states: dict[str, str], taxonomy: Taxonomy) -> OwnDeal:
    known = {reason.code: reason for reason in taxonomy.reasons}
    labels = tuple(known[code].label if code in known else code for code in codes)
    readings = {
        code: ElementReading(state="gap" if state == "gap" else "covered", confidence=_SURE)
        for code, state in states.items()
    }
    reasons = [
        Reason(code=code, label=label, group="", primary=code == loss.primary_reason, confidence=_SURE)
        for code, label in zip(codes, labels, strict=True)
    ]
    questions = coaching_questions(
        taxonomy, readings, reasons, stage=loss.stage, is_insufficient=bool(loss.insufficient_detail)
    )
    gaps = tuple(element.label for element in taxonomy.elements if states.get(element.code) == "gap")
    return OwnDeal(loss, labels, gaps, questions)
