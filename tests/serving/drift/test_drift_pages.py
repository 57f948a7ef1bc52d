"""What people see of drift: the page, the command, the metrics, and the worker's weekly look."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from lossnlp.assessment import Assessment
from serving.commands import app
from serving.drift import command, pages, weekly
from serving.drift.accuracy import read_accuracy
from serving.drift.looks import find_look, take_look
from serving.drift.settings import DriftSettings, load_drift_settings
from serving.errors import ConfigurationError
from serving.review.said import Said
from serving.review.verdict import labels_of
from serving.review.verdicts import Bench
from serving.store import Database, get_assessment, now
from serving.tables import PersonRow, ReviewCauseRow, ReviewRow
from tests.serving.conftest import KeywordAssessor
from tests.serving.drift.conftest import AddDeals
from tests.serving.reports.wording import find_shaming, words_of_page

OpenAs = Callable[[str], TestClient]


@pytest.fixture(autouse=True)
def on_monday(monkeypatch: pytest.MonkeyPatch, monday: datetime) -> None:
    for module in (pages, command, weekly):
        monkeypatch.setattr(module, "now", lambda: monday)


def test_page_says_that_no_look_was_taken(open_as: OpenAs) -> None:
    assert "No look has been taken yet" in open_as("ops").get("/drift").text


@pytest.mark.parametrize(
    ("role", "status"), [("ops", 200), ("admin", 200), ("leader", 403), ("manager", 403), ("rep", 403)]
)
def test_page_is_for_ops_and_admins(open_as: OpenAs, role: str, status: int) -> None:
    browser = open_as(role)
    assert [browser.get(path).status_code for path in ("/drift", "/drift/charts/weeks")] == [status, status]


@pytest.mark.usefixtures("changed")
def test_page_shows_what_has_changed(open_as: OpenAs, database: Database, monday: datetime) -> None:
    take_look(database, DriftSettings(), at=monday)
    shown = open_as("ops").get("/drift").text
    assert "Clear change:" in shown
    assert "Budget" in shown
    assert "20 deals that make up the change" in shown
    assert find_shaming(words_of_page(shown)) == []


@pytest.mark.usefixtures("months_before")
def test_page_says_what_is_held_back(open_as: OpenAs, database: Database, monday: datetime) -> None:
    take_look(database, DriftSettings(), at=monday)
    assert "held back: fewer than 30 deals" in open_as("ops").get("/drift").text


@pytest.mark.usefixtures("changed")
def test_looking_at_the_page_is_no_look(open_as: OpenAs, database: Database) -> None:
    open_as("ops").get("/drift")
    with database.reading() as session:
        assert find_look(session) is None


@pytest.mark.usefixtures("changed")
def test_charts_are_drawn(open_as: OpenAs) -> None:
    browser = open_as("ops")
    assert browser.get("/drift/charts/weeks").text.startswith("<svg")
    assert "too little to draw" in browser.get("/drift/charts/accuracy").text
    assert browser.get("/drift/charts/other").status_code == 404


def run_command(monkeypatch: pytest.MonkeyPatch, url: str) -> tuple[int, str]:
    monkeypatch.setenv("LOSSNLP_DATABASE_URL", url)
    monkeypatch.setenv("LOSSNLP_LOG_LEVEL", "error")
    found = CliRunner().invoke(app, ["drift"])
    return found.exit_code, found.stdout


@pytest.mark.usefixtures("changed", "set_up_logs")
def test_command_tells_an_alarm_by_its_exit(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    code, shown = run_command(monkeypatch, database_url)
    assert code == command.ALARM_EXIT
    assert "clear change" in shown


@pytest.mark.usefixtures("months_before", "set_up_logs")
def test_command_ends_well_where_nothing_changed(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    code, shown = run_command(monkeypatch, database_url)
    assert (code, "held back" in shown) == (0, True)


@pytest.mark.usefixtures("changed")
def test_metrics_tell_the_newest_look(open_as: OpenAs, database: Database, monday: datetime) -> None:
    take_look(database, DriftSettings(), at=monday)
    headers = {"Authorization": "Bearer a-key-that-is-long-enough"}
    shown = open_as("ops").get("/metrics", headers=headers).text
    assert 'lossnlp_drift_alarm{feature="reason"} 1.0' in shown
    assert 'lossnlp_drift_alarm{feature="language"} 0.0' in shown
    assert 'lossnlp_drift_p{feature="right_drawn"} NaN' in shown
    (looked_at,) = re.findall(r"^lossnlp_drift_looked_at_seconds (\S+)$", shown, flags=re.MULTILINE)
    assert float(looked_at) == monday.timestamp()


class OneTurn(Event):
    """Stops a loop where it would wait."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        self.set()
        return True


@pytest.mark.usefixtures("changed")
def test_worker_takes_the_look_of_the_week(database: Database, monday: datetime) -> None:
    weekly.run_looks(database, OneTurn())
    with database.reading() as session:
        look = find_look(session)
    assert look is not None
    assert look.week_on == monday.date()


def test_accuracy_keeps_drawn_deals_apart(
    database: Database, add_deals: AddDeals, assessor: KeywordAssessor, monday: datetime
) -> None:
    lost_on = monday.date() - timedelta(days=5)
    drawn = add_deals(12, "price was far too high", lost_on)
    asked = add_deals(10, "price high", lost_on)
    opened = add_deals(3, "legal took far too long", lost_on)
    with database.writing() as session:
        person = PersonRow(email="jo@example.com", name="Jo", role="ops", teams=[], created_at=now())
        session.add(person)
        session.flush()
        for assessment_id in drawn:
            _queue_for_audit(session, assessment_id)
        bench = Bench(assessor.taxonomy)
        for assessment_id in (*drawn, *asked[:5], *opened):
            bench.give(session, assessment_id, person, Said("accept"))
        for assessment_id in asked[5:]:
            bench.give(session, assessment_id, person, Said("change", _as_timing(session, assessment_id)))
        session.commit()
    with database.reading() as session:
        month = read_accuracy(session, monday.date())[-1]
    assert (month.drawn.judged, month.asked.judged) == (12, 10)
    assert month.drawn.share is not None
    assert month.asked.share is not None
    assert (month.drawn.share.value, month.asked.share.value) == (1.0, 0.5)


def _queue_for_audit(session, assessment_id: str) -> None:
    row = get_assessment(session, assessment_id)
    causes = [ReviewCauseRow(cause="audit_sample")]
    review = {"uncertainty": 0.1, "primary_reason": "price", "model_version": "m", "created_at": now()}
    session.add(ReviewRow(assessment_id=row.id, deal_id=row.deal_id, causes=causes, **review))
    session.flush()


def _as_timing(session, assessment_id: str):
    labels = labels_of(Assessment.model_validate(get_assessment(session, assessment_id).assessment))
    return labels.model_copy(update={"reasons": ("timing",)})


@pytest.mark.parametrize(("name", "value"), [("DAYS", "3"), ("FALSE_ALARMS", "0"), ("SAMPLE", "-1"), ("DAYS", "soon")])
def test_unusable_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LOSSNLP_DRIFT_{name}", value)
    with pytest.raises(ConfigurationError, match=f"LOSSNLP_DRIFT_{name}"):
        load_drift_settings()
