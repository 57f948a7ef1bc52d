from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from lossnlp.taxonomy import get_default_taxonomy
from serving.cli_verdicts import verdicts
from serving.review.annotation import AnnotationError
from serving.review.argilla import make_record, make_settings, read_export
from serving.review.verdict_lines import VerdictLine
from tests.serving.review.line_world import full_line

TAXONOMY = get_default_taxonomy()
PERSON, OTHER = "8b0b8d7c-7a9f-4d43-a3ba-0b2b6b1f4c11", "8b0b8d7c-7a9f-4d43-a3ba-0b2b6b1f4c12"


@pytest.fixture(scope="module")
def argilla() -> Iterator[ModuleType]:
    """Gives Argilla's SDK; warnings of its own are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("argilla")


def answered(record: dict[str, Any], person: str = PERSON, **changes: Any) -> dict[str, Any]:
    """Gives the record as a person has answered it: the suggestions taken over, but for the changes."""
    values = {name: suggestion["value"] for name, suggestion in record["suggestions"].items()} | changes
    responses = {name: [{"value": value, "user_id": person}] for name, value in values.items()}
    return record | {"responses": responses, "status": "completed"}


def read(*records: dict[str, Any]) -> list[VerdictLine]:
    return list(read_export(json.loads(json.dumps(records)), TAXONOMY))


def test_round_trip_gives_the_same_line() -> None:
    line = full_line()
    (back,) = read(answered(make_record(line)))
    assert back.labels == line.labels
    assert (back.deal, back.documents, back.sources) == (line.deal, line.documents, line.sources)
    assert back.meta["verdict"] == "argilla"


def test_record_is_what_the_sdk_makes(argilla: ModuleType) -> None:
    ours = make_record(full_line())
    suggestions = [argilla.Suggestion(name, **one) for name, one in ours["suggestions"].items()]
    theirs = argilla.Record(ours["id"], ours["fields"], ours["metadata"], suggestions=suggestions)
    assert theirs.to_dict() | {"status": "pending"} == ours


def test_file_of_the_sdk_is_read_back(argilla: ModuleType, tmp_path: Path) -> None:
    from argilla.records._io import JsonIO  # noqa: PLC0415 (what `dataset.records.to_json` calls; a dataset needs a server)

    ours = make_record(full_line())
    answers = [argilla.Response(name, one["value"], PERSON) for name, one in ours["suggestions"].items()]
    record = argilla.Record(ours["id"], ours["fields"], ours["metadata"], responses=answers)
    file = JsonIO.to_json([record], tmp_path / "records.json")
    (back,) = read_export(json.loads(file.read_text()), TAXONOMY)
    assert back.labels == full_line().labels


class _Me(BaseHTTPRequestHandler):
    """Answers as much of Argilla's API as its client asks before it lets settings be made: who is there."""

    def do_GET(self) -> None:
        body = json.dumps(
            {
                "id": PERSON,
                "username": "ana",
                "first_name": "Ana",
                "role": "owner",
                "inserted_at": "2026-01-01T00:00:00",
            }
            | {"updated_at": "2026-01-01T00:00:00"}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def connected(argilla: ModuleType) -> Iterator[ModuleType]:
    """Gives the SDK with a client: without one it makes no settings."""
    server = HTTPServer(("127.0.0.1", 0), _Me)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client = argilla.Argilla(f"http://127.0.0.1:{server.server_port}", "a-key")
    yield argilla
    client.http_client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_settings_are_read_by_the_sdk(connected: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(make_settings(TAXONOMY)))
    settings = connected.Settings.from_json(tmp_path / "settings.json")
    settings.validate()
    labels = {question.name: set(question.labels) for question in settings.questions}
    for name, suggestion in make_record(full_line())["suggestions"].items():
        value = suggestion["value"]
        used = {value} if isinstance(value, str) else {one if isinstance(one, str) else one["label"] for one in value}
        assert used <= labels[name]
    assert settings.questions["spans"].allow_overlapping


def test_unanswered_records_are_left_out() -> None:
    assert read(make_record(full_line())) == []


def test_who_answered_last_counts() -> None:
    record = answered(make_record(full_line()))
    later = answered(record, OTHER, winback="closed")["responses"]
    both = {name: [*given, *later[name]] for name, given in record["responses"].items()}
    assert read(record | {"responses": both})[0].labels.winback == "closed"


def test_an_unknown_reason_is_named() -> None:
    with pytest.raises(AnnotationError, match="'d-1', field 'reasons': 'weather' is none of the taxonomy's"):
        read(answered(make_record(full_line()), primary="weather"))


@pytest.mark.parametrize("records", [{}, ["x"], [{"id": "d"}]])
def test_a_file_of_another_shape_is_refused(records: object) -> None:
    with pytest.raises(AnnotationError, match="Record 1: has no 'responses'"):
        list(read_export(records, TAXONOMY))


def test_a_record_of_somebody_else_is_refused() -> None:
    with pytest.raises(AnnotationError, match="Record 1: 'line' is missing"):
        read(answered(make_record(full_line())) | {"metadata": {}})


def test_command_writes_lines_to_standard_output(tmp_path: Path) -> None:
    (tmp_path / "records.json").write_text(json.dumps([answered(make_record(full_line()))]))
    done = CliRunner().invoke(verdicts, ["import", str(tmp_path / "records.json"), "--format", "argilla"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["labels"]["primary"] == "product_gap"
