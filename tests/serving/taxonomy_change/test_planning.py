"""What a change would do: counted by reason, the same before and after it was applied, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from lossnlp.bundle import PARTS, write_manifest
from lossnlp.taxonomy import get_default_taxonomy, write_taxonomy
from serving.commands import app
from serving.errors import ConfigurationError
from serving.store import Database
from serving.tables import LossRow, RelabelledRow, ReviewRow, TaxonomyChangeRow
from serving.taxonomy_change.applying import Batches
from serving.taxonomy_change.changes import NewList, read_new_list
from serving.taxonomy_change.planning import Plan, make_plan
from tests.serving.taxonomy_change.change_world import Give

OLD = get_default_taxonomy()


def plan_of(database: Database, new: NewList) -> Plan:
    with database.reading() as session:
        return make_plan(session, new)


def counted(plan: Plan) -> dict[str, tuple[int, int, int, list[str]]]:
    return {one.code: (one.primary, one.beside, one.judged, one.samples) for one in plan.codes}


def test_plan_counts_deals_by_reason(batches: Batches, new: NewList, give: Give) -> None:
    give("A", OLD)
    plan = plan_of(batches.database, new)
    assert (plan.certain, plan.open) == (2, 2)
    assert counted(plan) == {
        "timing": (1, 0, 0, ["D"]),
        "price": (1, 1, 1, ["A", "B"]),
        "budget": (1, 0, 0, ["B"]),
        "procurement_legal": (1, 1, 0, ["C", "D"]),
    }


def test_plan_writes_nothing(batches: Batches, new: NewList) -> None:
    plan_of(batches.database, new)
    with batches.database.reading() as session:
        for table in (TaxonomyChangeRow, RelabelledRow, ReviewRow):
            assert list(session.scalars(select(table))) == []
        assert set(session.scalars(select(LossRow.primary_reason))) >= {"price", "timing"}


def test_plan_of_an_applied_change_tells_the_same(batches: Batches, new: NewList) -> None:
    before = plan_of(batches.database, new)
    batches.apply(new, by="ana")
    assert plan_of(batches.database, new) == before


def test_settled_deal_is_planned_no_more(batches: Batches, new: NewList, give: Give) -> None:
    batches.apply(new, by="ana")
    give("C", new.taxonomy, "procurement_legal")
    assert plan_of(batches.database, new).open == 1


def test_plan_of_a_change_that_does_not_follow_is_refused(batches: Batches, new: NewList, tmp_path: Path) -> None:
    batches.apply(new, by="ana")
    (tmp_path / "other.yaml").write_text('from: "1"\nto: "9"\nsteps: [{retire: price}]')
    with pytest.raises(ConfigurationError, match="write it from '2'"):
        plan_of(batches.database, read_new_list(tmp_path / "other.yaml", OLD))


@pytest.fixture
def run(batches: Batches, new: NewList, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs commands on an installation whose model has the second list."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for name in PARTS:
        (bundle / name).write_text(name, encoding="utf-8")
    write_taxonomy(bundle / "taxonomy.yaml", new.taxonomy)
    write_manifest(bundle, encoder="stand-in", max_tokens=256, corpus="none", made_at="2026-11-01T00:00:00Z")
    monkeypatch.setenv("LOSSNLP_MODEL", str(bundle))
    url = batches.database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("LOSSNLP_DATABASE_URL", url)
    return CliRunner()


def test_commands_plan_apply_list_and_undo(run: CliRunner, change_file: Path) -> None:
    planned = run.invoke(app, ["taxonomy", "plan", str(change_file)]).stdout
    assert "2 deals would be carried over by rule, 2 be put before people. Nothing was written." in planned
    applied = run.invoke(app, ["taxonomy", "apply", str(change_file), "--by", "ana"])
    assert "2 deals count in version '2' of the list; 2 wait for people." in applied.stdout
    change_id = applied.stderr.split()[-1]
    assert change_id in run.invoke(app, ["taxonomy", "list"]).stdout
    undone = run.invoke(app, ["taxonomy", "undo", change_id]).stdout
    assert undone == "4 deals count as before the change.\n"


def test_file_in_another_list_needs_the_list_before(run: CliRunner, tmp_path: Path, new: NewList) -> None:
    file, before = tmp_path / "next.yaml", tmp_path / "before.yaml"
    file.write_text('from: "2"\nto: "3"\nsteps: [{rename: money, to: {code: funds}}]')
    refused = run.invoke(app, ["taxonomy", "plan", str(file)])
    assert "the list before is version '1'" in str(refused.exception)
    write_taxonomy(before, new.taxonomy)
    assert run.invoke(app, ["taxonomy", "plan", str(file), "--before", str(before)]).exit_code == 0
