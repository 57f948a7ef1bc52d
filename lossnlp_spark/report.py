"""The report of a run: rows, pace, skew and what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from statistics import median

from lossnlp.deal import Frozen
from lossnlp_spark.progress import PartFigures, Plan


class Skew(Frozen):
    """How unequal tasks were; a ratio of 1 is none."""

    median: float
    max: float
    max_over_median: float | None


class Report(Frozen):
    """What a run did, and what its output holds.

    Args:
        model_version: Version of the bundle.
        taxonomy_version: Version of its labels.
        rows: Rows in all parts of the output.
        assessed: How many of them were assessed.
        refused: How many of them were not.
        errors: The same by the error's code.
        parts: Number of parts.
        resumed_parts: Parts that were finished before this run.
        run_rows: Rows of this run alone.
        run_seconds: From the first look at the input until the last part was written.
        rows_per_s: Rows of this run in a second, None where it had nothing to do.
        skew_rows: Of the rows in the tasks of this run.
        skew_seconds: Of the seconds that they were read in.
    """

    model_version: str
    taxonomy_version: str
    rows: int
    assessed: int
    refused: int
    errors: dict[str, int]
    parts: int
    resumed_parts: tuple[int, ...]
    run_rows: int
    run_seconds: float
    rows_per_s: float | None
    skew_rows: Skew | None
    skew_seconds: Skew | None


def report_of(plan: Plan, parts: Mapping[int, PartFigures], *, resumed: Collection[int], seconds: float) -> Report:
    """Gives the report of a run.

    Args:
        plan: What it did.
        parts: Figures of all parts.
        resumed: Parts that were finished before.
        seconds: How long the run took.
    """
    done = [part for part_id, part in parts.items() if part_id not in resumed]
    tasks = [task for part in done for task in part.partitions]
    errors = sum((Counter(part.refused) for part in parts.values()), Counter[str]())
    rows, run_rows = sum(part.rows for part in parts.values()), sum(part.rows for part in done)
    return Report(
        model_version=plan.model_version,
        taxonomy_version=plan.taxonomy_version,
        rows=rows,
        assessed=rows - errors.total(),
        refused=errors.total(),
        errors=dict(errors),
        parts=plan.parts,
        resumed_parts=tuple(sorted(resumed)),
        run_rows=run_rows,
        run_seconds=round(seconds, 3),
        rows_per_s=round(run_rows / seconds, 2) if run_rows else None,
        skew_rows=_skew([task.rows for task in tasks]),
        skew_seconds=_skew([task.seconds for task in tasks]),
    )


def _skew(values: Sequence[float]) -> Skew | None:
    if not values:
        return None
    middle, top = median(values), max(values)
    ratio = round(top / middle, 2) if middle else None
    return Skew(median=round(middle, 3), max=round(top, 3), max_over_median=ratio)
