"""The tables of a job: deals read from Parquet or Delta, assessments and errors written part by part."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from lossnlp_spark.columns import ASSESSMENTS, ERRORS, ddl

_TABLES: dict[str, pa.Schema] = {"assessments": ASSESSMENTS, "errors": ERRORS}


def read_deals(spark: SparkSession, source: str, *, table_format: str, version: int | None) -> DataFrame:
    """Gives the rows of the input.

    Args:
        spark: The session.
        source: Folder, as Spark names it.
        table_format: `parquet` or `delta`.
        version: Version of a Delta table, None for what is there.
    """
    reader = spark.read.format(table_format)
    return (reader if version is None else reader.option("versionAsOf", version)).load(source)


def fingerprint(deals: DataFrame) -> tuple[int, str]:
    """Gives the number of files that hold rows, and a hash of their names, sizes and times of change; no column is read."""
    file = f.col("_metadata")
    told = file["file_path"], file["file_size"], f.unix_micros(file["file_modification_time"])
    found = sorted("\t".join(map(str, row)) for row in deals.select(*told).distinct().collect())
    return len(found), hashlib.sha256("\n".join(found).encode()).hexdigest()


@dataclass(frozen=True)
class Answers:
    """The two tables that a job writes, `assessments` and `errors`, each partitioned by `part_id`.

    Args:
        spark: The session.
        folder: The output folder, as Spark names it.
        format: `parquet` or `delta`.
    """

    spark: SparkSession
    folder: str
    format: str

    def clear(self, *, anew: bool) -> None:
        """Makes both tables, empty.

        Args:
            anew: Whether tables that stand there are emptied.

        Raises:
            AnalysisException: A table stands there.
        """
        for name, columns in _TABLES.items():
            empty = self.spark.createDataFrame([], f"{ddl(columns)}, part_id int")
            writer = empty.write.format(self.format).partitionBy("part_id").option("overwriteSchema", value=True)
            writer.mode("overwrite" if anew else "errorifexists").save(f"{self.folder}/{name}")

    def write(self, outcomes: DataFrame, part_id: int) -> None:
        """Writes the outcomes of a part in the place of whatever stands there of it."""
        refused = f.col("error_code").isNotNull()
        self._write("assessments", outcomes.where(~refused), part_id)
        self._write("errors", outcomes.where(refused).coalesce(1), part_id)

    def _write(self, name: str, outcomes: DataFrame, part_id: int) -> None:
        rows = outcomes.select(*_TABLES[name].names)
        if self.format == "delta":
            kept = rows.withColumn("part_id", f.lit(part_id)).write.format("delta").mode("overwrite")
            kept.option("replaceWhere", f"part_id = {part_id}").save(f"{self.folder}/{name}")
        else:
            # A folder by its own name: overwriting partitions dynamically is refused by the committers made for S3
            rows.write.format(self.format).mode("overwrite").save(f"{self.folder}/{name}/part_id={part_id}")
