from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from lossnlp.taxonomy import get_default_taxonomy
from serving.cli_verdicts import verdicts
from serving.review.annotation import AnnotationError
from serving.review.label_studio import make_interface, make_task, read_export
from serving.review.verdict_lines import FORMAT, VerdictLine
from tests.serving.review.line_world import full_line
from training.verdict_file import read_verdicts

TAXONOMY = get_default_taxonomy()


def labelled(task: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Gives the task as Label Studio exports it once a person has taken over the pre-annotation.

    Source: https://labelstud.io/guide/task_format
    """
    result = [one | {"origin": "manual"} for one in task["predictions"][0]["result"]]
    annotation = {
        "id": 1001,
        "completed_by": 10,
        "result": result,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-03-09T22:16:08.728353Z",
        "updated_at": "2026-03-09T22:16:08.728378Z",
        "lead_time": 4.288,
        "task": 1,
    }
    return {"id": 1, "project": 83, "data": task["data"], "annotations": [annotation | changes], "predictions": []}


def chosen(task: dict[str, Any], name: str) -> list[str]:
    (found,) = [one["value"]["choices"] for one in task["predictions"][0]["result"] if one["from_name"] == name]
    return list(found)


def read(*tasks: dict[str, Any]) -> list[VerdictLine]:
    return list(read_export(json.loads(json.dumps(tasks)), TAXONOMY))


def test_round_trip_gives_the_same_line() -> None:
    line = full_line()
    (back,) = read(labelled(make_task(line)))
    assert back.labels == line.labels
    assert (back.deal, back.documents, back.sources) == (line.deal, line.documents, line.sources)
    assert back.meta == {**line.meta, "verdict": "label_studio"}


def test_an_open_line_comes_back_judged() -> None:
    task = make_task(full_line(is_open=True))
    assert task["predictions"][0]["model_version"] == "m-1"
    assert read(labelled(task))[0].format == FORMAT


def test_task_has_the_documented_shape() -> None:
    task = make_task(full_line())
    (prediction,) = task["predictions"]
    assert set(task) == {"data", "predictions"}
    assert {one["type"] for one in prediction["result"]} == {"choices", "labels"}
    for one in prediction["result"]:
        assert {"id", "from_name", "to_name", "type", "value"} == set(one)
        if one["type"] == "labels":
            value = one["value"]
            assert task["data"]["text"][value["start"] : value["end"]] == value["text"]


def test_what_people_change_is_read() -> None:
    task = make_task(full_line())
    for one in task["predictions"][0]["result"]:
        if one["from_name"] == "primary":
            one["value"]["choices"] = ["price"]
    (back,) = read(labelled(task))
    assert (back.labels.primary, back.labels.reasons) == ("price", ("price", "product_gap"))


def test_unlabelled_and_skipped_tasks_are_left_out() -> None:
    task = make_task(full_line())
    assert read(labelled(task, was_cancelled=True), labelled(task) | {"annotations": []}) == []


def test_the_newest_annotation_counts() -> None:
    task = labelled(make_task(full_line()))
    newer = json.loads(json.dumps(task["annotations"][0])) | {"updated_at": "2026-04-01T00:00:00Z"}
    next(one for one in newer["result"] if one["from_name"] == "winback")["value"]["choices"] = ["closed"]
    task["annotations"].insert(0, newer)
    assert read(task)[0].labels.winback == "closed"


def test_words_tell_where_offsets_count_otherwise() -> None:
    task = make_task(full_line())
    for one in task["predictions"][0]["result"]:
        if one["type"] == "labels":
            one["value"] |= {"start": one["value"]["start"] + 1, "end": one["value"]["end"] + 1}
    assert read(labelled(task))[0].labels == full_line().labels


def test_a_span_across_documents_is_refused() -> None:
    task = make_task(full_line())
    spans = [one for one in task["predictions"][0]["result"] if one["type"] == "labels"]
    spans[0]["value"] = {"start": 0, "end": len(task["data"]["text"]), "labels": ["price"]}
    with pytest.raises(AnnotationError, match="'d-1', label 'price': characters 0 to"):
        read(labelled(task))


@pytest.mark.parametrize(
    ("name", "choices", "message"),
    [
        ("primary", [], "field 'primary': nothing was chosen"),
        ("primary", ["weather"], "'weather' is none of the taxonomy's"),
        ("reasons", ["unknown"], "'unknown' stands alone"),
        ("winback", ["perhaps"], "field 'labels.winback'"),
        ("meddpicc_champion", ["maybe"], "field 'labels.meddpicc.champion'"),
    ],
)
def test_each_wrong_choice_is_named(name: str, choices: list[str], message: str) -> None:
    task = make_task(full_line())
    for one in task["predictions"][0]["result"]:
        if one["from_name"] == name:
            one["value"]["choices"] = choices
    with pytest.raises(AnnotationError, match=message):
        read(labelled(task))


@pytest.mark.parametrize("tasks", [{}, ["x"], [{"data": {"text": "x"}}]])
def test_a_file_of_another_shape_is_refused(tasks: object) -> None:
    with pytest.raises(AnnotationError, match="Task 1: has no 'data' and 'annotations'"):
        list(read_export(tasks, TAXONOMY))


def test_interface_names_every_choice_and_label() -> None:
    view = ET.fromstring(make_interface(TAXONOMY))  # noqa: S314 (our own)
    task = make_task(full_line())
    controls = {one.get("name"): {child.get("value") for child in one} for one in view.iter() if one.get("toName")}
    for one in task["predictions"][0]["result"]:
        used = one["value"].get("choices") or one["value"]["labels"]
        assert set(used) <= controls[one["from_name"]]


def test_label_studio_itself_takes_task_and_annotation() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sdk = pytest.importorskip("label_studio_sdk.label_interface")
        interface = sdk.LabelInterface(make_interface(TAXONOMY))
        task = make_task(full_line())
        interface.validate()
        assert interface.validate_task({"data": task["data"]})
        assert interface.validate_prediction(task["predictions"][0])
        assert interface.validate_annotation(labelled(task)["annotations"][0])


def test_command_gives_lines_that_training_reads(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps([labelled(make_task(full_line()))]))
    out = tmp_path / "back.jsonl"
    asked = ["import", str(tmp_path / "export.json"), "--format", "label-studio", "--output", str(out)]
    done = CliRunner().invoke(verdicts, asked)
    assert (done.exit_code, done.stderr) == (0, "1 labelled deals.\n")
    (read_back,) = read_verdicts(out)
    assert read_back.labels.evidence["price"] == ("30% lower", "on price")
    assert (read_back.note, read_back.buyer) == (None, None)
