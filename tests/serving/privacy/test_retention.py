"""Retention: what is over its time goes, what is needed or counted stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import delete, select
from sqlalchemy.exc import DatabaseError
from typer.testing import CliRunner

from lossnlp.assessment import Assessment
from serving import outbox
from serving.audit.chain import BrokenChainError, find_entries, verify_chain
from serving.commands import app as commands
from serving.privacy.audit_cut import unguarded
from serving.privacy.retention import apply_retention, find_over
from serving.privacy.settings import RetentionSettings
from serving.settings import Settings
from serving.store import Database, get_assessment, now
from serving.tables import (
    AuditRow,
    DealFiguresRow,
    DealRow,
    InboxRow,
    LossReasonRow,
    LossRow,
    SealedTextRow,
    VerdictRow,
    WriteBackRow,
)
from serving.worker import UndoError, Worker
from tests.serving.privacy.privacy_world import LATER, OTHER, World

ALL = dict.fromkeys(RetentionSettings.model_fields, 30)


def apply(world: World, **days: int) -> dict[str, int]:
    return {o.holds: o.rows for o in apply_retention(world.database, RetentionSettings(**days), at=now() + LATER)}


def acts(database: Database) -> Iterator[tuple[str, str]]:
    with database.reading() as session:
        yield from [(row.act, row.object) for row in find_entries(session)]


def test_nothing_goes_unless_it_is_set(world: World) -> None:
    before = world.texts()
    assert set(apply(world).values()) == {0}
    assert world.texts() == before


def test_nothing_goes_before_its_time(world: World) -> None:
    settings = RetentionSettings(**ALL)
    assert {over.rows for over in apply_retention(world.database, settings, at=now())} == {0}


def test_what_is_shown_is_what_goes(world: World) -> None:
    world.send()
    shown = find_over(world.database, RetentionSettings(**{**ALL, "audit_days": None}), at=now() + LATER)
    assert apply_retention(world.database, RetentionSettings(**{**ALL, "audit_days": None}), at=now() + LATER) == shown
    assert all(over.rows for over in shown if over.name not in ("shadow", "audit"))


def test_dropping_twice_drops_nothing_more(world: World) -> None:
    world.send()
    apply(world, **{**ALL, "audit_days": 36_500})
    assert not any(apply(world, **{**ALL, "audit_days": 36_500}).values())


def test_quotes_go_and_reports_still_count(world: World) -> None:
    world.send()
    apply(world, quotes_days=30, write_backs_days=30)
    with world.database.reading() as session:
        row = get_assessment(session, world.first)
        assert Assessment.model_validate(row.assessment).primary.code == "price"
        assert session.get_one(LossRow, "d-1").revisit_text is None
    assert OTHER not in world.texts()
    assert world.count(LossReasonRow) == 2


def test_remarks_go_and_verdicts_stay(world: World) -> None:
    apply(world, remarks_days=30)
    with world.database.reading() as session:
        assert session.scalars(select(VerdictRow.comment)).all() == [None]


def test_names_of_a_deal_go_from_its_loss_too(world: World) -> None:
    apply(world, deal_fields_days=30)
    with world.database.reading() as session:
        for table in (DealRow, LossRow):
            rows = session.execute(select(table.owner, table.account, table.stated_reason)).all()
            assert set(rows) == {(None, None, None)}


@pytest.mark.parametrize(("days", "table"), [("texts_days", SealedTextRow), ("inbox_days", InboxRow)])
def test_rows_that_nothing_counts_are_deleted(world: World, days: str, table: Any) -> None:
    assert world.count(table)
    apply(world, **{days: 30})
    assert not world.count(table)


def test_pending_write_back_keeps_its_values(world: World) -> None:
    apply(world, write_backs_days=30)
    with world.database.reading() as session:
        waiting = session.scalars(select(WriteBackRow).where(WriteBackRow.state == "due")).all()
    assert len(waiting) == 2
    assert all(row.planned for row in waiting)


def test_earlier_values_stay_while_one_is_pending(world: World) -> None:
    world.send()
    with world.database.writing() as session:
        row = session.scalars(select(WriteBackRow).where(WriteBackRow.deal_id == "d-2")).one()
        outbox.send_again(row)
        session.commit()
    apply(world, write_backs_days=30)
    with world.database.reading() as session:
        held = {row.deal_id for row in session.scalars(select(WriteBackRow)) if row.after}
    assert held == {"d-2"}


def test_dropped_write_back_is_not_taken_back(world: World) -> None:
    crm = world.send()
    standing = crm.fetch_fields(["d-2"])
    apply(world, write_backs_days=30)
    with world.database.reading() as session:
        sent = session.scalars(select(WriteBackRow.id).where(WriteBackRow.deal_id == "d-2")).one()
    with pytest.raises(UndoError, match="dropped after their time"):
        Worker(world.database, crm).undo(sent)
    assert crm.fetch_fields(["d-2"]) == standing


def test_figures_stay_while_drift_compares_them(world: World) -> None:
    settings = RetentionSettings(figures_days=7)
    apply_retention(world.database, settings, at=now() + LATER / 4)
    assert world.count(DealFiguresRow) == 2
    apply(world, figures_days=7)
    assert not world.count(DealFiguresRow)


def test_every_drop_is_in_the_audit_log(world: World) -> None:
    apply(world, texts_days=30)
    told = [target for act, target in acts(world.database) if act == "retention"]
    assert len(told) == 1
    assert told[0].startswith("encrypted documents: 2 rows before ")


def test_cut_audit_log_is_still_proved(world: World) -> None:
    apply(world, remarks_days=30, texts_days=30, inbox_days=30)
    assert apply(world, audit_days=30)["audit log"] == 2  # the newest row stays, and the next one hangs on it
    with world.database.reading() as session:
        assert [row.sequence for row in find_entries(session)] == [3, 4]
        assert verify_chain(session).sequence == 4


def test_cut_that_no_row_tells_of_is_found(world: World) -> None:
    apply(world, remarks_days=30, texts_days=30, inbox_days=30)
    with world.database.writing() as session:
        with unguarded(session):
            session.execute(delete(AuditRow).where(AuditRow.sequence == 1))
        session.commit()
    with world.database.reading() as session, pytest.raises(BrokenChainError, match="Row 1 is missing"):
        verify_chain(session)


def test_cut_log_still_only_grows(world: World) -> None:
    apply(world, remarks_days=30, texts_days=30)
    apply(world, audit_days=30)
    with world.database.writing() as session, pytest.raises(DatabaseError):
        session.execute(delete(AuditRow))


def test_week_is_the_shortest_time() -> None:
    with pytest.raises(ValidationError):
        RetentionSettings(texts_days=6)


def test_command_shows_before_it_does(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSNLP_VAR_DIR", str(settings.var_dir))
    monkeypatch.setenv("LOSSNLP_KEEP_TEXTS_DAYS", "30")
    shown = CliRunner().invoke(commands, ["retention"])
    assert shown.exit_code == 0, shown.output
    assert "30 days" in shown.output
    assert "over its time" in shown.output
