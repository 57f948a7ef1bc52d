"""The commands `lossnlp-serve winbacks …`: tell of lost buyers that are to be called back."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer
from rich.table import Table

from serving.errors import ConfigurationError
from serving.logs import configure_logs
from serving.reports.winback_reminders import open_reminders
from serving.schema import open_database
from serving.settings import load_settings
from serving.terminal import open_console

winbacks = typer.Typer(help="Lost buyers that are to be called back.", no_args_is_help=True)


@winbacks.callback()
def _winbacks() -> None:
    """Lost buyers that are to be called back."""


@winbacks.command("remind")
def remind(
    *,
    days: Annotated[int, typer.Option(min=0, max=180, help="How many days ahead counts as due.")] = 7,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be sent; send nothing.")] = False,
) -> None:
    """Tells of win-backs that are due, each once: a task in the CRM, a signed call to LOSSNLP_REMINDER_URL."""
    settings = load_settings()
    configure_logs(settings)
    table = Table("deal", "due", "told by", "what happened", "why")
    with closing(open_database(settings.database_url)) as database:
        reminders = open_reminders(settings, database)
        if not reminders.channels:
            message = "Nothing tells of win-backs yet; set LOSSNLP_REMINDER_URL, or LOSSNLP_WINBACK_TASKS=true for tasks in the CRM."
            raise ConfigurationError(message, field="LOSSNLP_REMINDER_URL")
        for notice in reminders.remind(days, plan=plan):
            table.add_row(notice.deal_id, notice.due_on, notice.channel, notice.outcome, notice.error)
    open_console().print(table)
