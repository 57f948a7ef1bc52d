"""A challenger reads along: after the answer, never in its way, and only what it reads otherwise is kept."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from lossnlp.bundle import Bundle, read_bundle
from lossnlp.deal import Deal
from lossnlp.pointer import write_pointer
from serving.commands import app
from serving.errors import UnknownIdError
from serving.intake import Intake, parse_deal
from serving.metrics import Metrics
from serving.model.folder import FolderSource
from serving.model.shadow import MOST_WAITING, Shadow
from serving.model.shadow_report import report_shadow
from serving.settings import Settings
from serving.store import Database
from serving.tables import ShadowDifferenceRow, ShadowReadingRow
from tests.serving.model.conftest import MakeBundle


class Contrarian:
    """Reads as the stand-in does, but takes every loss to a budget for one to a price."""

    def __init__(self, inner: Any, bundle: Bundle) -> None:
        self.model_version, self.taxonomy, self._inner = "challenger-1", bundle.taxonomy, inner

    def assess(self, deal: Deal, /) -> Any:
        text = (deal.documents[0].text or "").replace("budget", "price ")
        documents = (deal.documents[0].model_copy(update={"text": text}),)
        return self._inner.assess(deal.model_copy(update={"documents": documents}))


@pytest.fixture
def shadow(database: Database, bundles: Path, make_bundle: MakeBundle, make_assessor: type[Any]) -> Shadow:
    make_bundle("2026-11-09")
    write_pointer(bundles, "2026-11-09", alias="challenger")
    source = FolderSource(bundles, "challenger")
    opened = Shadow(
        source, lambda folder: Contrarian(make_assessor(), read_bundle(folder)), database, Metrics(), every_s=0.05
    )
    opened.renew()
    return opened


@pytest.fixture
def shadowed(assessor: Any, database: Database, shadow: Shadow) -> Intake:
    return Intake(assessor, database, Metrics(), companion=shadow)


def take(intake: Intake, **texts: str) -> None:
    for deal_id, text in texts.items():
        intake.take_deal(parse_deal({"id": deal_id, "text": text}))


def read_all(shadow: Shadow) -> None:
    while not shadow.waiting.empty():
        shadow.read_next(Event(), wait_s=1)


def counted(shadow: Shadow, outcome: str) -> bool:
    shown = shadow.metrics.render().decode()
    return f'lossnlp_shadow_deals_total{{outcome="{outcome}"}} 1.0' in shown


def test_only_differences_are_kept(shadowed: Intake, shadow: Shadow, database: Database) -> None:
    take(shadowed, A="the price was too high", B="no budget was left this year")
    read_all(shadow)
    with database.reading() as session:
        readings = {row.id: row.deal_id for row in session.scalars(select(ShadowReadingRow))}
        found = [
            (readings[row.reading_id], row.field, row.champion_value, row.challenger_value)
            for row in session.scalars(select(ShadowDifferenceRow))
        ]
    assert sorted(readings.values()) == ["A", "B"]
    assert found == [("B", "primary_reason", "budget", "price")]


def test_repeated_deal_is_not_read_again(shadowed: Intake, shadow: Shadow) -> None:
    take(shadowed, A="the price was too high")
    take(shadowed, A="the price was too high")
    assert shadow.waiting.qsize() == 1


def test_report_gives_shares_and_examples(shadowed: Intake, shadow: Shadow, database: Database) -> None:
    take(shadowed, A="the price was too high", B="no budget was left this year", C="legal took too long for us")
    read_all(shadow)
    with database.reading() as session:
        report = report_shadow(session)
    assert (report.champion, report.challenger, report.deals, report.failed) == ("keywords-1", "challenger-1", 3, 0)
    first, *others = report.fields
    assert (first.field, first.differ, list(first.examples)) == ("primary_reason", 1, ["B"])
    assert first.agreed.value == pytest.approx(2 / 3)
    assert first.agreed.low < 2 / 3 < first.agreed.high
    assert all(other.differ == 0 and other.agreed.value == 1 for other in others)


def test_challenger_that_fails_fails_no_answer(shadowed: Intake, shadow: Shadow, database: Database) -> None:
    shadow._challenger.assess = lambda _deal: 1 // 0  # type: ignore[union-attr, method-assign, assignment]
    take(shadowed, A="the price was too high")
    read_all(shadow)
    with database.reading() as session:
        assert report_shadow(session).failed == 1
    assert counted(shadow, "failed")


def test_full_queue_drops_and_counts(shadowed: Intake, shadow: Shadow) -> None:
    take(shadowed, **{f"D{number}": f"the price was too high {number}" for number in range(MOST_WAITING + 1)})
    assert shadow.waiting.full()
    assert counted(shadow, "dropped")


def test_challenger_waits_while_an_answer_is_made(shadowed: Intake, shadow: Shadow, database: Database) -> None:
    take(shadowed, A="the price was too high")
    stop = Event()
    with shadow.busy():
        reader = Thread(target=shadow.read_next, args=(stop,), kwargs={"wait_s": 1.0})
        reader.start()
        reader.join(0.3)
        with database.reading() as session:
            assert session.scalars(select(ShadowReadingRow)).all() == []
    reader.join(30)
    with database.reading() as session:
        assert len(session.scalars(select(ShadowReadingRow)).all()) == 1


def test_missing_challenger_stops_nothing(shadowed: Intake, shadow: Shadow, tmp_path: Path) -> None:
    shadow.source, shadow._named, shadow._challenger = FolderSource(tmp_path / "none"), None, None
    with shadow.reading():
        take(shadowed, A="the price was too high")
    assert shadow._challenger is None


def test_no_reading_is_one_message(database: Database) -> None:
    with database.reading() as session, pytest.raises(UnknownIdError, match="has read no deal yet"):
        report_shadow(session)


@pytest.mark.usefixtures("set_up_logs")
def test_command_shows_agreement(settings: Settings, shadow: Shadow, assessor: Any, small_database: Database) -> None:
    shadow.database = small_database
    take(Intake(assessor, small_database, Metrics(), companion=shadow), B="no budget was left this year")
    read_all(shadow)
    env = {"LOSSNLP_VAR_DIR": str(settings.var_dir), "COLUMNS": "160"}
    result = CliRunner().invoke(app, ["model", "shadow"], env=env, catch_exceptions=False)
    assert "challenger-1 beside keywords-1: 1 deals read by both, 0 without an answer." in result.output
    assert "B: budget -> price" in result.output
