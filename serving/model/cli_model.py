"""The commands `lossnlp-serve model …`: which model is in service, another one, the one before, and how a challenger reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from lossnlp.errors import LossNlpError
from serving.audit.by_command import recorded
from serving.logs import configure_logs
from serving.model.history import find_choices, find_services
from serving.model.loading import bundle_loader, champion_source
from serving.model.shadow_report import FieldAgreement, report_shadow
from serving.model.sources import BundleSource
from serving.model.switching import Switch
from serving.schema import open_database
from serving.settings import Settings, load_settings
from serving.tables import ModelChoiceRow
from serving.terminal import account_name, open_console

model = typer.Typer(help="The model in service: show, switch, roll back, compare.", no_args_is_help=True)
_MOST_SHOWN = 10

Reason = Annotated[str, typer.Option("--reason", help="Why, in your own words; it is kept.")]
By = Annotated[str, typer.Option("--by", help="Who does it; the account of this machine where none is given.")]


@model.command("show")
def show_model() -> None:
    """Shows which bundle is named, what was chosen before, and which process served what when."""
    settings = load_settings()
    database = open_database(settings.database_url)
    source = champion_source(settings)
    typer.echo(f"LOSSNLP_MODEL: {settings.model or 'not set, the bundle that ships'}")
    typer.echo(f"names now: {_tell_named(source)}")
    with database.reading() as session:
        chosen = Table("chosen", "model", Column("bundle", overflow="fold"), "how", "by", "why")
        for row in reversed(find_choices(session, settings.model or "")[-_MOST_SHOWN:]):
            chosen.add_row(
                f"{row.created_at:%Y-%m-%d %H:%M:%S}",
                row.model_version,
                row.reference,
                row.kind,
                row.chosen_by,
                row.reason,
            )
        served = Table("from", "until", "process", "role", "model", "refused")
        for one in find_services(session, most=_MOST_SHOWN):
            until = f"{one.ended_at:%Y-%m-%d %H:%M:%S}" if one.ended_at else ""
            served.add_row(
                f"{one.began_at:%Y-%m-%d %H:%M:%S}",
                until,
                one.process,
                one.role,
                one.model_version or "",
                one.refused or "",
            )
    open_console().print(chosen, served)


@model.command("use")
def use_model(
    wanted: Annotated[
        str,
        typer.Argument(metavar="PATH_OR_VERSION", help="A bundle's path, its version, or a version of the registry."),
    ],
    reason: Reason = "",
    by: By = "",
) -> None:
    """Puts a bundle in service: it is checked, loaded once, and every process takes it when it looks next."""
    switch = _open_switch(load_settings())
    with recorded(switch.database, "model_use", Path(wanted).name):
        row = switch.use(wanted, by=by or account_name(), reason=reason)
    _say(row)


@model.command("rollback")
def roll_back(reason: Reason = "", by: By = "") -> None:
    """Puts the bundle in service that was before."""
    switch = _open_switch(load_settings())
    with recorded(switch.database, "model_rollback", ""):
        row = switch.roll_back(by=by or account_name(), reason=reason)
    _say(row)


@model.command("shadow")
def show_shadow(
    challenger: Annotated[str | None, typer.Option(help="Its version; the one that has read last without it.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only deals read since this day (UTC).")
    ] = None,
) -> None:
    """Shows how often the challenger reads a deal as the model in service does."""
    moment = since.replace(tzinfo=UTC) if since else None
    with open_database(load_settings().database_url).reading() as session:
        report = report_shadow(session, challenger=challenger, since=moment)
    typer.echo(
        f"{report.challenger} beside {report.champion}: {report.deals} deals read by both, {report.failed} without an answer."
    )
    table = Table(
        "value", "differ", "agree", "95 % interval", Column("deals: in service -> challenger", overflow="fold")
    )
    for found in report.fields:
        share = found.agreed
        table.add_row(
            found.field,
            str(found.differ),
            f"{share.value:.1%}",
            f"{share.low:.1%} to {share.high:.1%}",
            _examples(found),
        )
    open_console().print(table)


def _examples(found: FieldAgreement) -> str:
    return "; ".join(f"{deal_id}: {one.before} -> {one.after}" for deal_id, one in found.examples.items())


def _open_switch(settings: Settings) -> Switch:
    configure_logs(settings.model_copy(update={"log_level": "warning"}))
    database = open_database(settings.database_url)
    return Switch(champion_source(settings), settings.model or "", database, bundle_loader(settings))


def _say(row: ModelChoiceRow) -> None:
    settings = load_settings()
    typer.echo(
        f"{row.model_version} is named now ({row.reference}); every process puts it in service within "
        f"{settings.model_every_s:g} seconds and the time to load it."
    )


def _tell_named(source: BundleSource) -> str:
    try:
        return source.find_named().reference
    except LossNlpError as error:
        return error.message
