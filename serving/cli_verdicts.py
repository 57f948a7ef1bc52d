"""The commands `lossnlp-serve verdicts …`: what people have judged, as files to learn from or to label on elsewhere, and back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.table import Table

from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from serving.audit.by_command import recorded
from serving.logs import configure_logs
from serving.review import argilla, label_studio
from serving.review.annotation import AnnotationError
from serving.review.export import Tally, VerdictExport, find_deals_by
from serving.review.texts import open_text_source
from serving.review.verdict_lines import FORMAT, VerdictLine
from serving.schema import open_database
from serving.settings import load_settings
from serving.terminal import open_console

verdicts = typer.Typer(
    help="Write the verdicts that hold to a file, or read labels of another tool.", no_args_is_help=True
)


class Form(StrEnum):
    """The forms of a file."""

    LOSSNLP = "lossnlp"
    LABEL_STUDIO = "label-studio"
    ARGILLA = "argilla"


_MAKE = {Form.LOSSNLP: VerdictLine.as_row, Form.LABEL_STUDIO: label_studio.make_task, Form.ARGILLA: argilla.make_record}
_READ = {Form.LABEL_STUDIO: label_studio.read_export, Form.ARGILLA: argilla.read_export}


@verdicts.command("export")
def export_verdicts(
    out: Annotated[Path, typer.Argument(help="File to write; an older one is replaced.", metavar="OUT")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only verdicts given since this day (UTC).")
    ] = None,
    *,
    redact: Annotated[
        bool, typer.Option("--redact/--no-redact", help="Put placeholders for names, addresses and numbers.")
    ] = True,
    with_open: Annotated[
        bool,
        typer.Option("--with-open", help="Write deals of which nobody could tell too, to OUT with .open in its name."),
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="Whose form.")] = Form.LOSSNLP,
) -> None:
    """Writes the verdicts that hold, with the words of their deals as far as they are at hand."""
    settings = load_settings()
    configure_logs(settings.model_copy(update={"log_level": "warning"}))
    apart, tally = out.with_name(f"{out.stem}.open{out.suffix}"), Tally()
    with closing(open_database(settings.database_url)) as database:
        find_deal = find_deals_by(open_text_source(settings, database), database)
        export = VerdictExport(database, find_deal, redact=redact, with_open=with_open)
        lines = export.lines(tally, since.replace(tzinfo=UTC) if since else None)
        with recorded(database, "export", "verdicts"):
            _write(lines, out, apart if with_open else None, form)
    taxonomy = get_default_taxonomy()
    if form is Form.LABEL_STUDIO:
        out.with_suffix(".interface.xml").write_text(label_studio.make_interface(taxonomy), encoding="utf-8")
    elif form is Form.ARGILLA:
        out.with_suffix(".settings.json").write_text(json.dumps(argilla.make_settings(taxonomy)), encoding="utf-8")
    _tell(tally, out, redact=redact)


@verdicts.command("import")
def import_verdicts(
    file: Annotated[
        Path, typer.Argument(help="What the tool has exported.", metavar="FILE", exists=True, dir_okay=False)
    ],
    form: Annotated[Form, typer.Option("--format", help="Whose form.")] = Form.LABEL_STUDIO,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output without it.")] = None,
) -> None:
    """Gives the labels that people have set in another tool as verdict lines, for `python -m training.train --verdicts`."""
    lines = _read(file, form, get_default_taxonomy())
    text = "".join(_json_line(line.as_row()) for line in lines)
    if output is None:
        sys.stdout.write(text)
    else:
        with _private(output) as stream:
            stream.write(text)
    typer.echo(f"{text.count(chr(10))} labelled deals.", err=True)


def _read(file: Path, form: Form, taxonomy: Taxonomy) -> Iterable[VerdictLine]:
    if form is Form.LOSSNLP:
        raise AnnotationError("A file of our own form is read as it is; --format names the tool.", field="format")
    try:
        decoded = json.loads(file.read_bytes())
    except ValueError:
        raise AnnotationError(f"{file.name} is not JSON; export it as JSON once more.", field="file") from None
    return _READ[form](decoded, taxonomy)


def _write(lines: Iterable[VerdictLine], out: Path, apart: Path | None, form: Form) -> None:
    """Writes the lines one by one: JSON lines in our own form, one JSON list in the form of a tool."""
    with ExitStack() as files:
        sure = files.enter_context(_items(out, form))
        unsure = files.enter_context(_items(apart, form)) if apart else sure
        for line in lines:
            (sure if line.format == FORMAT else unsure).append(_MAKE[form](line))


class _Items:
    """A file of items that is written as they come."""

    def __init__(self, stream: IO[str], form: Form) -> None:
        self._stream, self._is_lines, self._mark = stream, form is Form.LOSSNLP, "["

    def append(self, item: dict[str, Any]) -> None:
        self._stream.write(_json_line(item) if self._is_lines else f"{self._mark}\n{json.dumps(item)}")
        self._mark = ","

    def close(self) -> None:
        if not self._is_lines:
            self._stream.write("[]\n" if self._mark == "[" else "\n]\n")


@contextmanager
def _items(path: Path, form: Form) -> Iterator[_Items]:
    with _private(path) as stream:
        items = _Items(stream, form)
        yield items
        items.close()


def _private(path: Path) -> IO[str]:
    """Gives the file for writing; a new one is readable by nobody else, for it holds words of deals."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")


def _json_line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _tell(tally: Tally, out: Path, *, redact: bool) -> None:
    apart = f", {tally.open} open ones apart" if tally.open else ""
    typer.echo(f"{tally.lines} verdicts in {out}{apart}; {len(tally.left_out)} deals left out.", err=True)
    if redact:
        typer.echo("Names of people who are only talked about may still stand there.", err=True)
    if tally.left_out:
        table = Table("deal", "left out because")
        for one in tally.left_out:
            table.add_row(one.deal_id, one.why)
        open_console().print(table)
