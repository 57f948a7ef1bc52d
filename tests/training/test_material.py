from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.config import TrainConfig
from training.corpus import CorpusError
from training.material import folder_material

CONFIG = TrainConfig(held_out=0.4)
TAXONOMY = """
version: "mine"
groups: [{code: all, label: All}]
reasons:
  - {code: cost, group: all, label: Cost, definition: It cost too much.}
  - {code: unknown, group: all, label: Unknown, definition: No label.}
"""


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_csv_and_json_lines_are_read_alike(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "utterance,intent\nwhere is my card,card\nhello,greet\n")
    write(tmp_path, "val.jsonl", json.dumps({"text": "hi there", "labels": ["greet", "card"]}) + "\n")
    write(tmp_path, "test.csv", "text,label\nmy card,card\n")
    material = folder_material(tmp_path, None, CONFIG)
    assert [one.labels.primary for one in material.held_out] == ["greet"]
    assert material.held_out[0].labels.reasons == ("greet", "card")
    assert (len(material.learn), len(material.test)) == (2, 1)
    assert material.taxonomy.codes == ("card", "greet")


def test_without_a_held_out_file_a_share_is_kept(tmp_path: Path) -> None:
    rows = "".join(f"text number {i},{'ab'[i % 2]}\n" for i in range(60))
    write(tmp_path, "all.csv", "text,label\n" + rows)
    material = folder_material(tmp_path, None, CONFIG)
    assert len(material.learn) + len(material.held_out) == 60
    assert 10 < len(material.held_out) < 40


def test_text_without_label_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", json.dumps({"text": "well", "labels": []}) + "\n")
    assert folder_material(tmp_path, None, CONFIG).taxonomy.codes == ("unknown",)


def test_label_outside_the_taxonomy_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "text,label\ntoo much money,cost\nno time,time\n")
    write(tmp_path, "labels.yaml", TAXONOMY)
    with pytest.raises(CorpusError, match=r"a\.csv, row 2, field .labels.: the taxonomy has no label 'time'"):
        folder_material(tmp_path, tmp_path / "labels.yaml", CONFIG)


def test_missing_column_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "words,label\nhello,greet\n")
    with pytest.raises(CorpusError, match=r"a\.csv, row 1: has none of the columns text, utterance"):
        folder_material(tmp_path, None, CONFIG)


def test_broken_line_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", '{"text": "fine", "label": "x"}\n{"text": \n')
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 2"):
        folder_material(tmp_path, None, CONFIG)


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no"):
        folder_material(tmp_path, None, CONFIG)
