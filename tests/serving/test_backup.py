"""A backup holds one moment of the database, proves itself by content, and comes back; nothing is overwritten by mistake."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from typer.testing import CliRunner

from serving.audit.chain import verify_chain
from serving.backup import copies
from serving.backup.archive import BackupError
from serving.backup.contents import read_contents
from serving.backup.keeping import check_backup, find_differences, make_backup, restore_backup
from serving.commands import app
from serving.crm.demo import DemoCrm
from serving.intake import Intake, parse_deal
from serving.schema import open_database
from serving.store import Database
from serving.tables import AssessmentRow, WriteBackRow
from serving.worker import Worker
from tests.serving.conftest import add_postgres_database

MakeUrl = Callable[[], str]


def take(intake: Intake, number: int) -> None:
    intake.take_deal(parse_deal({"id": f"D-{number}", "text": f"the price was too high by {number}"}))


@pytest.fixture
def make_empty_url(database_url: str, tmp_path: Path) -> MakeUrl:
    """Makes a database of the same kind, without tables."""
    if database_url.startswith("sqlite"):
        return lambda: f"sqlite:///{tmp_path}/new/{uuid4().hex}.sqlite3"
    if not (shutil.which("pg_dump") and shutil.which("pg_restore")):
        pytest.skip("no PostgreSQL client programs on this machine")
    return lambda: add_postgres_database(database_url)


@pytest.fixture
def backup(intake: Intake, database: Database, database_url: str, make_empty_url: MakeUrl, tmp_path: Path) -> Path:
    """The file of a database with two deals, one of them sent to the CRM."""
    assert make_empty_url
    take(intake, 1)
    Worker(database, DemoCrm(deals=[])).send_due()
    take(intake, 2)
    make_backup(database_url, tmp_path / "lossnlp.backup")
    return tmp_path / "lossnlp.backup"


def test_restored_database_is_the_same_by_content(backup: Path, make_empty_url: MakeUrl) -> None:
    url = make_empty_url()
    manifest = restore_backup(url, backup)
    assert find_differences(url, manifest) == []
    assert (manifest.tables["deals"].rows, manifest.models) == (2, {"keywords-1": 2})


def test_restored_service_goes_on_where_it_stopped(backup: Path, make_empty_url: MakeUrl, intake: Intake) -> None:
    url = make_empty_url()
    restore_backup(url, backup)
    with closing(open_database(url)) as restored:
        going_on = Intake(intake.assessor, restored, intake.metrics, crm="demo")
        take(going_on, 1)
        take(going_on, 3)
        with restored.reading() as session:
            assert sorted(session.scalars(select(AssessmentRow.deal_id))) == ["D-1", "D-2", "D-3"]
            assert session.scalar(select(WriteBackRow.id).order_by(WriteBackRow.id.desc())) == 3


def test_backup_holds_one_moment_of_a_busy_database(
    intake: Intake, database_url: str, make_empty_url: MakeUrl, tmp_path: Path
) -> None:
    stop = Event()

    def go_on() -> None:
        for number in range(1000):
            if stop.is_set():
                return
            take(intake, number)

    writer = Thread(target=go_on)
    writer.start()
    try:
        manifests = [make_backup(database_url, tmp_path / f"{number}.backup") for number in range(3)]
    finally:
        stop.set()
        writer.join()
    for held in (one.tables for one in manifests):
        assert held["deals"].rows == held["assessments"].rows == held["losses"].rows
    assert restore_backup(make_empty_url(), tmp_path / "2.backup") == check_backup(tmp_path / "2.backup")


def test_database_in_use_is_not_overwritten_unless_told(backup: Path, database_url: str, intake: Intake) -> None:
    take(intake, 3)
    with pytest.raises(BackupError, match="--overwrite"):
        restore_backup(database_url, backup)
    manifest = check_backup(backup)
    assert "deals" in find_differences(database_url, manifest)
    restore_backup(database_url, backup, overwrites=True)
    assert find_differences(database_url, manifest) == []


def test_every_later_change_is_seen(backup: Path, database: Database, database_url: str) -> None:
    with database.writing() as session:
        row = session.scalars(select(AssessmentRow)).first()
        assert row is not None
        row.assessment = row.assessment | {"deal_id": "another"}
        session.commit()
    assert find_differences(database_url, check_backup(backup)) == ["assessments"]


def test_digests_do_not_depend_on_the_kind_of_database(
    make_shared_url: Callable[[], str], tmp_path: Path, migrated_file: Path
) -> None:
    url = f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'one.sqlite3')}"
    row = {"id": "Ä-1", "amount": 0.1, "closed_on": "2026-11-02", "received_at": "2026-11-02 10:00:00.250000"}
    found = []
    for one in (url, make_shared_url()):
        with closing(Database(one)) as database, database.engine.begin() as connection:
            if database.engine.dialect.name == "postgresql":
                connection.execute(text("SET TIME ZONE 'UTC'"))
            values = "(:id, :amount, :closed_on, :received_at), ('a', 2, NULL, :received_at), ('B', NULL, NULL, :received_at)"
            connection.execute(text(f"INSERT INTO deals (id, amount, closed_on, received_at) VALUES {values}"), row)  # noqa: S608
            connection.commit()
        found.append(find_table(one, "deals"))
    assert found[0] == found[1]


def find_table(url: str, name: str) -> object:
    with closing(Database(url)) as database, database.engine.connect() as connection:
        return read_contents(connection)[name]


@pytest.mark.parametrize("harm", ["cut", "changed", "other"])
def test_damaged_file_is_refused(backup: Path, make_empty_url: MakeUrl, harm: str) -> None:
    whole = backup.read_bytes()
    if harm == "changed":
        with zipfile.ZipFile(backup) as archive:
            manifest, held = archive.read("manifest.json"), bytearray(archive.read("database"))
        held[len(held) // 2] ^= 1
        with zipfile.ZipFile(backup, "w") as archive:
            archive.writestr("manifest.json", manifest)
            archive.writestr("database", bytes(held))
    else:
        backup.write_bytes(whole[: len(whole) // 2] if harm == "cut" else b"no backup")
    url = make_empty_url()
    with pytest.raises(BackupError, match="damaged"):
        restore_backup(url, backup)


def test_backup_of_a_newer_version_is_refused(backup: Path, make_empty_url: MakeUrl) -> None:
    with zipfile.ZipFile(backup) as archive:
        manifest, held = json.loads(archive.read("manifest.json")), archive.read("database")
    with zipfile.ZipFile(backup, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest | {"schema_revision": "9999"}))
        archive.writestr("database", held)
    with pytest.raises(BackupError, match="9999"):
        restore_backup(make_empty_url(), backup)


def test_other_kind_of_database_is_refused(backup: Path, database_url: str) -> None:
    other = (
        "postgresql+psycopg://nobody@127.0.0.1:1/x" if database_url.startswith("sqlite") else "sqlite:///none.sqlite3"
    )
    with pytest.raises(BackupError, match="put it back where it comes from"):
        restore_backup(other, backup)


def test_only_its_owner_can_read_a_backup(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600


def test_backups_need_postgres_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="'pg_dump' is not on this machine"):
        copies._find_program("pg_dump")


def test_commands_drill_a_restore(
    backup: Path, database_url: str, make_empty_url: MakeUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, url, run = str(backup.with_name("drill.backup")), make_empty_url(), CliRunner()
    monkeypatch.setenv("LOSSNLP_DATABASE_URL", database_url)
    assert run.invoke(app, ["backup", file]).exit_code == 0
    assert run.invoke(app, ["backup", file, "--check"]).exit_code == 0
    monkeypatch.setenv("LOSSNLP_DATABASE_URL", url)
    assert run.invoke(app, ["restore", file]).exit_code == 0
    assert run.invoke(app, ["backup", file, "--check"]).exit_code == 0
    with closing(open_database(url)) as restored, restored.reading() as session:
        assert verify_chain(session).sequence == 2
    assert isinstance(run.invoke(app, ["restore", file]).exception, BackupError)
