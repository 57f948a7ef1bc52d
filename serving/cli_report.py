"""The command `lossnlp-serve report`: the loss review of a month as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serving.errors import ConfigurationError
from serving.logs import configure_logs
from serving.reports.cuts import CutError
from serving.reports.pack import Asked
from serving.reports.pack_files import open_pack_maker, write_pack
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
    maker = open_pack_maker(settings, open_database(settings.database_url))
    if team is not None and team not in (teams := maker.find_teams()):
        raise CutError(
            f"No lost deal is of the team '{team}'; use one of: {', '.join(teams) or '(none yet)'}.", field="team"
        )
    pack = maker.make(asked)
    try:
        file = write_pack(pack, out)
    except OSError:
        raise ConfigurationError(f"The folder '{out}' cannot be written; give another one to --out.") from None
    typer.echo(file)
    if pdf:
        typer.echo(print_pdf(file))
