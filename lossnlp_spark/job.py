"""The story of a job: plan, then part after part, each read, written and marked as finished, then the report."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.errors import LossNlpError
from lossnlp.pointer import find_bundle_folder
from lossnlp.signing import trusted_keys
from lossnlp_spark.columns import OUTCOMES, ddl
from lossnlp_spark.progress import PartFigures, PartitionFigures, Plan, Progress
from lossnlp_spark.reading import read_batches
from lossnlp_spark.report import Report, report_of
from lossnlp_spark.rows import requests_of
from lossnlp_spark.tables import Answers, fingerprint, read_deals


class RunError(LossNlpError):
    """Says that a job may not write here, since its output was begun with something else."""

    code = "other_run"


@dataclass(frozen=True)
class Job:
    """What is read, with what, and where the answers go.

    Args:
        source: Folder of the deals, as Spark names it: `s3a://...`, `file:...`.
        target: Folder of the output.
        format: `parquet` or `delta`, of both.
        version: Version of a Delta table to read, None for what is there.
        bundle: Bundle folder on the driver and on every node, None for the shipped one.
        parts: Into how many parts the rows are cut; a job that ends early loses the part it was at, and every part reads the input once.
        partitions: Into how many tasks a part is cut; several for each core keep all cores busy.
    """

    source: str
    target: str
    format: str = "parquet"
    version: int | None = None
    bundle: Path | None = None
    parts: int = 16
    partitions: int = 16


def assess_table(
    spark: SparkSession, job: Job, *, restart: bool = False, told: Callable[[PartFigures], None] | None = None
) -> Report:
    """Assesses the rows that no run before it has finished, and gives the report.

    Args:
        spark: The session.
        job: What is to be done.
        restart: Whether an output that is there is thrown away.
        told: Is called with the figures of each part as it is finished.

    Raises:
        RunError: The output was begun with another model, input, format or number of parts, or by something else.
        InvalidDealError: The input has none of the columns that are read.
        BundleError: The bundle is missing, incomplete or altered.
    """
    started = time.perf_counter()
    deals = read_deals(spark, job.source, table_format=job.format, version=job.version)
    requests = requests_of(deals, job.parts)
    plan, progress, answers = _plan(job, deals), Progress(spark, job.target), Answers(spark, job.target, job.format)
    _begin(plan, progress, answers, restart=restart)
    parts = progress.finished()
    resumed = frozenset(parts)
    for part_id in sorted(set(range(job.parts)) - resumed):
        mine = requests.where(f.col("part_id") == part_id).select("request")
        parts[part_id] = _assess_part(part_id, _outcomes(mine, job, plan), answers)
        progress.finish(parts[part_id])
        if told:
            told(parts[part_id])
    report = report_of(plan, parts, resumed=resumed, seconds=time.perf_counter() - started)
    progress.write_report(report.model_dump_json())
    return report


def _plan(job: Job, deals: DataFrame) -> Plan:
    folder = find_bundle_folder(job.bundle) if job.bundle else find_default_bundle()
    bundle = read_bundle(folder, keys=trusted_keys())
    files, digest = fingerprint(deals)
    return Plan(
        model_version=bundle.manifest.version,
        taxonomy_version=bundle.manifest.taxonomy_version,
        input_files=files,
        input_digest=digest,
        parts=job.parts,
        format=job.format,
    )


def _begin(plan: Plan, progress: Progress, answers: Answers, *, restart: bool) -> None:
    begun = progress.find_plan()
    if begun == plan and not restart:
        return
    if begun is not None and not restart:
        other = [name for name in Plan.model_fields if getattr(begun, name) != getattr(plan, name)]
        was = ", ".join(f"{name} {getattr(begun, name)} (now {getattr(plan, name)})" for name in other)
        raise RunError(
            f"{answers.folder} was begun with {was}; name another output, or throw it away with --restart.",
            field=other[0],
        )
    if restart:
        progress.forget_parts()  # first: a part may never count while its answers are gone
    try:
        answers.clear(anew=restart)
    except AnalysisException as error:
        if error.getCondition() != "PATH_ALREADY_EXISTS":
            raise
        raise RunError(
            f"{answers.folder} holds tables that no finished plan speaks of; name another output, or throw them away with --restart."
        ) from None
    progress.begin(plan)


def _outcomes(requests: DataFrame, job: Job, plan: Plan) -> DataFrame:
    # The bundle's path as given: one below the working folder is another place on each node
    bundle = str(job.bundle) if job.bundle else None
    read = partial(read_batches, bundle=bundle, model_version=plan.model_version)
    return requests.repartition(job.partitions).mapInArrow(read, ddl(OUTCOMES))


def _assess_part(part_id: int, outcomes: DataFrame, answers: Answers) -> PartFigures:
    """Gives the figures of a part once its tables are written; every deal is read once, for both."""
    started = time.perf_counter()
    outcomes.persist()
    try:
        answers.write(outcomes, part_id)
        grouped = outcomes.groupBy("partition", "error_code")
        counts = grouped.agg(f.count("*").alias("rows"), f.sum("seconds").alias("seconds")).collect()
    finally:
        outcomes.unpersist()
    rows, seconds, refused = Counter[int](), defaultdict[int, float](float), Counter[str]()
    for count in counts:
        rows[count["partition"]] += count["rows"]
        seconds[count["partition"]] += count["seconds"]
        if count["error_code"]:
            refused[count["error_code"]] += count["rows"]
    return PartFigures(
        part_id=part_id,
        rows=rows.total(),
        refused=dict(refused),
        seconds=round(time.perf_counter() - started, 3),
        partitions=tuple(
            PartitionFigures(partition=task, rows=rows[task], seconds=round(seconds[task], 3)) for task in sorted(rows)
        ),
    )
