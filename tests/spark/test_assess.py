from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from pyspark.sql import Row, SparkSession
from typer.testing import CliRunner

from lossnlp.bundle import find_default_bundle, write_manifest
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.errors import InvalidDealError
from lossnlp_spark.cli import app
from lossnlp_spark.job import Job, RunError, assess_table
from lossnlp_spark.progress import PartFigures
from lossnlp_spark.report import Report
from lossnlp_spark.rows import requests_of
from training.registry import model_parts

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # Spark and MLflow warn of themselves and of pandas
]
NOTES = (
    "Lost to Gong on price, 30% lower. Come back in Q2.",
    "Their security team never signed off; the audit took all of August.",
    "Went dark after the demo. No champion, we only ever spoke with the intern.",
    "Project was cancelled, the budget is gone until next year.",
    "They stay with Excel. Good enough, they said.",
)
UNREADABLE = "Wombat & Sons"
GOOD = [{"id": f"d-{index}", "text": note, "closed_at": "2026-11-20"} for index, note in enumerate(NOTES)] + [
    {
        "deal": {"id": "d-call", "closed_at": "2026-11-20", "stated_reason": "Price"},
        "documents": [
            {"id": "note", "kind": "rep_note", "text": "Lost on price."},
            {
                "id": "call",
                "kind": "call_transcript",
                "turns": [{"speaker": "Dana", "role": "buyer", "text": NOTES[1]}],
            },
        ],
    }
]
BAD = [
    None,
    "",
    '{"id": "d-cut", "text": "' + UNREADABLE,
    '{"id": "d-none"}',
    json.dumps({"id": "d-blank", "text": " "}),
]
N_BAD = len(BAD) + 1
PARTS = 3


class StoppedError(Exception):
    """Ends a run after its first part, as a lost driver does."""


@pytest.fixture(scope="module")
def job(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("lake")
    rows = [(json.dumps(request),) for request in GOOD] + [(text,) for text in BAD]
    broken = spark.sql("SELECT CAST(unhex('7BC3') AS STRING) AS deal")  # not UTF-8
    spark.createDataFrame(rows, "deal string").union(broken).coalesce(1).write.parquet(str(folder / "deals"))
    return Job(source=str(folder / "deals"), target=str(folder / "out"), parts=PARTS, partitions=2)


@pytest.fixture(scope="module")
def resumed(spark: SparkSession, job: Job) -> Report:
    """Gives the report of a run that goes on where one ended: after its first part, with half of its last one written."""

    def stop(_: PartFigures) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        assess_table(spark, job, told=stop)
    answers = Path(job.target) / "assessments"
    shutil.copytree(answers / "part_id=0", answers / f"part_id={PARTS - 1}")
    return assess_table(spark, job)


def rows_of(spark: SparkSession, job: Job, table: str) -> list[Row]:
    return spark.read.parquet(f"{job.target}/{table}").collect()


def in_process(classifier: LossClassifier, request: dict[str, Any]) -> dict[str, Any]:
    return classifier.assess(Deal.from_request(request)).model_dump(mode="json")


@pytest.mark.usefixtures("resumed")
def test_table_answers_as_one_process_does(spark: SparkSession, job: Job, classifier: LossClassifier) -> None:
    found = {row["deal_id"]: row for row in rows_of(spark, job, "assessments")}
    for request in GOOD:
        expected = in_process(classifier, request)
        row = found.pop(expected["deal_id"])
        assert json.loads(row["assessment"]) == expected
        assert row["primary_reason"] == expected["reasons"][0]["code"]
        assert row["needs_review"] == expected["review"]["required"]
        assert row["gap_champion"] == expected["meddpicc"]["champion"]["state"]
    assert found == {}


def test_run_goes_on_after_finished_parts(spark: SparkSession, job: Job, resumed: Report) -> None:
    assert resumed.resumed_parts == (0,)
    assert 0 < resumed.run_rows < resumed.rows == len(GOOD) + N_BAD
    assert len(rows_of(spark, job, "assessments")) == resumed.assessed == len(GOOD)


def test_bad_rows_stand_apart_without_text(spark: SparkSession, job: Job, resumed: Report) -> None:
    errors = rows_of(spark, job, "errors")
    assert resumed.errors == {"invalid_deal": N_BAD}
    assert {row["deal_id"] for row in errors} == {None, "d-none", "d-blank"}
    assert {row["error_field"] for row in errors if row["deal_id"]} == {"text"}
    assert all(len(row["row_hash"]) == 16 and row["error_message"] for row in errors)
    assert UNREADABLE not in str(errors)


def test_second_run_finds_nothing_to_do(spark: SparkSession, job: Job, resumed: Report) -> None:
    tables = [Path(job.target) / name for name in ("plan", "parts", "assessments", "errors")]
    before = {path: path.stat().st_mtime_ns for table in tables for path in table.rglob("*")}
    report = assess_table(spark, job)
    assert {path: path.stat().st_mtime_ns for table in tables for path in table.rglob("*")} == before
    assert (report.run_rows, report.rows_per_s, report.resumed_parts) == (0, None, tuple(range(PARTS)))
    assert report.assessed == resumed.assessed


def test_other_model_is_refused_by_name(spark: SparkSession, job: Job, resumed: Report, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(find_default_bundle(), tmp_path / "bundle"))
    with (bundle / "taxonomy.yaml").open("a") as file:
        file.write("# changed\n")
    other = write_manifest(bundle, encoder="small", max_tokens=256, corpus="none", made_at="2026-11-22T00:00:00+00:00")
    changed = Job(source=job.source, target=job.target, bundle=bundle, parts=PARTS)
    with pytest.raises(RunError, match=f"model_version {resumed.model_version} .now {other.version}"):
        assess_table(spark, changed)


@pytest.mark.usefixtures("resumed")
def test_other_input_is_refused_until_restarted(
    spark: SparkSession, job: Job, classifier: LossClassifier, tmp_path: Path
) -> None:
    document = "struct<id:string, kind:string, text:string>"
    rows = [(7, "2026-11-20", [("note", "rep_note", NOTES[0])]), (8, None, None)]
    table = spark.createDataFrame(rows, f"id bigint, closed_at string, documents array<{document}>")
    table.coalesce(1).write.parquet(str(tmp_path / "deals"))
    command = [
        "assess",
        "--input",
        str(tmp_path / "deals"),
        "--output",
        job.target,
        "--parts",
        "1",
        "--partitions",
        "1",
    ]
    with pytest.raises(RunError, match="input_digest"):
        CliRunner().invoke(app, command, catch_exceptions=False)
    told = CliRunner().invoke(app, [*command, "--restart"], catch_exceptions=False)
    assert json.loads(told.stdout)["errors"] == {"invalid_deal": 1}
    [row] = rows_of(spark, job, "assessments")
    expected = in_process(classifier, {"id": "7", "text": NOTES[0], "closed_at": "2026-11-20"})
    assert json.loads(row["assessment"]) == expected


def test_columns_make_the_request_they_name(spark: SparkSession) -> None:
    documents = [{"id": "note", "kind": "rep_note", "text": NOTES[0]}]
    table = spark.createDataFrame(
        [(7, json.dumps(documents), None, "Price")], "id int, documents string, text string, stated_reason string"
    )
    [row] = requests_of(table, 4).collect()
    assert json.loads(row["request"]) == {"deal": {"id": "7", "stated_reason": "Price"}, "documents": documents}
    with pytest.raises(InvalidDealError, match="neither a column 'deal'"):
        requests_of(table.select("id", "stated_reason"), 4)


def test_registered_model_answers_as_spark_udf(spark: SparkSession, classifier: LossClassifier, tmp_path: Path) -> None:
    mlflow.pyfunc.save_model(str(tmp_path / "model"), **model_parts(find_default_bundle()))
    assess = mlflow.pyfunc.spark_udf(spark, str(tmp_path / "model"), env_manager="local", model_config={"threads": 1})
    table = spark.createDataFrame(
        [("d-0", NOTES[0], "2026-11-20"), ("d-1", " ", None)], "id string, text string, closed_at string"
    )
    answers = {
        row["deal_id"]: row
        for row in table.select(assess("id", "text", "closed_at").alias("a")).select("a.*").collect()
    }
    assert json.loads(answers["d-0"]["assessment"]) == in_process(classifier, GOOD[0])
    assert (answers["d-1"]["primary"], json.loads(answers["d-1"]["assessment"])["error"]["field"]) == (None, "text")
