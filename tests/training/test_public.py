from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.config import TrainConfig
from training.corpus import CorpusError
from training.material import folder_material
from training.public import convert


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_clinc150_keeps_out_of_scope_texts(tmp_path: Path) -> None:
    data = {"train": [["hi", "greeting"]], "oos_train": [["a show", "oos"]], "test": [["hey", "greeting"]]}
    (tmp_path / "data_full.json").write_text(json.dumps(data))
    assert convert("clinc150", tmp_path / "data_full.json", tmp_path / "out") == {"train": 2, "test": 1}
    assert rows(tmp_path / "out" / "train.jsonl")[1] == {"text": "a show", "labels": ["oos"]}


def test_banking77_has_a_test_part(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text('text,category\n"card, please",card_arrival\n')
    assert convert("banking77", tmp_path, tmp_path / "out") == {"train": 1, "test": 1}
    material = folder_material(tmp_path / "out", None, TrainConfig())
    assert material.test[0].labels.primary == "card_arrival"


def test_nlupp_folds_become_parts(tmp_path: Path) -> None:
    for number in range(5):
        fold = [{"text": f"why {number}", "intents": ["why", "spa"]}, {"text": "tomorrow"}]
        (tmp_path / f"fold{number}.json").write_text(json.dumps(fold))
    assert convert("nlupp", tmp_path, tmp_path / "out") == {"train": 2, "val": 4, "test": 4}
    assert rows(tmp_path / "out" / "train.jsonl")[1]["labels"] == []


def test_resper_keeps_what_the_persuaded_say(tmp_path: Path) -> None:
    lines = [
        "B2,B4,Turn,Unit,er_label_1,ee_label_1,Our Label",
        "d1,0,0,Please give,x,,",
        "d1,1,0,Maybe later,,,delay-tactic",
    ]
    lines += ["d2,1,0,Hello,,,"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert convert("resper", tmp_path / "a.csv", tmp_path / "out") == {"train": 1, "test": 1}
    assert rows(tmp_path / "out" / "test.jsonl") == [{"text": "Maybe later", "labels": ["delay-tactic"]}]


def test_call_playbook_reads_one_column_a_task(tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text("text,pricing,next_steps,split\nwhat does it cost,1,0,test\nbye,0,0,train\n")
    assert convert("call-playbook", tmp_path / "calls.csv", tmp_path / "out") == {"test": 1, "train": 1}
    assert rows(tmp_path / "out" / "test.jsonl")[0]["labels"] == ["pricing"]


def test_other_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "data_full.json").write_text("[1]")
    with pytest.raises(CorpusError, match="is not clinc150 as its makers publish it"):
        convert("clinc150", tmp_path / "data_full.json", tmp_path / "out")
