"""The sample of a change: deals that people judge to see whether the model still reads such deals right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy.orm import Session

from serving.drift.features import FEATURE_BY_NAME
from serving.drift.findings import Finding, find_moved_deals
from serving.drift.windows import Windows
from serving.review.verdicts import find_held_on_content, lock_deal
from serving.review.waiting import DRIFT_SAMPLE, add_cause
from serving.store import is_current
from serving.tables import AssessmentRow

_MOST_TRIED = 1_000


def choose_deals(findings: Sequence[Finding], windows: Windows) -> list[str]:
    """Gives the assessments that make up new alarms, in the order to draw them: each value that moved has its turn.

    Args:
        findings: Of a look; those that are new alarms count.
        windows: What the look compared.
    """
    groups: list[list[str]] = []
    for finding in findings:
        if finding.is_new:
            feature = FEATURE_BY_NAME[finding.feature]
            masks = find_moved_deals(feature, windows.newest, windows.reference)
            groups += [sorted(windows.newest.ids[mask].tolist(), key=_place) for mask in masks]
    return list(dict.fromkeys(_in_turns(groups)))[:_MOST_TRIED]


def queue_deals(session: Session, chosen: Sequence[str], *, most: int, at: datetime) -> int:
    """Gives how many deals wait now as the sample of a change; those that somebody has judged are passed over. The caller commits.

    Args:
        session: An open unit of work.
        chosen: Assessments, in the order to draw them.
        most: How many to draw.
        at: The moment.
    """
    able = (row for name in chosen if (row := _find_unjudged(session, name)) is not None)
    drawn = sorted(islice(able, most), key=lambda row: row.deal_id)  # locks are always taken in the same order
    for row in drawn:
        lock_deal(session, row.deal_id)
    fit = [row for row in drawn if is_current(session, row) and find_held_on_content(session, row) is None]
    for row in fit:
        add_cause(session, row, DRIFT_SAMPLE, at=at)
    return len(fit)


def _find_unjudged(session: Session, assessment_id: str) -> AssessmentRow | None:
    row = session.get_one(AssessmentRow, assessment_id)
    return None if find_held_on_content(session, row) else row


def _in_turns(groups: Sequence[Sequence[str]]) -> Iterator[str]:
    for place in range(max(map(len, groups), default=0)):
        yield from (group[place] for group in groups if place < len(group))


def _place(assessment_id: str) -> bytes:
    """Gives where an assessment stands in a shuffled order that is the same each time."""
    return hashlib.sha256(f"drift {assessment_id}".encode()).digest()
