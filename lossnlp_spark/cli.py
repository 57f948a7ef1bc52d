"""The command line of a Spark job: `lossnlp-spark assess`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pyspark.sql import SparkSession

from lossnlp.errors import LossNlpError
from lossnlp_spark.job import Job, assess_table
from lossnlp_spark.progress import PartFigures

app = typer.Typer(
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="Reads lost deals of a data lake on Apache Spark.",
)
_TASKS_A_CORE = 4
# Rows that go to a worker at once: a deal may have megabytes
_ROWS_A_BATCH = "64"


class Format(StrEnum):
    """What tables are read and written as."""

    parquet = "parquet"
    delta = "delta"


@app.callback()
def main_command() -> None:
    """Reads lost deals of a data lake on Apache Spark."""


@app.command()
def assess(  # noqa: PLR0913, PLR0917 - one parameter an option
    source: Annotated[str, typer.Option("--input", help="Folder of the deals: s3a://..., file:/...")],
    target: Annotated[str, typer.Option("--output", help="Folder of the assessments; the same one goes on.")],
    table_format: Annotated[Format, typer.Option("--format", help="Of input and output.")] = Format.parquet,
    version: Annotated[int | None, typer.Option(help="Version of a Delta table to read.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle folder, on the driver and every node; default: the shipped one.")
    ] = None,
    parts: Annotated[
        int, typer.Option(min=1, help="Parts that the rows are cut into; one is lost if a run ends.")
    ] = 16,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Tasks that a part is cut into; default: four for each core.")
    ] = None,
    master: Annotated[str | None, typer.Option(help="Spark's master, such as local[4]; default: as submitted.")] = None,
    conf: Annotated[list[str] | None, typer.Option(help="A setting of Spark, NAME=VALUE; may be repeated.")] = None,
    *,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away what the output holds.")] = False,
) -> None:
    """Assess the deals of a table, go on where a run before ended, and print the report as JSON."""
    spark = spark_session(master, conf or ())
    job = Job(
        source=source,
        target=target.rstrip("/"),
        format=table_format,
        version=version,
        bundle=bundle,
        parts=parts,
        partitions=partitions or _TASKS_A_CORE * spark.sparkContext.defaultParallelism,
    )
    report = assess_table(spark, job, restart=restart, told=lambda part: _tell(part, parts))
    typer.echo(report.model_dump_json(indent=1))


def spark_session(master: str | None, settings: Sequence[str]) -> SparkSession:
    """Gives the session; nodes run the same path of Python as the driver, unless PYSPARK_PYTHON names another."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("lossnlp")
    builder = builder.master(master) if master else builder
    for setting in settings:
        name, is_set, value = setting.partition("=")
        if not is_set:
            raise LossNlpError(f"--conf {setting}: write it as NAME=VALUE.")
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", _ROWS_A_BATCH)
    return spark


def _tell(part: PartFigures, parts: int) -> None:
    refused = sum(part.refused.values())
    typer.echo(f"part {part.part_id} of 0 to {parts - 1}: {part.rows} rows, {refused} refused", err=True)


def main() -> None:
    """Runs the command line; an expected error ends it with one line and status 1."""
    try:
        app()
    except LossNlpError as error:
        typer.echo(f"lossnlp-spark: {error.message}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
