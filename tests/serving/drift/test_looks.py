"""The weekly look: taken once a week, kept, and followed by a sample in the queue."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from serving.drift import looks
from serving.drift.looks import Look, find_look, take_look, week_of
from serving.drift.settings import DriftSettings
from serving.review.said import Said
from serving.review.verdicts import Bench
from serving.review.waiting import DRIFT_SAMPLE
from serving.store import Database, now
from serving.tables import DriftLookRow, PersonRow, ReviewCauseRow, ReviewRow
from tests.serving.conftest import KeywordAssessor
from tests.serving.drift.conftest import AddDeals

SETTINGS = DriftSettings(sample=6)


def drawn(database: Database) -> set[str]:
    """Gives the assessments that wait as the sample of a change."""
    query = select(ReviewRow.assessment_id).join(ReviewCauseRow, ReviewCauseRow.review_id == ReviewRow.id)
    with database.reading() as session:
        return set(session.scalars(query.where(ReviewCauseRow.cause == DRIFT_SAMPLE, ReviewRow.state == "waiting")))


def alarms(look: Look) -> set[str]:
    return {finding.feature for finding in look.alarms}


@pytest.mark.usefixtures("changed")
def test_change_is_found(database: Database, monday: datetime) -> None:
    look = take_look(database, SETTINGS, at=monday)
    assert {"reason", "words", "vocabulary"} <= alarms(look)
    assert not alarms(look) & {"language", "sources", "waits", "confidence"}


def test_change_draws_sample_of_newest_deals(database: Database, changed: list[str], monday: datetime) -> None:
    assert take_look(database, SETTINGS, at=monday).sampled == 6
    assert len(drawn(database)) == 6
    assert drawn(database) <= set(changed)


@pytest.mark.usefixtures("changed")
def test_week_has_one_look(database: Database, monday: datetime) -> None:
    first = take_look(database, SETTINGS, at=monday)
    before = drawn(database)
    assert take_look(database, SETTINGS, at=monday + timedelta(days=6)) == first
    assert drawn(database) == before
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(DriftLookRow)) == 1


@pytest.mark.usefixtures("changed")
def test_alarm_that_goes_on_draws_no_second_sample(database: Database, monday: datetime) -> None:
    take_look(database, SETTINGS, at=monday)
    second = take_look(database, SETTINGS, at=monday + timedelta(days=7))
    assert "reason" in alarms(second)
    assert not any(finding.is_new for finding in second.findings)
    assert second.sampled == 0


@pytest.mark.usefixtures("changed")
def test_newest_look_is_kept(database: Database, monday: datetime) -> None:
    look = take_look(database, SETTINGS, at=monday)
    with database.reading() as session:
        assert find_look(session) == look
    assert look.week_on == monday.date()
    assert [str(day) for day in (*look.spans.reference, *look.spans.newest)] == [
        "2026-04-20",
        "2026-10-18",
        "2026-10-19",
        "2026-11-15",
    ]


@pytest.mark.usefixtures("months_before")
def test_same_deals_are_no_change(database: Database, add_deals: AddDeals, monday: datetime) -> None:
    for text in ("price was far too high for them", "legal took far too long for them"):
        add_deals(20, text, monday.date() - timedelta(days=5))
    look = take_look(database, SETTINGS, at=monday)
    assert (alarms(look), look.sampled, drawn(database)) == (set(), 0, set())


@pytest.mark.usefixtures("months_before")
def test_backfill_of_old_deals_is_no_change(database: Database, add_deals: AddDeals, monday: datetime) -> None:
    add_deals(40, "timing did not fit at all", monday.date() - timedelta(days=800))
    look = take_look(database, SETTINGS, at=monday)
    assert {(finding.newest_deals, finding.reference_deals) for finding in look.findings[:3]} == {(0, 40)}


@pytest.mark.usefixtures("months_before")
def test_few_deals_are_held_back(database: Database, add_deals: AddDeals, monday: datetime) -> None:
    add_deals(29, "budget was cut", monday.date() - timedelta(days=5))
    look = take_look(database, SETTINGS, at=monday)
    assert alarms(look) == set()
    assert len(look.held_back) == len(look.findings)


@pytest.mark.usefixtures("changed")
def test_readings_of_another_model_are_not_compared(
    database: Database, add_deals: AddDeals, assessor: KeywordAssessor, monday: datetime
) -> None:
    assessor.model_version = "keywords-2"
    add_deals(30, "timing did not fit at all", monday.date() - timedelta(days=5))
    findings = {finding.feature: finding for finding in take_look(database, SETTINGS, at=monday).findings}
    assert (findings["reason"].p, findings["reason"].newest_deals) == (None, 30)
    assert (findings["words"].newest_deals, findings["words"].reference_deals) == (60, 40)


def test_judged_deals_are_not_drawn(
    database: Database, changed: list[str], assessor: KeywordAssessor, monday: datetime
) -> None:
    judged = changed[:28]
    with database.writing() as session:
        person = PersonRow(email="jo@example.com", name="Jo", role="ops", teams=[], created_at=now())
        session.add(person)
        session.flush()
        for assessment_id in judged:
            Bench(assessor.taxonomy).give(session, assessment_id, person, Said("accept"))
        session.commit()
    take_look(database, SETTINGS, at=monday)
    assert drawn(database) == set(changed[28:])


def test_empty_database_has_a_quiet_look(database: Database, monday: datetime) -> None:
    look = take_look(database, SETTINGS, at=monday)
    assert (look.model_version, look.alarms, look.sampled) == (None, (), 0)


@pytest.mark.usefixtures("changed")
def test_look_of_faster_process_counts(database: Database, monday: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    first, before = take_look(database, SETTINGS, at=monday), drawn(database)
    monkeypatch.setattr(looks, "find_look", lambda _session: None)  # as a process sees it that began at the same time
    assert take_look(database, SETTINGS, at=monday + timedelta(hours=1)) == first
    assert drawn(database) == before


@pytest.mark.parametrize("day", range(7))
def test_week_starts_on_monday(monday: datetime, day: int) -> None:
    assert week_of(monday + timedelta(days=day)) == monday.date()
