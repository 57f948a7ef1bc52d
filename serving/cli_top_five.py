"""The command `lossnlp-serve top-five`: propose the entries of a CRM's drop-down, and write the files that bring them there."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from lossnlp.taxonomy import get_default_taxonomy
from serving.crm.fields import read_words
from serving.people.access import Viewer
from serving.reports.crosswalks import CROSSWALK, Crosswalk, crosswalk_files
from serving.reports.cuts import CutError, parse_cut
from serving.reports.report import Report
from serving.reports.top_five import TopFive, read_top_five
from serving.reports.top_five_search import REDRAWS
from serving.reports.top_five_wishes import parse_wishes
from serving.schema import open_database
from serving.settings import load_settings
from serving.store import now
from serving.terminal import open_console

Since = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="First day of loss that counts; without it, six months before the last."),
]
Until = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day of loss that counts; without it, today.")
]
_EVERYBODY = Viewer(0, "command line", "leader")  # who may run commands may read the database


def propose_top_five(
    *,
    out: Annotated[Path, typer.Option(help="Folder to write to; files of these names in it are replaced.")],
    since: Since = None,
    until: Until = None,
    lock: Annotated[list[str] | None, typer.Option(help="An entry to keep: its reasons, such as price,budget.")] = None,
    apart: Annotated[list[str] | None, typer.Option(help="Two reasons to keep apart, such as timing,budget.")] = None,
) -> None:
    """Proposes at most five reasons for the CRM's drop-down, from the losses of half a year, and writes the files for it."""
    settings, taxonomy = load_settings(), get_default_taxonomy()
    days = {"since": since, "until": until}
    given = {name: f"{at:%Y-%m-%d}" for name, at in days.items() if at is not None}
    cut = parse_cut(given, today=now().date())
    wishes = parse_wishes(lock or (), apart or (), taxonomy)
    words = read_words(settings.crm_words)
    with closing(open_database(settings.database_url)) as database, database.reading() as session:
        report = Report.of_cut(session, _EVERYBODY, cut, taxonomy)
        if not report.is_enough:
            raise CutError(f"The list is held back: {report.too_few.because}; name an earlier --since.", field="since")
        top = read_top_five(report, wishes)
        files = crosswalk_files(report, Crosswalk(taxonomy, top, words, settings.crm))
    _write(out, files)
    _show(report, top)
    typer.echo(f"Set LOSSNLP_CRM_WORDS={out / CROSSWALK} to write these entries back.", err=True)


def _write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="")


def _show(report: Report, top: TopFive) -> None:
    table = Table("entry", "stands for", "deals", "share", f"found again, of {REDRAWS}")
    for entry in top.all:
        deals = entry.tally.deals
        again = "" if entry.again is None else str(entry.again)
        table.add_row(entry.label, ", ".join(entry.codes), f"{deals:,}", f"{deals / report.scope.deals:.1%}", again)
    open_console().print(table)
