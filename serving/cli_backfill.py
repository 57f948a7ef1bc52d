"""The command `lossnlp-serve backfill`: see what lost deals would get, write it as one batch, take the batch back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Column, Table

from serving.audit.by_command import recorded
from serving.backfill import Backfill, Progress
from serving.backfill_report import write_csv, write_page
from serving.closed_loop import open_closed_loop
from serving.errors import ConfigurationError
from serving.logs import configure_logs
from serving.settings import load_settings
from serving.store import now
from serving.terminal import collect

Since = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Only deals lost or changed since this day; all without it."),
]


def run_backfill(  # noqa: PLR0913 (one argument for each option)
    since: Since = None,
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Write a report of what would change; change nothing.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Write the values as one batch.")] = False,
    resume: Annotated[str | None, typer.Option(metavar="BATCH", help="Go on with a batch that was stopped.")] = None,
    undo: Annotated[
        str | None, typer.Option(metavar="BATCH", help="Put back every value of a batch that is still ours.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show the batches that were begun.")] = False,
    report: Annotated[Path, typer.Option(help="Folder of the report of --plan.")] = Path("backfill"),
) -> None:
    """Reads all lost deals of the CRM and writes what was accepted; shows it before, takes it back after."""
    if sum((plan, apply, show, resume is not None, undo is not None)) != 1:
        message = "Choose one of --plan, --apply, --resume BATCH, --undo BATCH and --list."
        raise ConfigurationError(message, field="plan")
    settings = load_settings()
    configure_logs(settings.model_copy(update={"log_level": "warning"}))
    closed_loop = open_closed_loop(settings)
    backfill = Backfill(closed_loop.receiver, closed_loop.worker)
    moment = since.replace(tzinfo=UTC) if since else None
    if show:
        _list(backfill)
    elif plan:
        _plan(backfill, moment, report)
    elif undo is not None:
        _undo(backfill, undo)
    else:
        _apply(backfill, backfill.begin(moment) if resume is None else resume)


def _plan(backfill: Backfill, since: datetime | None, folder: Path) -> None:
    deals = collect(backfill.plan(since), saying="Reading lost deals")
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(deals, folder / "plan.csv")
    write_page(deals, folder / "plan.html", crm=backfill.worker.crm.name, since=since, at=now())
    changed = sum(any(value.act != "keep" for value in deal.values) for deal in deals)
    typer.echo(
        f"{len(deals)} lost deals, {changed} would change. See {folder / 'plan.html'} and {folder / 'plan.csv'}."
    )


def _apply(backfill: Backfill, batch_id: str) -> None:
    typer.echo(f"Batch {batch_id}", err=True)
    progress, database = Progress(), backfill.worker.database
    audited = recorded(database, "backfill_apply", f"batch {batch_id}")
    with audited, Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading and writing", total=None)
        for progress in backfill.steps(batch_id):
            total = 2 * sum(progress.deals.values())
            bar.update(task, total=total or None, completed=max(0, total - progress.open))
    _show(backfill, batch_id, progress)


def _show(backfill: Backfill, batch_id: str, progress: Progress) -> None:
    table = Table("", "state", "number")
    for what, counts in (("deals", progress.deals), ("write-backs", progress.write_backs)):
        for state, count in sorted(counts.items()):
            table.add_row(what, state, str(count))
    console = Console()
    console.print(table)
    for deal_id, state, cause in backfill.find_silent(batch_id):
        console.print(f"{deal_id}: {state}{f' ({cause})' if cause else ''}", markup=False)
    if not progress.is_done:
        typer.echo(f"{progress.open} wait for a later try: lossnlp-serve backfill --resume {batch_id}", err=True)
    typer.echo(f"Take it back with: lossnlp-serve backfill --undo {batch_id}", err=True)


def _list(backfill: Backfill) -> None:
    table = Table(Column("batch", no_wrap=True), "begun", "deals lost since", "deals", "write-backs", "undone")
    for batch in backfill.find_batches():
        progress = backfill.progress(batch.id)
        table.add_row(
            batch.id,
            f"{batch.created_at:%Y-%m-%d %H:%M}",
            f"{batch.since_at:%Y-%m-%d}" if batch.since_at else "always",
            ", ".join(f"{count} {state}" for state, count in sorted(progress.deals.items())),
            ", ".join(f"{count} {state}" for state, count in sorted(progress.write_backs.items())),
            f"{batch.undone_at:%Y-%m-%d %H:%M}" if batch.undone_at else "",
        )
    Console().print(table)


def _undo(backfill: Backfill, batch_id: str) -> None:
    with recorded(backfill.worker.database, "backfill_undo", f"batch {batch_id}"):
        undone = backfill.undo(batch_id)
    table = Table("deal", "put back", "left: changed since")
    for deal_id, fields in undone.put_back.items():
        table.add_row(deal_id, ", ".join(fields), ", ".join(undone.left.get(deal_id, {})))
    for deal_id, cause in undone.failed.items():
        table.add_row(deal_id, "", cause)
    Console().print(table)
    typer.echo(f"{len(undone.put_back)} deals put back, {len(undone.failed)} not.", err=True)
