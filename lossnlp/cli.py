"""The command line: `lossnlp classify`, `lossnlp explain`, `lossnlp taxonomy`, `lossnlp change`, `lossnlp bundle`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lossnlp.classifier import LossClassifier
from lossnlp.cli_bundle import bundle
from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError, LossNlpError
from lossnlp.explain import explained
from lossnlp.lines import answer_lines, read_request
from lossnlp.taxonomy import get_default_taxonomy, read_taxonomy, write_taxonomy
from lossnlp.taxonomy_change import changed_taxonomy, read_change, walk_of

app = typer.Typer(
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Reads lost deals and says, with evidence, why they were lost.",
)
app.add_typer(bundle, name="bundle")
ModelOption = Annotated[
    Path | None, typer.Option("--model", envvar="LOSSNLP_MODEL", help="Model bundle folder; default: the shipped one.")
]


@app.command()
def classify(
    source: Annotated[
        str, typer.Argument(metavar="IN.jsonl", help="Requests, one JSON object a line; '-' reads standard input.")
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", help="Assessments, one a line; '-' writes standard output.")
    ] = "-",
    model: ModelOption = None,
) -> None:
    """Assess the deals of a file, one assessment a line, in order."""
    if _is_one_file(source, output):
        raise LossNlpError(f"{output}: this is the input too; name another file for the assessments.")
    with ExitStack() as stack:
        lines = stack.enter_context(_readable(source))
        classifier = LossClassifier.load(model)
        answers = stack.enter_context(_writable(output))
        total = sum(1 for line in _rewound(lines) if line.strip()) if lines.seekable() else None
        good = bad = 0
        for answer in answer_lines(_with_progress(lines, total), classifier):
            answers.write(json.dumps(answer.body, ensure_ascii=False).encode() + b"\n")
            good, bad = good + answer.is_good, bad + (not answer.is_good)
    message = f"{good} deals assessed"
    if bad:
        message += f", {bad} bad lines answered with an error in their place"
    typer.echo(message, err=True)


@app.command()
def explain(
    source: Annotated[
        str, typer.Argument(metavar="NOTE", help="A text file, or a request as JSON; '-' reads standard input.")
    ],
    closed_at: Annotated[
        str | None, typer.Option(help="Day the deal was closed, YYYY-MM-DD; win-back dates need it.")
    ] = None,
    model: ModelOption = None,
) -> None:
    """Print one assessment for people, with the evidence marked in the text."""
    with _readable(source) as file:
        content = file.read()
    request = _request_of(content, closed_at)
    deal = Deal.from_request(request)
    classifier = LossClassifier.load(model)
    Console().print(explained(deal, classifier.assess(deal), classifier.taxonomy))


@app.command()
def taxonomy() -> None:
    """Print the loss reasons and MEDDPICC elements with their definitions."""
    labels = get_default_taxonomy()
    table = Table(title=f"Loss reasons (taxonomy version {labels.version})", title_justify="left")
    for heading in ("Group", "Code", "Applies when"):
        table.add_column(heading, overflow="fold")
    for reason in labels.reasons:
        table.add_row(labels.get_group(reason.group).label, reason.code, reason.definition)
    elements = Table(title="MEDDPICC elements", title_justify="left")
    for heading in ("Element", "A gap when", "Covered when"):
        elements.add_column(heading, overflow="fold")
    for element in labels.elements:
        elements.add_row(element.code, element.gap, element.covered)
    console = Console()
    console.print(table)
    console.print(elements)


@app.command()
def change(
    file: Annotated[Path, typer.Argument(metavar="CHANGE.yaml", help="What changes in the list of reasons.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The new list, to train with.")] = None,
    before: Annotated[
        Path | None, typer.Option("--before", help="The list that it changes; default: the shipped one.")
    ] = None,
) -> None:
    """Check a change of the list of reasons, show its way from old codes to new, and write the new list."""
    old = read_taxonomy(before) if before else get_default_taxonomy()
    steps = read_change(file, old)
    new = changed_taxonomy(old, steps)
    table = Table("Old", "New", "How", title=f"Version {old.version} to {new.version}", title_justify="left")
    for code, heirs in walk_of(steps).items():
        table.add_row(code, " or ".join(heirs) or "none", "by rule" if len(heirs) == 1 else "a person says")
    Console().print(table)
    if output is not None:
        write_taxonomy(output, new)
        typer.echo(f"{len(new.codes)} reasons in {output}.", err=True)


def _request_of(content: bytes, closed_at: str | None) -> object:
    text = content.decode("utf-8-sig", errors="replace").strip()
    if text.startswith("{"):
        return read_request(content)
    if not text:
        raise InvalidDealError("The note is empty; give at least one word.", field="text")
    return {"id": "note", "text": text} | ({"closed_at": closed_at} if closed_at else {})


def _is_one_file(source: str, output: str) -> bool:
    if "-" in {source, output}:
        return False
    return Path(source).is_file() and Path(output).is_file() and Path(source).samefile(output)


def _readable(name: str) -> AbstractContextManager[BinaryIO]:
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise LossNlpError(f"{name}: {error.strerror}.") from error


def _writable(name: str) -> AbstractContextManager[BinaryIO]:
    """Gives a file that takes its name when all is written; a pipe or a device is written to at once."""
    if name == "-":
        return nullcontext(sys.stdout.buffer)
    target = Path(name).resolve()
    is_replaceable = target.is_file() or not target.exists()
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        return _renamed(partial.open("wb"), partial, target) if is_replaceable else target.open("wb")
    except OSError as error:
        raise LossNlpError(f"{name}: {error.strerror}.") from error


@contextmanager
def _renamed(file: BinaryIO, partial: Path, target: Path) -> Iterator[BinaryIO]:
    try:
        with file:
            yield file
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _rewound(lines: BinaryIO) -> Iterator[bytes]:
    yield from lines
    lines.seek(0)


def _with_progress(lines: Iterable[bytes], total: int | None) -> Iterator[bytes]:
    """Gives the lines while a bar runs on a terminal; in a pipe nothing is shown."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        yield from progress.track(lines, total=total, description="assessing")


def main() -> None:
    """Runs the command line; an expected error ends it with one line and status 1."""
    try:
        app()
    except LossNlpError as error:
        typer.echo(f"lossnlp: {error.message}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
