"""What a job keeps beside its answers so that it can go on: the plan it began with, and a line for each finished part.

All of it is written and read by Spark, a line of JSON in a folder: that works wherever the answers can be written. A
part counts once its line is there; a line is one small file, which every store shows whole or not at all.
"""

from __future__ import annotations

from pydantic import Field
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from lossnlp.deal import Frozen


class Plan(Frozen):
    """What has to be the same for a job to go on where another ended.

    Args:
        model_version: Version of the bundle.
        taxonomy_version: Version of its labels.
        input_files: Number of the input's files.
        input_digest: Hash of their names, sizes and times of change.
        parts: Into how many parts the rows are cut.
        format: What the answers are written as.
    """

    model_version: str
    taxonomy_version: str
    input_files: int
    input_digest: str
    parts: int
    format: str


class PartitionFigures(Frozen):
    """How one task of a part fared: its rows, and the seconds that they were read in."""

    partition: int
    rows: int
    seconds: float


class PartFigures(Frozen):
    """How a finished part fared.

    Args:
        part_id: The part.
        rows: Rows of the input.
        refused: How many of them were refused, by the error's code.
        seconds: From its start until all was written.
        partitions: Its tasks that had rows.
    """

    part_id: int
    rows: int
    refused: dict[str, int] = Field(default_factory=dict)
    seconds: float
    partitions: tuple[PartitionFigures, ...] = ()


class Progress:
    """The plan and the finished parts of an output folder.

    Args:
        spark: The session.
        folder: The output folder, as Spark names it.
    """

    def __init__(self, spark: SparkSession, folder: str) -> None:
        self._spark = spark
        self._plan = f"{folder}/plan"
        self._parts = f"{folder}/parts"
        self._report = f"{folder}/_report.json"

    def find_plan(self) -> Plan | None:
        """Gives the plan that the output was begun with, None where there is none."""
        lines = self._read(self._plan)
        return Plan.model_validate_json(lines[0]) if lines else None

    def finished(self) -> dict[int, PartFigures]:
        """Gives the figures of every finished part, by the part."""
        found = [PartFigures.model_validate_json(line) for line in self._read(self._parts)]
        return {part.part_id: part for part in sorted(found, key=lambda part: part.part_id)}

    def forget_parts(self) -> None:
        """Forgets every finished part."""
        empty = self._spark.createDataFrame([], "value string, part_id int")
        empty.write.partitionBy("part_id").mode("overwrite").text(self._parts)

    def begin(self, plan: Plan) -> None:
        """Keeps the plan."""
        self._write(self._plan, plan.model_dump_json())

    def finish(self, part: PartFigures) -> None:
        """Keeps that a part is finished; comes after all that belongs to it."""
        self._write(f"{self._parts}/part_id={part.part_id}", part.model_dump_json())

    def write_report(self, report: str) -> None:
        """Keeps the report of the last run."""
        self._write(self._report, report)

    def _read(self, folder: str) -> list[str]:
        try:
            return [row["value"] for row in self._spark.read.text(folder).collect()]
        except AnalysisException as error:
            if error.getCondition() == "PATH_NOT_FOUND":
                return []
            raise

    def _write(self, folder: str, line: str) -> None:
        lines: DataFrame = self._spark.createDataFrame([(line,)], "value string")
        lines.coalesce(1).write.mode("overwrite").text(folder)
