"""The kinds of records that are kept for a time: which rows are over it, and what is dropped of them.

Where reports count a row, its words alone go. What a pending write-back or the look at drift still needs is not over its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, delete, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from serving.inbox import OPEN as UNTAKEN
from serving.outbox import OPEN as UNSENT
from serving.tables import (
    AssessmentRow,
    AttemptRow,
    BatchRow,
    DealFiguresRow,
    DealRow,
    InboxRow,
    LossRow,
    SealedTextRow,
    ShadowDifferenceRow,
    ShadowReadingRow,
    VerdictRow,
    WriteBackRow,
)

Key = str | int
DEAL_NAMES = ("owner", "account", "stated_reason")
_VALUES = ("planned", "before", "after", "kept")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record.

    Args:
        name: What its setting is called, without `_days`.
        holds: What of it goes, for a person.
        over: Gives the query for the keys of rows whose time was over at a moment and that still hold something.
        drop: Drops that of the rows with these keys.
    """

    name: str
    holds: str
    over: Callable[[datetime], Select[Any]]
    drop: Callable[[Session, Sequence[Key]], None]


def without_words(assessment: dict[str, Any]) -> dict[str, Any]:
    """Gives a stored assessment without quotes, labels of speakers and words of a revisit."""
    bare: dict[str, Any] = _without_evidence(assessment)
    return {**bare, "speakers": [], "winback": {**bare["winback"], "revisit_text": None}}


def _without_evidence(value: Any) -> Any:  # noqa: ANN401 (a decoded assessment holds values of all kinds)
    if isinstance(value, list):
        return [_without_evidence(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: type(one)() if key == "evidence" else _without_evidence(one) for key, one in value.items()}


def _holds(column: InstrumentedAttribute[Any], *beginnings: str) -> ColumnElement[bool]:
    """Gives the condition that stored JSON has one of these parts filled: such as a list that does not end at once."""
    written = cast(column, String)
    return or_(*(written.contains(beginning, autoescape=True) for beginning in beginnings))


def _over_texts(at: datetime) -> Select[Any]:
    return select(SealedTextRow.assessment_id).where(SealedTextRow.created_at < at)


def _drop_texts(session: Session, keys: Sequence[Key]) -> None:
    session.execute(delete(SealedTextRow).where(SealedTextRow.assessment_id.in_(keys)))


def _over_quotes(at: datetime) -> Select[Any]:
    has_words = _holds(AssessmentRow.assessment, '"evidence": [{', '"speakers": [{', '"revisit_text": "')
    return select(AssessmentRow.id).where(AssessmentRow.created_at < at, has_words)


def _drop_quotes(session: Session, keys: Sequence[Key]) -> None:
    for row in session.scalars(select(AssessmentRow).where(AssessmentRow.id.in_(keys))):
        row.assessment = without_words(row.assessment)
    session.execute(update(LossRow).where(LossRow.assessment_id.in_(keys)).values(revisit_text=None))


def _over_marks(at: datetime) -> Select[Any]:
    has_words = _holds(VerdictRow.labels, '"evidence": {"', '"revisit_text": "')
    return select(VerdictRow.id).where(VerdictRow.created_at < at, has_words)


def _drop_marks(session: Session, keys: Sequence[Key]) -> None:
    for row in session.scalars(select(VerdictRow).where(VerdictRow.id.in_(keys))):
        row.labels = {**(row.labels or {}), "evidence": {}, "revisit_text": None}
    session.execute(update(LossRow).where(LossRow.verdict_id.in_(keys)).values(revisit_text=None))


def _over_remarks(at: datetime) -> Select[Any]:
    return select(VerdictRow.id).where(VerdictRow.created_at < at, VerdictRow.comment.is_not(None))


def _drop_remarks(session: Session, keys: Sequence[Key]) -> None:
    session.execute(update(VerdictRow).where(VerdictRow.id.in_(keys)).values(comment=None))


def _over_deal_fields(at: datetime) -> Select[Any]:
    has_names = or_(*(getattr(DealRow, name).is_not(None) for name in DEAL_NAMES))
    return select(DealRow.id).where(DealRow.received_at < at, has_names)


def _drop_deal_fields(session: Session, keys: Sequence[Key]) -> None:
    nothing = dict.fromkeys(DEAL_NAMES)
    session.execute(update(DealRow).where(DealRow.id.in_(keys)).values(nothing))
    session.execute(update(LossRow).where(LossRow.deal_id.in_(keys)).values(nothing))


def _over_write_backs(at: datetime) -> Select[Any]:
    """Gives those that are settled, of deals for which nothing waits: what is to be sent is weighed against what we have left before."""
    other = aliased(WriteBackRow)
    is_open = exists().where(other.deal_id == WriteBackRow.deal_id, other.state.in_(UNSENT))
    holds = or_(*(cast(getattr(WriteBackRow, name), String) != "{}" for name in _VALUES))
    return select(WriteBackRow.id).where(WriteBackRow.settled_at < at, ~is_open, holds)


def drop_write_backs(session: Session, keys: Sequence[Key]) -> None:
    """Drops the values of write-backs: none of them can be taken back any more."""
    nothing: dict[str, Any] = {name: {} for name in _VALUES}
    session.execute(update(WriteBackRow).where(WriteBackRow.id.in_(keys)).values(nothing))
    session.execute(update(AttemptRow).where(AttemptRow.write_back_id.in_(keys)).values(after={}, error=None))


def _over_inbox(at: datetime) -> Select[Any]:
    unlisted = select(BatchRow.id).where(BatchRow.is_listed.is_(False))
    is_in_use = InboxRow.batch_id.is_not(None) & InboxRow.batch_id.in_(unlisted)
    return select(InboxRow.id).where(InboxRow.settled_at < at, InboxRow.state.not_in(UNTAKEN), ~is_in_use)


def _drop_inbox(session: Session, keys: Sequence[Key]) -> None:
    session.execute(delete(InboxRow).where(InboxRow.id.in_(keys)))


def _over_figures(at: datetime) -> Select[Any]:
    query = select(DealFiguresRow.assessment_id).join(AssessmentRow, AssessmentRow.id == DealFiguresRow.assessment_id)
    return query.where(AssessmentRow.created_at < at)


def _drop_figures(session: Session, keys: Sequence[Key]) -> None:
    session.execute(delete(DealFiguresRow).where(DealFiguresRow.assessment_id.in_(keys)))


def _over_shadow(at: datetime) -> Select[Any]:
    return select(ShadowReadingRow.id).where(ShadowReadingRow.created_at < at)


def _drop_shadow(session: Session, keys: Sequence[Key]) -> None:
    session.execute(delete(ShadowDifferenceRow).where(ShadowDifferenceRow.reading_id.in_(keys)))
    session.execute(delete(ShadowReadingRow).where(ShadowReadingRow.id.in_(keys)))


KINDS = (
    Kind("texts", "encrypted documents", _over_texts, _drop_texts),
    Kind("quotes", "quotes of assessments, labels of speakers", _over_quotes, _drop_quotes),
    Kind("quotes", "quotes of verdicts", _over_marks, _drop_marks),
    Kind("remarks", "remarks of reviewers", _over_remarks, _drop_remarks),
    Kind("deal_fields", "owner, account, stated reason", _over_deal_fields, _drop_deal_fields),
    Kind("write_backs", "values of write-backs", _over_write_backs, drop_write_backs),
    Kind("inbox", "events that were taken in", _over_inbox, _drop_inbox),
    Kind("figures", "figures of words, for drift", _over_figures, _drop_figures),
    Kind("shadow", "readings of challengers", _over_shadow, _drop_shadow),
)
