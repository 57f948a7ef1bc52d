"""lossnlp on Apache Spark: a lake's table of lost deals in, a table of assessments out, part by part."""

from lossnlp_spark.job import Job, RunError, assess_table
from lossnlp_spark.report import Report

__all__ = ["Job", "Report", "RunError", "assess_table"]
