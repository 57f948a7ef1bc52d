"""What a change of the list would make of old deals: by reason, what is certain and what people would be asked; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from serving.review.verdicts import read_held
from serving.store import get_assessment
from serving.tables import LossRow
from serving.taxonomy_change.changes import NewList, find_holding, find_touched, require_next
from serving.taxonomy_change.walks import AppliedStep, Carried, carry, find_steps

SAMPLES = 3


@dataclass(slots=True)
class PlannedCode:
    """What would become of a reason.

    Args:
        code: The old code.
        heirs: The codes that it may be; one where that is certain.
        primary: Deals that it decided.
        beside: Deals that it applies to beside another.
        judged: Of all of these, those that a person's verdict holds of.
        samples: Ids of a few, the first in order.
    """

    code: str
    heirs: tuple[str, ...]
    primary: int = 0
    beside: int = 0
    judged: int = 0
    samples: list[str] = field(default_factory=list)

    @property
    def is_certain(self) -> bool:
        """Says whether a rule carries it over."""
        return len(self.heirs) == 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change would make of old deals.

    Args:
        codes: By reason, in the order of the file.
        certain: Deals all of whose reasons would be carried over by rule.
        open: Deals that would be put into the queue.
    """

    codes: tuple[PlannedCode, ...]
    certain: int
    open: int


def make_plan(session: Session, new: NewList) -> Plan:
    """Gives what applying a change would do; of one that holds already, what it has done and would do now.

    Args:
        session: An open session.
        new: The list that the change makes.

    Raises:
        ConfigurationError: The change does not follow those that hold.
    """
    row = find_holding(session, new)
    if row is None:
        require_next(session, new)
    step = AppliedStep(row.id if row else "", new.from_version, new.taxonomy.version, new.walk)
    codes = {code: PlannedCode(code, heirs) for code, heirs in new.walk.items()}
    deals = [0, 0]
    touched = {*new.walk, *(heir for heirs in new.walk.values() for heir in heirs)} if row else set(new.walk)
    for deal_id in find_touched(session, touched):
        loss = session.get_one(LossRow, deal_id)
        before = _codes_before(session, loss, step, new)
        after = carry(before, [step])
        if after.moves:
            deals[bool(after.open)] += 1
        _count(codes, loss, after)
    return Plan(tuple(codes.values()), deals[0], deals[1])


def _codes_before(session: Session, loss: LossRow, step: AppliedStep, new: NewList) -> Sequence[str]:
    """Gives the codes of a deal in the list before; none where it was read in the list after."""
    row = get_assessment(session, loss.assessment_id)
    reading = read_held(session, row, Assessment.model_validate(row.assessment), new.before).reading
    version, codes = reading.model.taxonomy_version, [reason.code for reason in reading.reasons]
    steps = find_steps(session, version, until=step.from_version)
    if version != step.from_version and not steps:
        return ()
    earlier = carry(codes, steps)
    return tuple(code for code in earlier.codes if code not in earlier.open)


def _count(codes: dict[str, PlannedCode], loss: LossRow, after: Carried) -> None:
    for place, code in enumerate(after.way):
        planned = codes.get(code)
        if planned is None:
            continue
        planned.primary += place == 0
        planned.beside += place > 0
        planned.judged += loss.verdict_id is not None
        if len(planned.samples) < SAMPLES:
            planned.samples.append(loss.deal_id)
