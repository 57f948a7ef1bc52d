"""The commands `lossnlp-serve crm …`: what the CRM needs to have before values can be written into it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from lossnlp.taxonomy import get_default_taxonomy
from serving.crm.connect import connect_crm, read_field_map
from serving.settings import load_settings
from serving.terminal import open_console

crm = typer.Typer(help="Prepare the CRM that LOSSNLP_CRM names.", no_args_is_help=True)


@crm.command("setup")
def set_up_crm(
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done; change nothing.")] = False,
) -> None:
    """Creates the fields and picklist values that are missing in the CRM; run twice it does nothing more."""
    settings = load_settings()
    connected = connect_crm(settings)
    fields = read_field_map(settings, get_default_taxonomy()).specs()
    steps = connected.plan_setup(fields) if plan else connected.set_up(fields)
    labels = {field.name: field.label for field in fields}
    table = Table("field", "what people see", "would be done" if plan else "done", "which")
    for step in steps:
        table.add_row(step.field, labels.get(step.field, ""), step.act, step.detail)
    open_console().print(table)
