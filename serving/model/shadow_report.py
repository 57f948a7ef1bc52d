"""How often a challenger reads deals as the model in service does, value by value, with intervals and deals to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.orm import Session

from lossnlp.assessment import Assessment
from serving.errors import UnknownIdError
from serving.model.comparison import Difference, compared_fields
from serving.reports.intervals import Share, share_of
from serving.store import get_assessment
from serving.tables import ShadowDifferenceRow, ShadowReadingRow

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class FieldAgreement:
    """How often two models read one value alike.

    Args:
        field: The value's name, as `serving.model.comparison` gives it.
        differ: Deals in which they do not.
        agreed: The share of deals in which they do.
        examples: Differing readings by deal, the newest first, a few.
    """

    field: str
    differ: int
    agreed: Share
    examples: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What is known of a challenger beside the model in service.

    Args:
        champion: Version of the model in service.
        challenger: Version of the challenger.
        deals: Deals that both have read.
        failed: Deals in which the challenger gave no answer.
        fields: The values, most different first.
    """

    champion: str
    challenger: str
    deals: int
    failed: int
    fields: tuple[FieldAgreement, ...]


def report_shadow(session: Session, *, challenger: str | None = None, since: datetime | None = None) -> ShadowReport:
    """Gives the report on a challenger beside the model that it was compared with last.

    Args:
        session: An open session.
        challenger: Its version; None is the one that has read a deal last.
        since: Only deals read since then.

    Raises:
        UnknownIdError: It has read no deal.
    """
    last = _find_last(session, challenger)
    chosen = and_(
        ShadowReadingRow.champion == last.champion,
        ShadowReadingRow.challenger == last.challenger,
        ShadowReadingRow.created_at >= since if since else true(),
    )
    counted = select(ShadowReadingRow.failed, func.count()).where(chosen).group_by(ShadowReadingRow.failed)
    counts = {bool(has_failed): number for has_failed, number in session.execute(counted)}
    deals, failed = counts.get(False, 0), counts.get(True, 0)
    fields = _fields(session, last, chosen, deals=deals) if deals else ()
    return ShadowReport(last.champion, last.challenger, deals, failed, fields)


def _find_last(session: Session, challenger: str | None) -> ShadowReadingRow:
    query = select(ShadowReadingRow).order_by(ShadowReadingRow.id.desc()).limit(1)
    last = session.scalar(query.where(ShadowReadingRow.challenger == challenger) if challenger else query)
    if last is None:
        name = f"The challenger {challenger}" if challenger else "A challenger"
        raise UnknownIdError(f"{name} has read no deal yet; LOSSNLP_SHADOW_MODEL names the one that reads along.")
    return last


def _fields(
    session: Session, last: ShadowReadingRow, chosen: ColumnElement[bool], *, deals: int
) -> tuple[FieldAgreement, ...]:
    query = select(ShadowDifferenceRow.field, func.count()).join(ShadowReadingRow).where(chosen)
    differ: dict[str, int] = dict(iter(session.execute(query.group_by(ShadowDifferenceRow.field))))
    known = compared_fields(Assessment.model_validate(get_assessment(session, last.assessment_id).assessment))
    order = sorted(dict.fromkeys((*known, *differ)), key=lambda name: -differ.get(name, 0))
    return tuple(
        FieldAgreement(
            name,
            differ.get(name, 0),
            share_of(deals - differ.get(name, 0), deals),
            _examples(session, chosen, name) if name in differ else {},
        )
        for name in order
    )


def _examples(session: Session, chosen: ColumnElement[bool], name: str) -> dict[str, Difference]:
    query = (
        select(ShadowReadingRow.deal_id, ShadowDifferenceRow)
        .join(ShadowReadingRow)
        .where(chosen, ShadowDifferenceRow.field == name)
        .order_by(ShadowReadingRow.id.desc())
        .limit(_EXAMPLES)
    )
    return {
        deal_id: Difference(row.field, row.champion_value, row.challenger_value)
        for deal_id, row in session.execute(query)
    }
