"""What was missing in lost deals: MEDDPICC gaps by stage at loss, and the reasons that come with each gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from serving.reports.dimensions import DIMENSIONS
from serving.reports.scope import Scope
from serving.tables import LossElementRow, LossRow


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps of a scope.

    Args:
        by_stage: Deals by stage at loss, with gaps or without.
        by_reason: Deals by primary reason, with gaps or without.
        of_stage: Deals with a gap by (stage, element).
        of_reason: Deals with a gap by (primary reason, element).
    """

    by_stage: Mapping[str, int]
    by_reason: Mapping[str, int]
    of_stage: Mapping[tuple[str, str], int]
    of_reason: Mapping[tuple[str, str], int]

    @property
    def deals(self) -> int:
        """How many deals there are, with gaps or without."""
        return sum(self.by_stage.values())

    def reasons_of(self, element: str) -> dict[str, int]:
        """Gives the deals with a gap in an element by primary reason, the most frequent first."""
        found = {code: deals for (code, name), deals in self.of_reason.items() if name == element}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def read_gaps(session: Session, scope: Scope) -> Gaps:
    """Gives the gaps of a scope."""
    stage = DIMENSIONS["stage"].column().label("axis_0")
    sizes = select(stage, LossRow.primary_reason, func.count()).where(*scope.where)
    query = select(stage, LossRow.primary_reason, LossElementRow.element, func.count())
    query = query.join(LossElementRow, LossElementRow.deal_id == LossRow.deal_id)
    query = query.where(*scope.where, LossElementRow.state == "gap")
    by_stage, by_reason, of_stage, of_reason = Counter[str](), Counter[str](), _Pairs(), _Pairs()
    for name, code, deals in session.execute(sizes.group_by("axis_0", LossRow.primary_reason)):
        by_stage[name] += deals
        by_reason[code] += deals
    for name, code, element, deals in session.execute(
        query.group_by("axis_0", LossRow.primary_reason, LossElementRow.element)
    ):
        of_stage[name, element] += deals
        of_reason[code, element] += deals
    return Gaps(by_stage, by_reason, of_stage, of_reason)


_Pairs = Counter[tuple[str, str]]
