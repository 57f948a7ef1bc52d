"""A change of the list, applied to old deals as one batch and taken back as one: certain codes by rule, open ones through the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from lossnlp.taxonomy import Taxonomy
from serving.errors import ConfigurationError, UnknownIdError
from serving.reports.losses import record_loss
from serving.review.verdicts import lock_deal, read_held
from serving.review.waiting import TAXONOMY_CHANGED, add_cause
from serving.store import Database, get_assessment, now
from serving.tables import LossRow, RelabelledRow, ReviewRow, TaxonomyChangeRow
from serving.taxonomy_change.changes import NewList, find_changes, find_holding, find_touched, require_next

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch has come to.

    Args:
        change_id: The batch.
        carried: Deals all of whose reasons are in the newest codes by it.
        open: Deals that wait for a person because of it.
    """

    change_id: str
    carried: int
    open: int


@dataclass(frozen=True, slots=True)
class Batches:
    """Applies changes and takes them back; killed half-way, either goes on where it was when it is called again.

    Args:
        database: Where losses are counted and deals wait.
        taxonomy: The list of the model in service.
        clock: Gives the moment; tests hand in their own.
    """

    database: Database
    taxonomy: Taxonomy
    clock: Callable[[], datetime] = now

    def apply(self, new: NewList, *, by: str) -> Outcome:
        """Gives what became of the deals that the change touches; of one that holds already, also what came since.

        Args:
            new: The list.
            by: Who does it.

        Raises:
            ConfigurationError: The model in service has another list, or the change does not follow the one before.
        """
        self._require_served(new.taxonomy)
        with self.database.writing() as session:
            row = self._find_or_add(session, new, by=by)
            change_id, touched = row.id, find_touched(session, new.walk)
            session.commit()
        for deal_ids in _portions(touched):
            with self.database.writing() as session:
                for deal_id in deal_ids:
                    self._carry_over(session, deal_id, change_id)
                session.commit()
        return find_outcome(self.database, change_id)

    def _require_served(self, wanted: Taxonomy) -> None:
        served = self.taxonomy
        if served.version != wanted.version:
            raise ConfigurationError(
                f"The model in service has version '{served.version}' of the list, and the change makes '{wanted.version}'; "
                "put a model with the new list in service first, so that people can choose from it."
            )
        differ = sorted(set(served.codes) ^ set(wanted.codes))
        if differ:
            raise ConfigurationError(
                f"The list of the model in service is version '{served.version}' too, but differs in: {', '.join(differ)}; "
                "train it with the list that the change file makes."
            )

    def _find_or_add(self, session: Session, new: NewList, *, by: str) -> TaxonomyChangeRow:
        row = find_holding(session, new)
        if row is not None:
            return row
        require_next(session, new)
        row = TaxonomyChangeRow(
            id=str(uuid4()),
            from_version=new.from_version,
            to_version=new.taxonomy.version,
            walk={code: list(heirs) for code, heirs in new.walk.items()},
            applied_by=by,
            applied_at=self.clock(),
        )
        session.add(row)
        session.flush()
        return row

    def _carry_over(self, session: Session, deal_id: str, change_id: str) -> None:
        loss = self._record_anew(session, deal_id)
        row = get_assessment(session, loss.assessment_id)
        move = session.get(RelabelledRow, (change_id, deal_id))
        if move is None or loss.open_version is None:
            return
        waits = select(ReviewRow.judged_at).where(ReviewRow.assessment_id == row.id, ReviewRow.state == "judged")
        move.judged_at = session.scalar(waits) or move.judged_at
        move.is_asked = True
        add_cause(session, row, TAXONOMY_CHANGED, at=self.clock())

    def _record_anew(self, session: Session, deal_id: str) -> LossRow:
        lock_deal(session, deal_id)
        row = get_assessment(session, session.get_one(LossRow, deal_id).assessment_id)
        held = read_held(session, row, Assessment.model_validate(row.assessment), self.taxonomy)
        record_loss(session, row, held.reading, verdict_id=held.verdict_id)
        return session.get_one(LossRow, deal_id)

    def undo(self, change_id: str) -> int:
        """Gives how many deals count again as they did before the change; verdicts that were given since hold on.

        Raises:
            UnknownIdError: No change has this id.
            ConfigurationError: Another change stands on it.
        """
        with self.database.writing() as session:
            row = session.scalar(select(TaxonomyChangeRow).where(TaxonomyChangeRow.id == change_id))
            if row is None:
                raise UnknownIdError(f"No change has id {change_id}; `lossnlp-serve taxonomy list` shows them.")
            holding = find_changes(session, only_holding=True)
            if row.undone_at is None and holding[-1].id != change_id:
                raise ConfigurationError(f"The change {holding[-1].id} stands on this one; undo that first.")
            row.undone_at = row.undone_at or self.clock()
            query = select(RelabelledRow.deal_id).where(RelabelledRow.change_id == change_id)
            deals = list(session.scalars(query.order_by(RelabelledRow.deal_id)))
            session.commit()
        for deal_ids in _portions(deals):
            with self.database.writing() as session:
                for deal_id in deal_ids:
                    self._put_back(session, deal_id, change_id)
                session.commit()
        return len(deals)

    def _put_back(self, session: Session, deal_id: str, change_id: str) -> None:
        loss = self._record_anew(session, deal_id)
        move = session.get_one(RelabelledRow, (change_id, deal_id))
        review = session.scalar(select(ReviewRow).where(ReviewRow.assessment_id == loss.assessment_id))
        if not move.is_asked or review is None or review.state != "waiting" or loss.open_version is not None:
            return
        move.is_asked = False
        for cause in [one for one in review.causes if one.cause == TAXONOMY_CHANGED]:
            review.causes.remove(cause)
        if move.judged_at is not None:
            review.state, review.judged_at = "judged", move.judged_at
        elif not review.causes:
            session.delete(review)
        session.flush()


def find_outcome(database: Database, change_id: str) -> Outcome:
    """Gives what a batch has come to by now."""
    query = select(LossRow.open_version.is_not(None), func.count())
    query = query.join(RelabelledRow, RelabelledRow.deal_id == LossRow.deal_id).where(
        RelabelledRow.change_id == change_id
    )
    with database.reading() as session:
        counts = {
            bool(is_open): deals
            for is_open, deals in session.execute(query.group_by(LossRow.open_version.is_not(None)))
        }
    return Outcome(change_id, counts.get(False, 0), counts.get(True, 0))


def _portions(deal_ids: list[str]) -> Iterator[list[str]]:
    """Gives deals in portions that one unit of work holds."""
    for start in range(0, len(deal_ids), _AT_ONCE):
        yield deal_ids[start : start + _AT_ONCE]
