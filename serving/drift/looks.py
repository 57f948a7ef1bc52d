"""The weekly look: compares the newest deals with those before, remembers what it found, and has people judge a sample of a change.

A week has one look, whoever asks for it and how often: looking again until something is found would be more false alarms than promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from serving.drift.drawing import choose_deals, queue_deals
from serving.drift.features import level_of
from serving.drift.findings import Finding, compare_samples, read_findings, write_findings
from serving.drift.settings import DriftSettings
from serving.drift.windows import Spans, read_windows
from serving.store import Database
from serving.tables import DriftLookRow


@dataclass(frozen=True, slots=True)
class Look:
    """What one week's look found.

    Args:
        spans: The days it compared.
        looked_at: When it was taken.
        model_version: Whose readings were compared; None where nothing was read yet.
        level: The largest p that counted as a change.
        findings: One a feature.
        sampled: Deals that it put before people.
    """

    spans: Spans
    looked_at: datetime
    model_version: str | None
    level: float
    findings: tuple[Finding, ...]
    sampled: int

    @property
    def week_on(self) -> date:
        """The Monday of its week."""
        return self.spans.newest[1] + timedelta(days=1)

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """The features that have changed."""
        return tuple(finding for finding in self.findings if finding.is_alarm)

    @property
    def held_back(self) -> tuple[Finding, ...]:
        """The features that too few deals have a value of."""
        return tuple(finding for finding in self.findings if finding.p is None)


def week_of(at: datetime) -> date:
    """Gives the Monday of a moment's week, as UTC has it."""
    return at.date() - timedelta(days=at.weekday())


def find_look(session: Session) -> Look | None:
    """Gives the newest look, None where none was taken yet."""
    row = session.scalar(select(DriftLookRow).order_by(DriftLookRow.week_on.desc()).limit(1))
    return None if row is None else _look(row)


def take_look(database: Database, settings: DriftSettings, *, at: datetime) -> Look:
    """Gives the look of this week; it is taken where nobody has, and with it the sample of a new alarm is put into the queue.

    Args:
        database: Where deals are.
        settings: How long the windows are, how often a false alarm may come, how many deals are drawn.
        at: The moment, with its time zone, in UTC.
    """
    week_on = week_of(at)
    with database.reading() as session:
        last = find_look(session)
        if last is not None and last.week_on >= week_on:
            return last
        row, chosen = _compare(session, settings, week_on=week_on, last=last)
    row.looked_at = at
    try:
        return _keep(database, row, chosen, settings=settings)
    except IntegrityError:  # another process was faster
        with database.reading() as session:
            return _look(session.get_one(DriftLookRow, week_on))


def _compare(
    session: Session, settings: DriftSettings, *, week_on: date, last: Look | None
) -> tuple[DriftLookRow, Sequence[str]]:
    """Gives the look, not yet kept, and the assessments that it would put before people, the first ones first."""
    spans = Spans.before(week_on, days=settings.days, reference_days=settings.reference_days)
    windows, level = read_windows(session, spans), level_of(settings.false_alarms)
    known = frozenset(finding.feature for finding in last.alarms) if last else frozenset[str]()
    findings = compare_samples(windows.newest, windows.reference, level=level, known=known)
    row = DriftLookRow(
        week_on=week_on,
        newest_on=spans.newest[0],
        reference_on=spans.reference[0],
        model_version=windows.model_version,
        level=level,
        findings=write_findings(findings),
        sampled=0,
    )
    return row, choose_deals(findings, windows)


def _keep(database: Database, row: DriftLookRow, chosen: Sequence[str], *, settings: DriftSettings) -> Look:
    with database.writing() as session:
        session.add(row)
        session.flush()  # first of all: whoever comes second stops here
        row.sampled = queue_deals(session, chosen, most=settings.sample, at=row.looked_at)
        session.commit()
        return _look(row)


def _look(row: DriftLookRow) -> Look:
    spans = Spans.between(row.reference_on, row.newest_on, week_on=row.week_on)
    return Look(spans, row.looked_at, row.model_version, row.level, read_findings(row.findings), row.sampled)
