"""Material of a run: deals to learn from, deals held out and deals only tested on, with the labels they use.

It comes from the corpus, or from a folder of anybody's texts with any single- or multi-label scheme: JSON lines or CSV.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossnlp.errors import InvalidDealError
from lossnlp.taxonomy import NO_CAUSE, Group, LossReason, Taxonomy, get_default_taxonomy, read_taxonomy
from training.config import TrainConfig
from training.corpus import CorpusError, LabelledDeal, corpus_digest, labelled_deal, read_corpus, split_held_out
from training.verdict_file import read_verdicts

TEXT_COLUMNS = ("text", "utterance", "sentence", "query", "snippet", "transcript", "note")
LABEL_COLUMNS = ("labels", "label", "intents", "intent", "category")
_HELD_OUT_NAMES = ("val", "dev", "held_out")
_TEST_NAMES = ("test",)
_SEPARATOR = ";"
_GROUP = "labels"
_PARTS = ("learn", "held_out", "test")


@dataclass(frozen=True)
class Material:
    """What a run learns from and is measured on.

    Args:
        learn: Deals to learn from.
        held_out: Deals for calibration and evaluation.
        test: Deals that a published split keeps for testing alone; often none.
        taxonomy: The labels.
        digest: Hash of the files.
        verdicts: How many of the deals were judged by people at work, rather than written for the corpus.
    """

    learn: list[LabelledDeal]
    held_out: list[LabelledDeal]
    test: list[LabelledDeal]
    taxonomy: Taxonomy
    digest: str
    verdicts: int = 0


def corpus_material(paths: Sequence[Path], config: TrainConfig, verdicts: Path | None = None) -> Material:
    """Gives the corpus, and the verdicts beside it, split; the same for the same files and settings.

    Args:
        paths: Labelled files.
        config: `seed`, `held_out` and `deals` choose; verdicts are all used.
        verdicts: File of exported verdicts; all deals of an account come to one side of the split.

    Raises:
        CorpusError: A line that cannot be read.
    """
    deals = read_corpus(paths)
    judged = read_verdicts(verdicts) if verdicts else []
    random.Random(config.seed).shuffle(deals)
    used = [*deals[: config.deals or None], *judged]
    learn, held_out = split_held_out(used, share=config.held_out, seed=config.seed)
    digest = corpus_digest([*paths, *([verdicts] if verdicts else [])])
    return Material(learn, held_out, [], get_default_taxonomy(), digest, verdicts=len(judged))


def folder_material(folder: Path, taxonomy: Path | None, config: TrainConfig) -> Material:
    """Gives the labelled texts of a folder, split.

    A file whose name begins with `test` is only tested on; one that begins with `val`, `dev` or `held_out` is held out. Without such
    a file a share of the others is held out. A row has a text (column `text` or another of TEXT_COLUMNS) and its labels (`labels` or
    another of LABEL_COLUMNS: a list, one label, or several joined by ";"); rows in the form of the corpus are read too.

    Args:
        folder: JSON-lines and CSV files.
        taxonomy: YAML file of the labels; without it the labels found are the labels.
        config: `seed`, `held_out` and `deals` choose.

    Raises:
        CorpusError: The folder holds no such file, or a row is unreadable or uses a label that the taxonomy does not know.
        TaxonomyError: The taxonomy file is unusable.
    """
    files = sorted((*folder.glob("*.jsonl"), *folder.glob("*.csv")))
    if not files:
        raise CorpusError(f"{folder} holds no .jsonl or .csv file; name a folder with labelled texts.")
    rows = {path: list(_rows(path)) for path in files}
    known = (
        read_taxonomy(taxonomy)
        if taxonomy
        else _labels_found(labelled for found in rows.values() for labelled in found)
    )
    for path, found in rows.items():
        _check(path, found, known)
    parts = {name: [row for path, found in rows.items() if _part(path) == name for row in found] for name in _PARTS}
    learn, held_out = parts["learn"], parts["held_out"]
    random.Random(config.seed).shuffle(learn)
    learn = learn[: config.deals or None]
    if not held_out:
        learn, held_out = split_held_out(learn, share=config.held_out, seed=config.seed)
    return Material(learn, held_out, parts["test"], known, corpus_digest(files))


def _part(path: Path) -> str:
    name = path.stem.lower()
    if name.startswith(_TEST_NAMES):
        return "test"
    return "held_out" if name.startswith(_HELD_OUT_NAMES) else "learn"


def _rows(path: Path) -> Iterator[LabelledDeal]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        is_table = path.suffix == ".csv"
        rows: Iterable[Any] = csv.DictReader(lines) if is_table else filter(str.strip, lines)
        for number, row in enumerate(rows, start=1):
            try:
                yield _labelled(row if is_table else json.loads(row), row_id=f"{path.stem}-{number}")
            except (ValueError, KeyError, TypeError, InvalidDealError) as error:
                raise CorpusError(f"{path.name}, row {number}: {_sentence(error)}") from error


def _labelled(row: dict[str, Any], *, row_id: str) -> LabelledDeal:
    if "documents" in row:
        return labelled_deal(row)
    text = _value(row, TEXT_COLUMNS)
    labels = _as_list(_value(row, LABEL_COLUMNS)) or [NO_CAUSE]
    kind = str(row.get("kind") or "rep_note")
    documents = [{"id": "text", "kind": kind, "text": text}]
    return labelled_deal(
        {
            "id": str(row.get("id") or row_id),
            "documents": documents,
            "labels": {"primary": labels[0], "reasons": labels},
        }
    )


def _value(row: dict[str, Any], columns: Iterable[str]) -> object:
    for column in columns:
        if column in row:
            return row[column]
    raise KeyError(f"has none of the columns {', '.join(columns)}; name one of them so.")


def _sentence(error: Exception) -> str:
    return str(error.args[0]).splitlines()[0] if error.args else type(error).__name__


def _as_list(value: object) -> list[str]:
    found = value if isinstance(value, list) else str(value or "").split(_SEPARATOR)
    return list(dict.fromkeys(label.strip() for label in map(str, found) if label.strip()))


def _labels_found(deals: Iterable[LabelledDeal]) -> Taxonomy:
    codes = sorted({code for labelled in deals for code in labelled.labels.reasons})
    reasons = tuple(LossReason(code=code, group=_GROUP, label=code, definition=code) for code in codes)
    return Taxonomy(version="found", groups=(Group(code=_GROUP, label="Labels"),), reasons=reasons, elements=())


def _check(path: Path, deals: Iterable[LabelledDeal], taxonomy: Taxonomy) -> None:
    known = set(taxonomy.codes)
    for labelled in deals:
        strange = sorted(set(labelled.labels.reasons) - known)
        if strange:
            raise CorpusError(
                f"{path.name}, '{labelled.deal.id}': the taxonomy has no label '{strange[0]}'; add it there or mend the row."
            )
