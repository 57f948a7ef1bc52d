"""Loss reviews as files: written by command, written when due, printed to PDF."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from serving.cli_report import write_report
from serving.errors import ConfigurationError
from serving.reports.cuts import CutError
from serving.reports.pack_files import file_name, write_due_packs
from serving.reports.pack_month import Month
from serving.reports.pack_pdf import PdfError, print_pdf
from serving.settings import Settings
from serving.store import Database
from tests.serving.reports.loss_world import AddLosses
from tests.serving.reports.pack_world import read_all

SEPTEMBER = Month(date(2026, 9, 1))
DUE, EARLY = datetime(2026, 10, 3, 6, tzinfo=UTC), datetime(2026, 10, 2, 6, tzinfo=UTC)


@pytest.fixture
def told(losses: AddLosses, database: Database) -> None:
    losses(100, team="North", lost_on=date(2026, 9, 9))
    losses(9, team="South", lost_on=date(2026, 9, 9))
    losses(20, team="Solo", owner="Jo Abernethy", lost_on=date(2026, 9, 9))
    with database.writing() as session:
        read_all(session)
        session.commit()


@pytest.fixture
def own_settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(var_dir=tmp_path, database_url=database_url)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOSSNLP_REPORT_DIR", str(tmp_path / "reviews"))
    return tmp_path / "reviews"


@pytest.mark.usefixtures("told")
def test_due_reviews_are_written_once(database: Database, own_settings: Settings, folder: Path) -> None:
    written = write_due_packs(database, own_settings, DUE)
    names = [file_name(SEPTEMBER, None), file_name(SEPTEMBER, "North")]
    assert [file.name for file in written] == names
    assert sorted(file.name for file in folder.iterdir()) == sorted(names)
    assert write_due_packs(database, own_settings, DUE) == []


@pytest.mark.usefixtures("told")
def test_lost_file_is_written_again_alone(database: Database, own_settings: Settings, folder: Path) -> None:
    whole, _ = write_due_packs(database, own_settings, DUE)
    whole.unlink()
    assert write_due_packs(database, own_settings, datetime(2026, 10, 30, tzinfo=UTC)) == [whole]
    assert whole.parent == folder


@pytest.mark.usefixtures("told", "folder")
def test_review_waits_for_its_day(database: Database, own_settings: Settings) -> None:
    assert write_due_packs(database, own_settings, EARLY) == []


@pytest.mark.usefixtures("told", "folder")
def test_missed_day_is_caught_up(database: Database, own_settings: Settings) -> None:
    written = write_due_packs(database, own_settings, datetime(2026, 11, 2, tzinfo=UTC))
    assert written[0].name == file_name(SEPTEMBER, None)


@pytest.mark.usefixtures("folder")
def test_month_without_losses_has_no_review(database: Database, own_settings: Settings) -> None:
    assert write_due_packs(database, own_settings, DUE) == []


@pytest.mark.usefixtures("told")
def test_without_folder_nothing_is_written(database: Database, own_settings: Settings) -> None:
    assert write_due_packs(database, own_settings, DUE) == []


@pytest.mark.usefixtures("told")
def test_unusable_folder_is_named(
    database: Database, own_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOSSNLP_REPORT_DIR", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="LOSSNLP_REPORT_DIR"):
        write_due_packs(database, own_settings, DUE)


def test_day_outside_month_is_refused(
    database: Database, own_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSSNLP_REPORT_DAY", "31")
    with pytest.raises(ConfigurationError, match="LOSSNLP_REPORT_DAY"):
        write_due_packs(database, own_settings, DUE)


@pytest.mark.parametrize("team", ["../../etc", "North/West", "北", "", "a" * 500])
def test_team_cannot_leave_the_folder(team: str) -> None:
    name = file_name(SEPTEMBER, team)
    assert Path(name).name == name
    assert len(name) < 90


def test_teams_never_share_a_file() -> None:
    assert len({file_name(SEPTEMBER, team) for team in (None, "North", "NORTH", "north", "North!", "")}) == 6


@pytest.mark.usefixtures("told", "set_up_logs")
def test_command_writes_review(database_url: str, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(write_report)
    env = {"LOSSNLP_DATABASE_URL": database_url, "LOSSNLP_VAR_DIR": str(tmp_path)}
    words = ["--month", "2026-09", "--out", str(tmp_path / "out"), "--team", "North"]
    result = CliRunner().invoke(app, words, env=env, catch_exceptions=False)
    assert result.exit_code == 0
    assert "team North" in Path(result.output.strip()).read_text(encoding="utf-8")
    with pytest.raises(CutError, match="North, Solo, South"):
        CliRunner().invoke(app, [*words[:-1], "East"], env=env, catch_exceptions=False)


def test_missing_chromium_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PdfError, match=r"none of chromium, .* is installed\. Open .*page\.html in a browser"):
        print_pdf(tmp_path / "page.html")


def test_chromium_that_prints_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chromium").symlink_to(shutil.which("true") or "/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PdfError, match="did not print"):
        print_pdf(tmp_path / "page.html")


@pytest.mark.browser
def test_chromium_prints_pdf(tmp_path: Path) -> None:
    if not shutil.which("chromium"):
        pytest.skip("no Chromium on this machine")
    page = tmp_path / "page.html"
    page.write_text("<h1>Loss review</h1>")
    assert print_pdf(page).read_bytes().startswith(b"%PDF")
