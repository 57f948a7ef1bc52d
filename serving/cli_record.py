"""The command `lossnlp-serve record`: who or what set which value when, as a table or as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from lossnlp.taxonomy import get_default_taxonomy
from serving.audit.by_command import recorded
from serving.crm.connect import read_field_map
from serving.record import RecordEntry, find_record, write_record
from serving.schema import open_database
from serving.settings import load_settings
from serving.terminal import open_console


def show_record(
    deal: Annotated[
        str | None, typer.Argument(help="The CRM's id of one deal; all deals without it.", metavar="DEAL")
    ] = None,
    *,
    output: Annotated[Path | None, typer.Option("--csv", help="Write the record to this file instead.")] = None,
) -> None:
    """Shows every value that was written, put back or left to a person: when, by whom, from which assessment."""
    settings = load_settings()
    fields = read_field_map(settings, get_default_taxonomy())
    database = open_database(settings.database_url)
    with database.reading() as session:
        entries = find_record(session, fields, deal_id=deal)
        if output is None:
            open_console().print(_as_table(list(entries)))
            return
        with recorded(database, "export", "record"), output.open("w", encoding="utf-8", newline="") as file:
            count = write_record(entries, file)
    typer.echo(f"{count} entries in {output}.", err=True)


def _as_table(entries: list[RecordEntry]) -> Table:
    table = Table(
        "when", "deal", Column("field", no_wrap=True), "what", "by", "before", "after", "outcome", "model", "evidence"
    )
    for entry in entries:
        table.add_row(
            f"{entry.at:%Y-%m-%d %H:%M}",
            entry.deal_id,
            entry.field,
            entry.act,
            entry.by,
            _shown(entry.before),
            _shown(entry.after),
            entry.outcome,
            entry.model_version,
            entry.evidence,
        )
    return table


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
