"""Re-assessment: old deals are read by the model in service, first as a plan, then for good; what a person said of their words holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from uuid import uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError
from serving.backfill import PlannedDeal, PlannedValue
from serving.intake import Intake
from serving.logs import describe_error
from serving.model.comparison import compare
from serving.review.texts import Texts
from serving.review.verdicts import find_held_on_content, reading_with
from serving.store import deal_fields, get_assessment, now
from serving.tables import AssessmentRow, BatchRow, DealRow, LossRow

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reassessment:
    """Reads deals anew whose newest assessment is another model's. Stopped half-way, it goes on where it was when it is called again.

    Args:
        intake: Reads and keeps deals, and so what is written back; its model stays the same all the way.
        find_texts: Gives the documents behind an assessment, as `serving.review.texts.TextSource.find` does.
    """

    intake: Intake
    find_texts: Callable[[str], Texts]

    def plan(self, since: date) -> Iterator[PlannedDeal]:
        """Gives what would be read otherwise, deal by deal; keeps nothing.

        Args:
            since: Only deals lost since this day.
        """
        for assessment_id in self._find_old(since):
            yield self._reread(assessment_id, self.intake.read)

    def apply(self, since: date) -> Iterator[PlannedDeal]:
        """Gives what is read otherwise, deal by deal, each kept when it is given: old assessments stay beside the new.

        Args:
            since: Only deals lost since this day.
        """
        batch_id = self._begin() if self.intake.crm else None

        def keep(deal: Deal) -> Assessment:
            taken = self.intake.take_deal(deal, batch_id=batch_id)
            return Assessment.model_validate({name: value for name, value in taken.answer.items() if name != "id"})

        for assessment_id in self._find_old(since):
            yield self._reread(assessment_id, keep)

    def _find_old(self, since: date) -> list[str]:
        query = select(LossRow.assessment_id).where(
            LossRow.lost_on >= since, LossRow.model_version != self.intake.assessor.model_version
        )
        with self.intake.database.reading() as session:
            return list(session.scalars(query.order_by(LossRow.lost_on, LossRow.deal_id)))

    def _begin(self) -> str:
        """Gives the id of the batch that the write-backs belong to, so that they can be taken back as one."""
        batch = BatchRow(id=str(uuid4()), crm=self.intake.crm, is_listed=True, created_at=now())
        with self.intake.database.writing() as session:
            session.add(batch)
            session.commit()
        return batch.id

    def _reread(self, assessment_id: str, read: Callable[[Deal], Assessment]) -> PlannedDeal:
        texts = self.find_texts(assessment_id)
        with self.intake.database.reading() as session:
            row = get_assessment(session, assessment_id)
            deal_id, fields = row.deal_id, deal_fields(session.get_one(DealRow, row.deal_id))
        if not texts.is_as_read:
            return PlannedDeal(deal_id, silence=texts.why)
        try:
            after = read(Deal(documents=texts.documents, **fields))
        except InvalidDealError as error:
            return PlannedDeal(deal_id, silence=error.message)
        except Exception as error:  # noqa: BLE001 (one deal must not end the reading of all)
            _log.warning("reassessment_failed", deal_id=deal_id, **describe_error(error))
            return PlannedDeal(deal_id, silence="failed; the log tells why")
        with self.intake.database.reading() as session:
            return self._compare(session, get_assessment(session, assessment_id), after)

    def _compare(self, session: Session, row: AssessmentRow, after: Assessment) -> PlannedDeal:
        held, taxonomy = find_held_on_content(session, row), self.intake.assessor.taxonomy
        before = reading_with(Assessment.model_validate(row.assessment), held, taxonomy)
        after = reading_with(after, held, taxonomy)
        values = tuple(PlannedValue(one.field, one.before, one.after, "change") for one in compare(before, after))
        silence = "a person's verdict holds" if held is not None and not values else ""
        return PlannedDeal(row.deal_id, values, after.primary.code, silence)
