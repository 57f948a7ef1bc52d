from __future__ import annotations

import json
from pathlib import Path

import datasets
import pandas as pd
import pytest

from lossnlp.taxonomy import get_default_taxonomy
from training.corpus import CorpusError
from training.inputs import Row, Unreadable, read_rows
from training.own_deals import Columns, read_columns, read_own_deals

ROWS = [
    {"id": "a", "text": "30% too dear", "label": "price", "account": "Nord"},
    {"id": "b", "text": "no answer since May", "label": "unresponsive", "account": "Süd"},
]


def write(folder: Path, kind: str) -> Path:
    path = folder / f"notes.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif kind == "csv":
        pd.DataFrame(ROWS).to_csv(path, index=False, sep=";")
    elif kind == "parquet":
        pd.DataFrame(ROWS).to_parquet(path)
    else:
        names = datasets.ClassLabel(names=["price", "unresponsive"])
        datasets.Dataset.from_list(ROWS).cast_column("label", names).save_to_disk(path)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "dataset"])
def test_every_form_gives_the_same_deals(tmp_path: Path, kind: str) -> None:
    found = read_own_deals(write(tmp_path, kind), Columns(), get_default_taxonomy())
    assert [(one.deal.id, one.labels.primary, one.deal.account) for one in found.deals] == [
        ("a", "price", "Nord"),
        ("b", "unresponsive", "Süd"),
    ]
    assert all(one.is_partial for one in found.deals)


def test_splits_of_a_dataset_become_parts(tmp_path: Path) -> None:
    split = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"train": split, "validation": split, "test": split}).save_to_disk(tmp_path / "saved")
    parts = [row.part for row in read_rows(tmp_path / "saved") if isinstance(row, Row)]
    assert parts == ["learn", "learn", "held_out", "held_out", "test", "test"]


def test_own_columns_are_mapped(tmp_path: Path) -> None:
    pd.DataFrame([{"Note": "too dear", "Why": "Price", "Customer": "Nord", "Lost": "2026-05-01"}]).to_csv(
        tmp_path / "a.csv"
    )
    columns = read_columns(["text=Note", "labels=Why", "account=Customer", "closed_at=Lost"])
    (one,) = read_own_deals(tmp_path / "a.csv", columns, get_default_taxonomy()).deals
    assert (one.labels.primary, one.meta["account"], one.meta["day"]) == ("price", "Nord", "2026-05-01")


@pytest.mark.parametrize("pair", ["text", "words=Note", "text="])
def test_a_mapping_that_says_nothing_is_refused(pair: str) -> None:
    with pytest.raises(CorpusError, match="write field=column"):
        read_columns([pair])


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"text": ', "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"text": "", "label": "price"}', "field 'text': is empty"),
        ('{"text": "x", "label": "weather"}', "field 'labels': the taxonomy has no label 'weather'"),
        ('{"text": "x", "label": "price", "closed_at": "May"}', "field 'deal.closed_at': should be a date"),
        ('{"text": "x", "label": "price", "kind": "song"}', "field 'documents.0.kind'"),
        ('{"words": "x", "label": "price"}', "has none of the columns text"),
    ],
)
def test_each_unreadable_row_is_named(tmp_path: Path, line: str, fault: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "fine", "label": "price"}}\n{line}\n')
    found = read_own_deals(tmp_path / "a.jsonl", Columns(), get_default_taxonomy())
    assert [(one.place, one.fault[: len(fault)]) for one in found.unreadable] == [("a.jsonl, line 2", fault)]
    assert len(found.deals) == 1


def test_a_csv_row_with_too_many_fields_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nfine,price\nfar, too dear,price\n")
    assert [row for row in read_rows(tmp_path) if isinstance(row, Unreadable)] == [
        Unreadable("a.csv, row 2", "has more fields than the heading")
    ]


def test_a_text_without_label_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nfine,price\nsilent,\n")
    found = read_own_deals(tmp_path, Columns(), get_default_taxonomy())
    assert (len(found.deals), found.unlabelled) == (1, ("a.csv, row 2",))


def test_a_second_row_of_a_deal_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text,label\n1,x,price\n1,y,price\n")
    (fault,) = read_own_deals(tmp_path, Columns(), get_default_taxonomy()).unreadable
    assert fault == Unreadable("a.csv, row 2", "field 'id': stands in a.csv, row 1 too; keep one row a deal")


@pytest.mark.parametrize("name", ["a.parquet", "a.txt", "none.csv"])
def test_a_source_that_is_no_such_file_is_named(tmp_path: Path, name: str) -> None:
    if not name.startswith("none"):
        (tmp_path / name).write_text("text,label\n")
    with pytest.raises(CorpusError, match=name.split(".", maxsplit=1)[0]):
        list(read_rows(tmp_path / name))


def test_other_encodings_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text,label\nzu teuer für uns,price\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"a\.csv is not UTF-8"):
        list(read_rows(tmp_path))
