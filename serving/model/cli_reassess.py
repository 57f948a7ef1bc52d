"""The command `lossnlp-serve reassess`: see what the model in service reads otherwise in old deals, then read them anew for good."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from serving.audit.by_command import recorded
from serving.backfill import PlannedDeal
from serving.backfill_report import write_csv
from serving.errors import ConfigurationError
from serving.intake import Assessor, open_intake
from serving.logs import configure_logs
from serving.metrics import Metrics
from serving.model.loading import load_assessor
from serving.model.reassessment import Reassessment
from serving.reports.intervals import share_of
from serving.review.texts import open_text_source
from serving.schema import open_database
from serving.settings import Settings, load_settings
from serving.terminal import collect, open_console

Since = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Only deals lost since this day.")]


def run_reassessment(
    since: Since,
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Write what would be read otherwise; keep nothing.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Read the deals anew and keep the answers.")] = False,
    report: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("reassessment"),
) -> None:
    """Reads old deals with the model in service; old assessments stay, and what a person said of a deal's words holds."""
    if plan == apply:
        raise ConfigurationError("Choose one of --plan and --apply.", field="plan")
    settings = load_settings()
    configure_logs(settings.model_copy(update={"log_level": "warning"}))
    reassessment = open_reassessment(settings, load_assessor(settings))
    day = since.date()
    if plan:
        deals = collect(reassessment.plan(day), saying="Reading deals anew")
    else:
        database = reassessment.intake.database
        with recorded(database, "reassess", f"since {day}"):
            deals = collect(reassessment.apply(day), saying="Reading deals anew")
    report.mkdir(parents=True, exist_ok=True)
    file = report / ("plan.csv" if plan else "applied.csv")
    write_csv(deals, file)
    _show(deals, file)
    if apply and settings.crm:
        typer.echo(
            "The worker sends what follows to the CRM; `lossnlp-serve backfill --list` shows the batch.", err=True
        )


def open_reassessment(settings: Settings, assessor: Assessor) -> Reassessment:
    """Gives the re-assessment of an installation's deals by a model.

    Raises:
        ConfigurationError: A setting cannot be used.
        SchemaError: The database is away or not migrated.
    """
    database = open_database(settings.database_url)
    intake = open_intake(settings, assessor, database, Metrics())
    return Reassessment(intake, open_text_source(settings, database).find)


def _show(deals: list[PlannedDeal], file: Path) -> None:
    read = [deal for deal in deals if deal.primary_reason is not None]
    changed = sum(bool(deal.values) for deal in read)
    typer.echo(f"{len(read)} deals read anew, {changed} read otherwise, {len(deals) - len(read)} left. See {file}.")
    counts = Counter(value.field for deal in read for value in deal.values)
    table = Table("value", "deals that differ", "share", "95 % interval")
    for name, count in counts.most_common():
        share = share_of(count, len(read))
        table.add_row(name, str(count), f"{share.value:.1%}", f"{share.low:.1%} to {share.high:.1%}")
    left = Table("left because", "deals")
    for cause, count in Counter(deal.silence for deal in deals if deal.primary_reason is None).most_common():
        left.add_row(cause, str(count))
    open_console().print(table, left)
