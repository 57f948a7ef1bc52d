"""The commands `lossnlp-serve backup` and `restore`: all deals, answers, verdicts and the rest into one file, and back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from serving.audit.by_command import record_in, recorded
from serving.backup.archive import Manifest
from serving.backup.keeping import check_backup, find_differences, make_backup, restore_backup
from serving.schema import head_revision, open_database
from serving.settings import load_settings
from serving.terminal import open_console

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the backup.")]


def back_up(
    file: File,
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Prove FILE whole and compare it with the database; ends with 1 where they differ."
        ),
    ] = False,
) -> None:
    """Writes the database into one file while the service runs: one moment of it, with counts and digests of every table.

    Model bundles, settings and secrets are not in it.
    """
    url = load_settings().database_url
    if check:
        _compare(url, file)
        return
    with closing(open_database(url)) as database, recorded(database, "export", "backup"):
        manifest = make_backup(url, file)
    _show(manifest)
    typer.echo(f"{file} holds the database at revision {manifest.schema_revision}.", err=True)


def restore(
    file: File,
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Lose the deals, people and keys that the database holds.")
    ] = False,
) -> None:
    """Puts a backup back into the database that LOSSNLP_DATABASE_URL names, and proves it by content. Stop the service before."""
    url = load_settings().database_url
    manifest = restore_backup(url, file, overwrites=overwrite)
    _show(manifest)
    if manifest.schema_revision != head_revision():
        typer.echo("The backup is of an older version: run `lossnlp-serve migrate` before the service.", err=True)
        return
    with closing(open_database(url)) as database, database.writing() as session:
        record_in(session, "restore", f"backup of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
        session.commit()


def _compare(url: str, file: Path) -> None:
    manifest = check_backup(file)
    differing = find_differences(url, manifest)
    _show(manifest, differing=differing)
    if differing:
        raise typer.Exit(1)


def _show(manifest: Manifest, *, differing: list[str] | None = None) -> None:
    table = Table(Column("table", no_wrap=True), Column("rows", justify="right"), "content (SHA-256)", "database")
    names = sorted({*manifest.tables, *(differing or [])})
    for name in names:
        held = manifest.tables.get(name)
        beside = "" if differing is None else "differs" if name in differing else "same"
        table.add_row(name, str(held.rows) if held else "-", held.sha256[:16] if held else "-", beside)
    open_console().print(table)
