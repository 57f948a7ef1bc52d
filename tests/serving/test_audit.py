"""The audit log: it holds every denial and administrative act, nobody forks it, and a changed row shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from typer.testing import CliRunner

from serving.audit import denials
from serving.audit.by_command import recorded
from serving.audit.chain import BrokenChainError, Head, add_entry, find_entries, find_head, verify_chain, write_entry
from serving.audit.denials import MOST_OF_ALL, MOST_OF_ONE, DenialBound
from serving.audit.entries import Entry
from serving.audit.policies import note_policies
from serving.commands import app as commands
from serving.settings import Settings
from serving.store import Database
from serving.tables import AuditRow

ROWS = 5
PUT_IN = (
    "INSERT INTO audit_log SELECT {new}, at, who, act, object, outcome, request_id, dropped, sha256 FROM audit_log "
    "WHERE sequence = {twin}"
)


def fill(database: Database, rows: int = ROWS) -> Head:
    for number in range(rows):
        write_entry(database, Entry("account ana", "key_create", f"key {number}"))
    with database.reading() as session:
        return find_head(session)


def entries(database: Database, **wanted: Any) -> list[AuditRow]:
    with database.reading() as session:
        return list(find_entries(session, **wanted))


def verify(database: Database, **wanted: Any) -> Head:
    with database.reading() as session:
        return verify_chain(session, **wanted)


def tamper(database: Database, *statements: str) -> None:
    """Does what the triggers refuse, as who owns the database file can."""
    is_sqlite = database.engine.dialect.name == "sqlite"
    drop = ["DROP TRIGGER audit_log_refuse_update", "DROP TRIGGER audit_log_refuse_delete"]
    first = drop if is_sqlite else ["SET LOCAL session_replication_role = replica"]
    with database.writing() as session:
        for statement in [*first, *statements]:
            session.execute(text(statement))
        session.commit()


def test_whole_chain_is_proved(database: Database) -> None:
    head = fill(database)
    assert verify(database) == head
    assert head.sequence == ROWS


def test_moment_keeps_its_digest_when_read_back(database: Database) -> None:
    with database.writing() as session:
        written = add_entry(session, Entry("account ana", "export", "verdicts")).at
        session.commit()
    assert [row.at for row in entries(database)] == [written]


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        (["UPDATE audit_log SET who = 'account eve' WHERE sequence = 3"], 3),
        (["UPDATE audit_log SET dropped = 1 WHERE sequence = 5"], 5),
        (["DELETE FROM audit_log WHERE sequence = 2"], 2),
        (["DELETE FROM audit_log WHERE sequence = 1"], 1),
        (
            [
                "UPDATE audit_log SET sequence = 99 WHERE sequence = 2",
                "UPDATE audit_log SET sequence = 2 WHERE sequence = 3",
                "UPDATE audit_log SET sequence = 3 WHERE sequence = 99",
            ],
            2,
        ),
        ([PUT_IN.format(new=ROWS + 1, twin=ROWS)], ROWS + 1),
        ([PUT_IN.format(new=0, twin=1)], 0),
    ],
    ids=["changed", "count changed", "removed", "first removed", "swapped", "put in behind", "put in before"],
)
def test_first_wrong_row_is_named(database: Database, changes: list[str], broken: int) -> None:
    fill(database)
    tamper(database, *changes)
    with pytest.raises(BrokenChainError, match=rf"Row {broken} "):
        verify(database)


def test_removed_tail_shows_by_the_kept_head(database: Database) -> None:
    head = fill(database)
    tamper(database, "DELETE FROM audit_log WHERE sequence > 3")
    assert verify(database).sequence == 3
    with pytest.raises(BrokenChainError, match="Row 4 is missing"):
        verify(database, kept=head)


def test_log_written_anew_shows_by_the_kept_head(database: Database) -> None:
    head = fill(database)
    tamper(database, "DELETE FROM audit_log")
    fill(database, ROWS + 2)
    assert verify(database).sequence == ROWS + 2
    with pytest.raises(BrokenChainError, match="written anew"):
        verify(database, kept=head)


def test_kept_head_holds_while_the_log_grows(database: Database) -> None:
    head = fill(database)
    fill(database)
    assert verify(database, kept=head, first=4).sequence == 2 * ROWS
    assert verify(database, kept=head, first=ROWS + 1).sequence == 2 * ROWS
    with pytest.raises(BrokenChainError, match="begin there"):
        verify(database, kept=head, first=ROWS + 2)


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET who = 'eve'", "DELETE FROM audit_log"])
def test_database_refuses_to_change_a_row(database: Database, statement: str) -> None:
    fill(database, 1)
    with database.writing() as session, pytest.raises(DatabaseError, match="only grow"):
        session.execute(text(statement))


def test_writers_at_once_do_not_fork_the_chain(database: Database) -> None:
    at_once = 6
    gate, others = Barrier(at_once), Database(database.engine.url.render_as_string(hide_password=False))

    def write(number: int) -> None:
        gate.wait()
        for _ in range(ROWS):  # through two engines: as two processes would
            write_entry((database, others)[number % 2], Entry(f"account {number}", "export", "verdicts"))

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(write, range(at_once)))
    others.close()
    assert verify(database).sequence == at_once * ROWS


def test_act_that_is_undone_leaves_no_row(database: Database) -> None:
    with database.writing() as session:
        add_entry(session, Entry("account ana", "key_create", "key 1"))
    assert entries(database) == []


def test_act_that_fails_is_told(database: Database) -> None:
    with pytest.raises(RuntimeError), recorded(database, "export", "verdicts"):
        raise RuntimeError
    with recorded(database, "export", "record"):
        pass
    assert [row.outcome for row in entries(database)] == ["begun", "failed", "begun", "done"]


def test_field_holds_what_any_database_takes(database: Database) -> None:
    write_entry(database, Entry("key a\x00b\ud800" + "x" * 500, "request", "GET /"))
    assert verify(database).sequence == 1
    assert len(entries(database)[0].who) == 150


@pytest.fixture
def log(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url)
    yield database
    database.close()


def told(database: Database) -> list[tuple[str, str, str, str]]:
    return [(row.who, row.act, row.object, row.outcome) for row in entries(database)]


def test_refused_request_is_written_down(client: TestClient, log: Database) -> None:
    headers = {"Authorization": "Bearer wrong", "X-Request-ID": "r-1"}
    assert client.get("/v1/assessments/secret-deal", headers=headers).status_code == 401
    assert told(log) == [("address testclient", "request", "GET /v1/assessments/{assessment_id}", "denied")]
    assert entries(log)[0].request_id == "r-1"


def test_answered_request_is_not_written_down(client: TestClient, log: Database) -> None:
    client.get("/v1/taxonomy")
    client.get("/nowhere")
    assert told(log) == []


def test_flood_is_bounded_and_counted(
    client: TestClient, log: Database, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    del settings
    monkeypatch.setattr(denials, "MOST_OF_ONE", 2)
    for _ in range(5):
        client.get("/v1/taxonomy", headers={"Authorization": "Bearer wrong"})
    assert len(told(log)) == 2
    client.post("/doors/flow", headers={"Authorization": "Bearer wrong"})
    client.__exit__(None, None, None)
    assert [(row.act, row.dropped) for row in entries(log)][2:] == [("denials_dropped", 4)]


def test_each_caller_has_a_bound_of_its_own() -> None:
    at_s = [0.0]
    bound = DenialBound(lambda: at_s[0])
    assert sum(bound.admits("one") for _ in range(100)) == MOST_OF_ONE
    assert bound.admits("another")
    assert sum(bound.admits(f"host {number}") for number in range(1000)) == MOST_OF_ALL - MOST_OF_ONE - 1
    at_s[0] = 60.0
    assert bound.admits("one")
    assert bound.take_dropped() == 80 + 1000 - (MOST_OF_ALL - MOST_OF_ONE - 1)
    assert bound.take_dropped() == 0


@pytest.fixture
def run(settings: Settings, set_up_logs: object) -> Callable[..., Any]:
    del set_up_logs

    def invoke(*words: str) -> Any:
        env = {"LOSSNLP_VAR_DIR": str(settings.var_dir), "COLUMNS": "200"}
        return CliRunner().invoke(commands, list(words), env=env)

    return invoke


def test_commands_list_and_verify(run: Callable[..., Any], log: Database) -> None:
    run("keys", "create", "Ana", "--scope", "read")
    run("keys", "revoke", "1")
    head = run("audit", "head").output.strip()
    assert "1 (read) Ana" in run("audit", "list", "--act", "key_revoke").output
    assert run("audit", "verify", "--head", head).exit_code == 0
    tamper(log, "UPDATE audit_log SET who = 'account eve' WHERE sequence = 1")
    failed = run("audit", "verify", "--head", head)
    assert failed.exit_code == 1
    assert "Row 1 " in failed.exception.message


def test_head_of_another_form_is_refused(run: Callable[..., Any]) -> None:
    assert "SEQUENCE:SHA256" in run("audit", "verify", "--head", "12").exception.message


def test_other_policies_are_told_once(log: Database, settings: Settings, tmp_path: Path) -> None:
    note_policies(log, settings)
    words = tmp_path / "words.yaml"
    for content in ("policy: empty", "policy: empty", "policy: if_ours"):
        words.write_text(content)
        note_policies(log, settings.model_copy(update={"crm_words": words}))
    note_policies(log, settings)
    assert [act for _, act, _, _ in told(log)] == ["policy_change"] * 3
