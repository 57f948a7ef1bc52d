"""What the CRM holds of a deal now, and what a verdict that accepts the reading would change there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from lossnlp.taxonomy import Taxonomy
from serving import outbox
from serving.crm.fields import FieldMap
from serving.crm.protocol import Crm, Fields, FieldSpec, FieldValue
from serving.logs import describe_error
from serving.rendering import said
from serving.review.verdict import judged_assessment, labels_of
from serving.store import Database, get_assessment
from serving.tables import AssessmentRow
from serving.taxonomy_change.carrying import carry_assessment
from serving.worker import Worker
from serving.writeback import Decision, plan_values

Fate = Literal["set", "emptied", "a person's, stays", "stays"]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A field of the CRM: what stands in it, and what would.

    Args:
        label: As people see it.
        now: What stands there; a dash for nothing.
        then: What would stand there.
        fate: What would become of what stands there.
    """

    label: str
    now: str
    then: str
    fate: Fate


@dataclass(frozen=True, slots=True)
class CrmView:
    """A deal in the CRM.

    Args:
        lines: Fields that hold something or would; empty where they could not be read.
        sent: The state of the newest write-back, None where there is none.
        why: One sentence where nothing can be shown.
    """

    lines: tuple[FieldLine, ...] = ()
    sent: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class CrmWindow:
    """Looks into the CRM.

    Args:
        database: Where write-backs stand.
        find_crm: Gives the connected CRM, or None.
        fields: What our fields and values are called there.
        taxonomy: The labels there are.
    """

    database: Database
    find_crm: Callable[[], Crm | None]
    fields: FieldMap
    taxonomy: Taxonomy

    def look(self, assessment_id: str) -> CrmView:
        """Gives the deal of an assessment in the CRM; no database connection is held while it is asked.

        Raises:
            UnknownIdError: No assessment has this id.
        """
        crm = self.find_crm()
        if crm is None:
            return CrmView(why="No CRM is connected here, so nothing is written.")
        with self.database.reading() as session:
            row = get_assessment(session, assessment_id)
            ours = outbox.find_our_values(session, row.deal_id, crm=crm.name, with_confirmed=True)
            deal_id, planned, sent = (
                row.deal_id,
                self._plan(session, row),
                row.write_back.state if row.write_back else None,
            )
        try:
            current = crm.fetch_fields([deal_id]).get(deal_id)
        except Exception as error:  # noqa: BLE001 (whatever a CRM client raises, the page still opens)
            _log.warning("crm_call_failed", crm=crm.name, **describe_error(error))
            return CrmView(sent=sent, why="The CRM does not answer at the moment.")
        if current is None:
            return CrmView(sent=sent, why="The CRM does not hold this deal any more; nothing can be written.")
        decision = Worker(self.database, crm, fields=self.fields).decide(
            planned, current=current, ours=ours, is_confirmed=True
        )
        return CrmView(tuple(self._lines(current, decision)), sent)

    def _plan(self, session: Session, row: AssessmentRow) -> Fields:
        """Gives what a verdict would write that accepts all of the reading."""
        assessment = carry_assessment(session, Assessment.model_validate(row.assessment), self.taxonomy).assessment
        judged = judged_assessment(assessment, labels_of(assessment), self.taxonomy)
        return plan_values(judged, assessed_at=row.created_at, is_confirmed=True)

    def _lines(self, current: Mapping[str, FieldValue], decision: Decision) -> list[FieldLine]:
        specs = self.fields.specs()
        there = [spec for spec in specs if current.get(spec.name) not in (None, "") or decision.write.get(spec.name)]
        return [_line(spec, current.get(spec.name), decision) for spec in there]


def _line(spec: FieldSpec, now: FieldValue, decision: Decision) -> FieldLine:
    then = decision.write.get(spec.name, now)
    fate: Fate = "a person's, stays" if spec.name in decision.kept else "stays"
    if spec.name in decision.write:
        fate = "set" if decision.write[spec.name] is not None else "emptied"
    return FieldLine(spec.label, _in_words(spec, now), _in_words(spec, then), fate)


def _in_words(spec: FieldSpec, value: FieldValue) -> str:
    """Gives a value as people read it: choices by their labels."""
    labels = {choice.value: choice.label for choice in spec.choices}
    if isinstance(value, str) and labels:
        parts = value.split(";") if spec.kind == "choices" else [value]
        return ", ".join(labels.get(part, part) for part in parts) or said(None)
    return said(value if value != "" else None)
