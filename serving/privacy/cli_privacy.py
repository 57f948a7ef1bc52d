"""The commands `lossnlp-serve retention`, `erase …` and `access-export …`."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from serving.audit.by_command import recorded
from serving.privacy.access_export import export_deal, export_person
from serving.privacy.deal_erasure import erase_deal
from serving.privacy.person_erasure import erase_person
from serving.privacy.proof import Proof, keyed_digest
from serving.privacy.retention import apply_retention, find_over
from serving.privacy.settings import load_retention_settings
from serving.review.seal import open_seal
from serving.schema import open_database
from serving.settings import load_settings
from serving.store import now
from serving.terminal import open_console

erase = typer.Typer(help="Erase one deal or one person, with proof.", no_args_is_help=True)
access_export = typer.Typer(help="Write all that is kept about a deal or a person, as JSON.", no_args_is_help=True)

DealId = Annotated[str, typer.Argument(help="The CRM's id of the deal.", metavar="DEAL")]
Named = Annotated[
    list[str],
    typer.Argument(help="The person's name, mail address, or both: each in quotes.", metavar="NAME_OR_MAIL..."),
]
Apply = Annotated[bool, typer.Option("--apply", help="Do it; without this it is only shown.")]
ProofFile = Annotated[Path | None, typer.Option("--proof", help="Write the proof to this file too, as JSON.")]
Out = Annotated[
    Path, typer.Option("--output", "-o", help="File to write, readable by nobody else; an older one is replaced.")
]


def run_retention_now(
    *,
    apply: Annotated[
        bool, typer.Option("--apply/--show", help="Let go of what is over its time; --show only tells of it.")
    ] = False,
) -> None:
    """Shows what is over the time that LOSSNLP_KEEP_… gives it, or lets it go."""
    settings, keep = load_settings(), load_retention_settings()
    with closing(open_database(settings.database_url)) as database:
        found = (apply_retention if apply else find_over)(database, keep, at=now())
    table = Table("setting", "what goes", "kept for", "dropped" if apply else "over its time")
    for over in found:
        days = f"{over.days} days" if over.days else "good"
        table.add_row(f"LOSSNLP_KEEP_{over.name.upper()}_DAYS", over.holds, days, str(over.rows))
    open_console().print(table)


@erase.command("deal")
def erase_one_deal(deal: DealId, *, apply: Apply = False, proof: ProofFile = None) -> None:
    """Erases every row of a deal, then looks for it in every text column."""
    settings = load_settings()
    with closing(open_database(settings.database_url)) as database:
        _tell(erase_deal(database, settings.var_dir, deal, apply=apply), proof)


@erase.command("person")
def erase_one_person(named: Named, *, apply: Apply = False, proof: ProofFile = None) -> None:
    """Covers a person's name wherever it is kept and closes their account, then looks for them in every text column."""
    settings = load_settings()
    seal = open_seal(settings)
    with closing(open_database(settings.database_url)) as database:
        _tell(erase_person(database, settings.var_dir, named, seal=seal, apply=apply), proof)


@access_export.command("deal")
def export_one_deal(deal: DealId, output: Out) -> None:
    """Writes every row of a deal; encrypted texts are opened where LOSSNLP_TEXT_KEYS has their key."""
    settings = load_settings()
    with closing(open_database(settings.database_url)) as database:
        told = export_deal(database, deal, seal=open_seal(settings))
        with recorded(database, "access_export", f"deal {keyed_digest(settings.var_dir, deal)}"):
            _write_private(output, told)


@access_export.command("person")
def export_one_person(named: Named, output: Out) -> None:
    """Writes a person's account, what they did under it, and every row and encrypted text that names them."""
    settings = load_settings()
    with closing(open_database(settings.database_url)) as database:
        told = export_person(database, named, seal=open_seal(settings))
        with recorded(database, "access_export", f"person {keyed_digest(settings.var_dir, named[0])}"):
            _write_private(output, told)
    typer.echo("Rows may name other people too; look through the file before you hand it out.", err=True)


def _write_private(path: Path, told: dict[str, Any]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False, indent=1)
        file.write("\n")


def _tell(proof: Proof, file: Path | None) -> None:
    table = Table("table", "deleted", "changed", "found afterwards")
    for name in sorted({*proof.deleted, *proof.changed, *proof.left}):
        row = (proof.deleted.get(name, 0), proof.changed.get(name, 0), proof.left.get(name, 0) if proof.is_done else "")
        table.add_row(name, *map(str, row))
    console = open_console()
    console.print(table)
    console.print(f"{proof.about}, {proof.at:%Y-%m-%d %H:%M:%S} UTC", soft_wrap=True)
    if proof.unsearched:
        console.print(f"{proof.unsearched} encrypted texts could not be searched: no key at hand opens them.")
    if proof.is_done:
        left = sum(proof.left.values())
        console.print(f"{proof.searched} text columns searched afterwards; {left} rows found.")
    else:
        console.print("Nothing was changed; --apply does it.")
    for beyond in proof.out_of_reach:
        console.print(f"Not reached: {beyond}.")
    if file is not None:
        _write_private(file, proof.as_row())
