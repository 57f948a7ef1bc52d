"""The command `lossnlp-serve drift`: what this week's look at drift found."""

from __future__ import annotations

from contextlib import closing

import typer
from rich.table import Table

from lossnlp.taxonomy import get_default_taxonomy
from serving.drift.looks import Look, take_look
from serving.drift.settings import DriftSettings, load_drift_settings
from serving.drift.wording import describe
from serving.logs import configure_logs
from serving.schema import open_database
from serving.settings import load_settings
from serving.store import now
from serving.terminal import open_console

ALARM_EXIT = 3


def show_drift() -> None:
    """Shows whether the newest deals differ from those before; takes this week's look where nobody has. Exits with 3 on an alarm."""
    settings, drift = load_settings(), load_drift_settings()
    configure_logs(settings)
    with closing(open_database(settings.database_url)) as database:
        look = take_look(database, drift, at=now())
    _show(look, drift)
    if look.alarms:
        raise typer.Exit(ALARM_EXIT)


def _show(look: Look, drift: DriftSettings) -> None:
    table = Table("feature", "newest", "before", "found")
    for line in describe(look, get_default_taxonomy()):
        table.add_row(line.feature, line.newest, line.before, line.found, style="bold" if line.is_alarm else None)
    open_console().print(table)
    (newest_on, last_on), (reference_on, _) = look.spans.newest, look.spans.reference
    typer.echo(f"Deals lost {newest_on} to {last_on} beside those from {reference_on} on.", err=True)
    typer.echo(
        f"While nothing changes, the expected number of alarms in a year is at most {drift.false_alarms:g}. "
        f"{look.sampled} deals were drawn for the queue.",
        err=True,
    )
