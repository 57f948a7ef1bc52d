"""The commands `lossnlp-serve audit …`: read the audit log, and prove that nobody has changed it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from serving.audit.chain import Head, find_entries, find_head, verify_chain
from serving.audit.entries import Act
from serving.schema import open_database
from serving.settings import load_settings
from serving.terminal import open_console

audit = typer.Typer(help="Read the audit log and prove it whole.", no_args_is_help=True)


@audit.command("list")
def list_entries(
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only rows since this day (UTC).")
    ] = None,
    act: Annotated[Act | None, typer.Option(help="Only this act.")] = None,
) -> None:
    """Shows who did or was refused what, oldest first."""
    who, target, request = (Column(name, overflow="fold") for name in ("who", "object", "request"))
    table = Table("row", "at", who, "act", target, "outcome", request, "dropped before")
    moment = since.replace(tzinfo=UTC) if since else None
    with closing(open_database(load_settings().database_url)) as database, database.reading() as session:
        for row in find_entries(session, since=moment, act=act):
            said = (escape(row.who), row.act, escape(row.object), row.outcome, row.request_id or "")
            table.add_row(str(row.sequence), f"{row.at:%Y-%m-%d %H:%M:%S}", *said, str(row.dropped or ""))
    open_console().print(table)


@audit.command("head")
def show_head() -> None:
    """Prints the last row's number and digest; keep them outside of this database."""
    with closing(open_database(load_settings().database_url)) as database, database.reading() as session:
        typer.echo(find_head(session))


@audit.command("verify")
def verify_log(
    first: Annotated[int, typer.Option("--from", min=1, help="Row to begin at; the one before is believed.")] = 1,
    head: Annotated[
        str | None, typer.Option(metavar="SEQ:HASH", help="A head that was kept: its row has to be there still.")
    ] = None,
) -> None:
    """Proves that no row was changed, removed, put in or moved; else ends with 1 and names the first that is wrong."""
    kept = Head.parse(head) if head is not None else None
    with closing(open_database(load_settings().database_url)) as database, database.reading() as session:
        last = verify_chain(session, first=first, kept=kept)
    typer.echo(f"Rows {first} to {last.sequence} follow from each other. Head: {last}")
