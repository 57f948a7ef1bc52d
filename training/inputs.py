"""Inputs: rows of labelled texts out of JSON lines, CSV, Parquet or a saved Hugging Face dataset, each with the place it stands in.

A file that cannot be opened ends the reading; a row that cannot be read is given as what is wrong with it, so that all are seen at once.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import datasets
import pyarrow as pa
from pyarrow import parquet

from lossnlp.deal import MAX_DOCUMENT_CHARS
from training.corpus import CorpusError, corpus_digest

Part = Literal["learn", "held_out", "test"]
Numbered = Iterator[tuple[int, "dict[str, Any] | str"]]

_PART_NAMES: dict[Part, tuple[str, ...]] = {"test": ("test",), "held_out": ("val", "dev", "held_out")}
_DATASET_MARKS = ("dataset_dict.json", "dataset_info.json")
_DELIMITERS = ",;\t|"
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Row:
    """One labelled text as it stands in its source.

    Args:
        place: File and line or row, for messages.
        part: What it is for: to learn from, held out or only tested on, by the name of its file or split.
        fields: Its values by column.
    """

    place: str
    part: Part
    fields: dict[str, Any]


@dataclass(frozen=True)
class Unreadable:
    """A row that cannot be read: its place, and what is wrong with it."""

    place: str
    fault: str


def read_rows(source: Path) -> Iterator[Row | Unreadable]:
    """Gives the rows of a file, of a folder of files or of a saved dataset, in a fixed order.

    Args:
        source: A `.jsonl`, `.csv` or `.parquet` file, a folder of such files, or a folder of `datasets`' `save_to_disk`.

    Raises:
        CorpusError: There is nothing of the kind, or a file is not what its name says.
    """
    if any((source / mark).is_file() for mark in _DATASET_MARKS):
        yield from _dataset_rows(source)
        return
    for path in source_files(source):
        word = "line" if path.suffix == ".jsonl" else "row"
        try:
            for number, found in _READERS[path.suffix](path):
                place = f"{path.name}, {word} {number}"
                if isinstance(found, str):
                    yield Unreadable(place, found)
                else:
                    yield Row(place, _part(path.stem), found)
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path.name} is not UTF-8 text; save it as UTF-8.") from error
        except (OSError, csv.Error, pa.ArrowException) as error:
            raise CorpusError(f"{path.name} cannot be read as {path.suffix.removeprefix('.')}: {error}") from error


def source_files(source: Path) -> list[Path]:
    """Gives the files that a source is read from, in name order.

    Raises:
        CorpusError: It is missing, or holds nothing that can be read.
    """
    kinds = ", ".join(_READERS)
    if source.is_file():
        if source.suffix not in _READERS:
            raise CorpusError(f"{source.name} ends in none of {kinds}; give a file of one of these kinds.")
        return [source]
    if any((source / mark).is_file() for mark in _DATASET_MARKS):
        return sorted(path for path in source.rglob("*") if path.is_file())
    files = sorted(path for path in source.glob("*") if path.suffix in _READERS) if source.is_dir() else []
    if not files:
        raise CorpusError(
            f"{source} holds no file that ends in {kinds}, and is no saved dataset; name a folder that is."
        )
    return files


def source_digest(source: Path) -> str:
    """Gives a hash of the bytes of a source's files."""
    return corpus_digest(source_files(source))


def _json_lines(path: Path) -> Numbered:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, _decoded(line)


def _decoded(line: str) -> dict[str, Any] | str:
    try:
        found = json.loads(line)
    except ValueError as error:
        return f"is not JSON ({error})"
    return found if isinstance(found, dict) else "is not a JSON object"


def _csv(path: Path) -> Numbered:
    csv.field_size_limit(MAX_DOCUMENT_CHARS * 4)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        heading = lines.readline()
        lines.seek(0)
        delimiter = max(_DELIMITERS, key=heading.count)
        for number, row in enumerate(csv.DictReader(lines, delimiter=delimiter, strict=True), start=1):
            too_many = None in row
            yield number, "has more fields than the heading" if too_many else row


def _parquet(path: Path) -> Numbered:
    with parquet.ParquetFile(path) as file:
        rows = (row for batch in file.iter_batches(_ROWS_AT_ONCE) for row in batch.to_pylist())
        yield from enumerate(rows, start=1)


_READERS: dict[str, Callable[[Path], Numbered]] = {".jsonl": _json_lines, ".csv": _csv, ".parquet": _parquet}


def _dataset_rows(folder: Path) -> Iterator[Row]:
    try:
        found = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise CorpusError(f"{folder} cannot be read as a saved dataset: {error}") from error
    splits = found if isinstance(found, datasets.DatasetDict) else {folder.name: found}
    for name, split in splits.items():
        names = {column: _names_of(feature) for column, feature in split.features.items()}
        for number, row in enumerate(split, start=1):
            fields = {column: names[column](value) for column, value in row.items()}
            yield Row(f"{folder.name}/{name}, row {number}", _part(name), fields)


def _names_of(feature: object) -> Callable[[Any], Any]:
    """Gives what turns a class number of a column, or a list of them, into names; other values stay as they are."""
    of_many = getattr(feature, "feature", None)
    if isinstance(feature, datasets.ClassLabel):
        return lambda value: feature.int2str(value) if value is not None else None
    if isinstance(of_many, datasets.ClassLabel):
        return lambda values: [of_many.int2str(value) for value in values or ()]
    return lambda value: value


def _part(name: str) -> Part:
    found: Iterable[Part] = (part for part, names in _PART_NAMES.items() if name.lower().startswith(names))
    return next(iter(found), "learn")
