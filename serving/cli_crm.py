"""The commands `lossnlp-serve crm …`: what the CRM needs to have before values can be written into it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from lossnlp.taxonomy import get_default_taxonomy
from serving.crm.connect import connect_crm, read_field_map
from serving.crm.protocol import FieldSpec, SetupStep
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
    known = {field.name: field for field in fields}
    table = Table("field", "what people see", "would be done" if plan else "done", "which")
    for step in steps:
        field = known.get(step.field)
        table.add_row(step.field, field.label if field else "", step.act, step.detail or _new_values(step, field))
    open_console().print(table)


def _new_values(step: SetupStep, field: FieldSpec | None) -> str:
    """Gives the values of a picklist that is made; empty where there are none."""
    return ", ".join(choice.value for choice in field.choices) if field and step.act == "create" else ""
