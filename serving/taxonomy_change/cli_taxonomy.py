"""The commands `lossnlp-serve taxonomy …`: what a change of the list of reasons would do to old deals, do it, and take it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from lossnlp.taxonomy import Taxonomy, get_default_taxonomy, read_taxonomy
from serving.audit.by_command import recorded
from serving.logs import configure_logs
from serving.model.loading import champion_source
from serving.schema import open_database
from serving.settings import Settings, load_settings
from serving.taxonomy_change.applying import Batches, find_outcome
from serving.taxonomy_change.changes import NewList, find_changes, read_new_list
from serving.taxonomy_change.planning import Plan, make_plan
from serving.terminal import account_name, open_console

taxonomy = typer.Typer(help="Changes of the list of reasons: plan, apply, undo.", no_args_is_help=True)

ChangeFile = Annotated[Path, typer.Argument(help="The change file.", metavar="FILE")]
Before = Annotated[
    Path | None, typer.Option("--before", help="The list that it changes, a YAML file; without it, the shipped one.")
]
By = Annotated[str, typer.Option("--by", help="Who does it; the account of this machine where none is given.")]


@taxonomy.command("plan")
def plan_change(file: ChangeFile, before: Before = None) -> None:
    """Shows what would become of the deals, by reason; writes nothing."""
    new = read_new_list(file, _list_before(before))
    with closing(open_database(load_settings().database_url)) as database, database.reading() as session:
        _show(make_plan(session, new), new)


@taxonomy.command("apply")
def apply_change(file: ChangeFile, before: Before = None, by: By = "") -> None:
    """Counts old deals in the new list where that is certain, and puts the others before people; one batch."""
    settings = load_settings()
    configure_logs(settings.model_copy(update={"log_level": "warning"}))
    new = read_new_list(file, _list_before(before))
    target = f"{new.from_version} to {new.taxonomy.version}"
    with _open_batches(settings) as batches, recorded(batches.database, "taxonomy_apply", target):
        done = batches.apply(new, by=by or account_name())
    typer.echo(
        f"{done.carried} deals count in version '{new.taxonomy.version}' of the list; {done.open} wait for people."
    )
    typer.echo(f"Take it back: lossnlp-serve taxonomy undo {done.change_id}", err=True)


@taxonomy.command("undo")
def undo_change(change_id: Annotated[str, typer.Argument(help="Its id in `taxonomy list`.", metavar="ID")]) -> None:
    """Takes a change back: deals count as before; verdicts that were given since hold on."""
    settings = load_settings()
    configure_logs(settings.model_copy(update={"log_level": "warning"}))
    with _open_batches(settings) as batches, recorded(batches.database, "taxonomy_undo", f"change {change_id}"):
        undone = batches.undo(change_id)
    typer.echo(f"{undone} deals count as before the change.")


@taxonomy.command("list")
def list_changes() -> None:
    """Shows the changes that were applied, and how many deals of each still wait."""
    table = Table("id", "from", "to", "applied", "by", "deals", "waiting", "undone")
    with closing(open_database(load_settings().database_url)) as database:
        with database.reading() as session:
            rows = find_changes(session)
        outcomes = [find_outcome(database, row.id) for row in rows]
    for row, done in zip(rows, outcomes, strict=True):
        undone = f"{row.undone_at:%Y-%m-%d %H:%M}" if row.undone_at else ""
        counts = ("", "") if row.undone_at else (str(done.carried), str(done.open))
        when = f"{row.applied_at:%Y-%m-%d %H:%M}"
        table.add_row(row.id, row.from_version, row.to_version, when, row.applied_by, *counts, undone)
    open_console().print(table)


def _list_before(file: Path | None) -> Taxonomy:
    return read_taxonomy(file) if file is not None else get_default_taxonomy()


@contextmanager
def _open_batches(settings: Settings) -> Iterator[Batches]:
    """Gives the batches of an installation; of the model in service only its list is read."""
    source = champion_source(settings)
    served = read_taxonomy(source.fetch(source.find_named()) / "taxonomy.yaml")
    with closing(open_database(settings.database_url)) as database:
        yield Batches(database, served)


def _show(plan: Plan, new: NewList) -> None:
    names = {reason.code: reason.label for reason in new.taxonomy.reasons}
    table = Table("reason", Column("becomes", overflow="fold"), "how", "decided", "beside", "judged", "such as")
    for one in plan.codes:
        becomes = " or ".join(names[heir] for heir in one.heirs) or "none"
        counts = (str(one.primary), str(one.beside), str(one.judged))
        how = "by rule" if one.is_certain else "people say"
        table.add_row(new.before.get_reason(one.code).label, becomes, how, *counts, ", ".join(one.samples))
    open_console().print(table)
    typer.echo(
        f"{plan.certain} deals would be carried over by rule, {plan.open} be put before people. Nothing was written."
    )
