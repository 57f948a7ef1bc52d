from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from lossnlp.cli import app

GOOD = '{"id": "d-1", "text": "Lost to Gong on price, 30% lower.", "closed_at": "2026-11-20"}\n'


def run(*arguments: str, text: str | None = None):
    return CliRunner().invoke(app, list(arguments), input=text)


def test_classify_answers_line_for_line(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(GOOD + "oops\n" + GOOD)
    result = run("classify", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"))
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row.get("deal_id") for row in rows] == ["d-1", None, "d-1"]
    assert "2 deals assessed, 1 bad lines" in result.stderr


def test_classify_reads_and_writes_pipes() -> None:
    result = run("classify", "-", text=GOOD)
    assert json.loads(result.stdout)["reasons"][0]["code"] == "price"


def test_explain_shows_reason_and_question() -> None:
    result = run("explain", "-", text="lost on price")
    assert result.exit_code == 0
    assert "Price" in result.stdout
    assert "?" in result.stdout


def test_taxonomy_lists_every_code() -> None:
    output = run("taxonomy").stdout
    assert all(code in output for code in ("price", "unresponsive", "administrative", "economic_buyer"))


def test_missing_file_is_one_clear_message() -> None:
    result = run("classify", "nowhere.jsonl")
    assert "nowhere.jsonl: No such file" in str(result.exception)


def test_refused_model_leaves_the_output(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(GOOD)
    (tmp_path / "out.jsonl").write_text("kept")
    result = run("classify", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"), "--model", str(tmp_path))
    assert result.exit_code == 1
    assert (tmp_path / "out.jsonl").read_text() == "kept"


def test_input_as_output_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(GOOD)
    result = run("classify", str(source), "-o", str(source))
    assert "name another file" in str(result.exception)
    assert source.read_text() == GOOD


def test_answers_replace_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(GOOD)
    (tmp_path / "out.jsonl").write_text("old\n" * 9)
    run("classify", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"))
    assert json.loads((tmp_path / "out.jsonl").read_text())["deal_id"] == "d-1"
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "out.jsonl"}
