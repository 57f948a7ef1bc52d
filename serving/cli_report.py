"""The command `lossnlp-serve report`: the loss review of a month as a file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from serving.audit.by_command import recorded
from serving.errors import ConfigurationError
from serving.logs import configure_logs
from serving.reports.cuts import CutError
from serving.reports.pack import Asked, Pack
from serving.reports.pack_files import PackMaker, open_pack_maker, write_pack
from serving.reports.pack_month import parse_month
from serving.reports.pack_pdf import print_pdf
from serving.schema import open_database
from serving.settings import load_settings
from serving.store import now


def write_report(
    *,
    month: Annotated[str, typer.Option(help="The month of the losses, YYYY-MM.", metavar="MONTH")],
    out: Annotated[Path, typer.Option(help="Folder to write into.", file_okay=False, metavar="DIR")],
    team: Annotated[str | None, typer.Option(help="Count the deals of this sales team alone.")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also print it to PDF with an installed Chromium.")] = False,
) -> None:
    """Writes the loss review of a month: one HTML file that loads nothing from anywhere."""
    settings = load_settings()
    configure_logs(settings)
    today = now().date()
    asked = Asked(parse_month(month, today=today), team, today)
    with (
        closing(open_database(settings.database_url)) as database,
        recorded(database, "export", f"report of {month}"),
    ):
        pack = _make(open_pack_maker(settings, database), asked)
    try:
        file = write_pack(pack, out)
    except OSError:
        raise ConfigurationError(f"The folder '{out}' cannot be written; give another one to --out.") from None
    typer.echo(file)
    if pdf:
        typer.echo(print_pdf(file))


def _make(maker: PackMaker, asked: Asked) -> Pack:
    if asked.team is not None and asked.team not in (teams := maker.find_teams()):
        known = ", ".join(teams) or "(none yet)"
        raise CutError(f"No lost deal is of the team '{asked.team}'; use one of: {known}.", field="team")
    return maker.make(asked)
