"""Public sets: others' labelled texts, as downloaded by the user, into a folder that `python -m training.train --data` reads.

`python -m training.public NAME SOURCE FOLDER`. Nothing of these sets is kept in the project.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from lossnlp.errors import LossNlpError
from training.corpus import CorpusError

Row = tuple[str, list[str]]
Parts = dict[str, list[Row]]

# Folds that are tested on; the paper's 10-fold setting takes two of the twenty at a time.
_NLUPP_TEST_FOLDS = (0, 1)
_NLUPP_HELD_OUT_FOLDS = (2, 3)
_RESPER_TEST_SHARE = 5
_YES = frozenset({"1", "1.0", "true", "yes"})


def read_clinc150(source: Path) -> Parts:
    """Gives CLINC150 from its `data_full.json` (or a sibling); out-of-scope texts carry the label `oos`.

    Source: Larson et al. 2019, "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction".
    """
    data = json.loads(source.read_text(encoding="utf-8"))
    parts = {"train": ("train", "oos_train"), "val": ("val", "oos_val"), "test": ("test", "oos_test")}
    return {
        name: [(text, [label]) for key in keys for text, label in data.get(key, ())] for name, keys in parts.items()
    }


def read_banking77(source: Path) -> Parts:
    """Gives Banking77 from the folder with its `train.csv` and `test.csv`.

    Source: Casanueva et al. 2020, "Efficient Intent Detection with Dual Sentence Encoders".
    """
    return {
        name: [(row["text"], [row["category"]]) for row in _csv_rows(source / f"{name}.csv")]
        for name in ("train", "test")
    }


def read_nlupp(source: Path) -> Parts:
    """Gives NLU++ from the folder with the `fold*.json` of one domain; texts without an intent carry no label.

    Source: Casanueva et al. 2022, "NLU++: A Multi-Label, Slot-Rich, Generalisable Dataset for Natural Language Understanding in
    Task-Oriented Dialogue".
    """
    parts: Parts = {"train": [], "val": [], "test": []}
    for path in sorted(source.glob("fold*.json")):
        number = int(path.stem.removeprefix("fold"))
        name = "test" if number in _NLUPP_TEST_FOLDS else "val" if number in _NLUPP_HELD_OUT_FOLDS else "train"
        parts[name] += [(row["text"], row.get("intents", [])) for row in json.loads(path.read_text(encoding="utf-8"))]
    return parts


def read_resper(source: Path) -> Parts:
    """Gives ResPer's charity dialogues from `Final_annotations.csv`: what the persuaded say, with their resisting strategy.

    Every fifth dialogue is tested on; the published split is a five-fold one.

    Source: Dutt et al. 2021, "ResPer: Computationally Modelling Resisting Strategies in Persuasive Conversations".
    """
    parts: Parts = {"train": [], "test": []}
    dialogues: dict[str, int] = {}
    for row in _csv_rows(source):
        number = dialogues.setdefault(row["B2"], len(dialogues))
        if row["B4"] == "1" and row["Unit"].strip():
            name = "train" if number % _RESPER_TEST_SHARE else "test"
            parts[name].append((row["Unit"], [row["Our Label"].strip() or "not-a-strategy"]))
    return parts


def read_call_playbook(source: Path) -> Parts:
    """Gives a CSV of call segments with one column of text and one yes-or-no column for each task, as Gong's Call Playbook has it.

    A column `split`, where there is one, names the part. Files with a single `label` column become one task named like the file.

    Source: https://huggingface.co/datasets/gong-io-research/call-playbook
    """
    parts: Parts = {}
    for path in sorted(source.glob("*.csv")) if source.is_dir() else [source]:
        for row in _csv_rows(path):
            text = next((row[name] for name in ("text", "segment", "snippet", "transcript") if row.get(name)), "")
            tasks = {path.stem: row["label"]} if "label" in row else row
            labels = [name for name, value in tasks.items() if str(value).strip().lower() in _YES]
            if text:
                parts.setdefault(str(row.get("split") or "train").lower(), []).append((text, labels))
    return parts


LOADERS: dict[str, Callable[[Path], Parts]] = {
    "clinc150": read_clinc150,
    "banking77": read_banking77,
    "nlupp": read_nlupp,
    "resper": read_resper,
    "call-playbook": read_call_playbook,
}


def convert(name: str, source: Path, folder: Path) -> dict[str, int]:
    """Writes a public set as JSON lines, one file a part, and gives how many texts each holds.

    Args:
        name: One of LOADERS.
        source: The downloaded file or folder.
        folder: Where the parts go; made where it is missing.

    Raises:
        CorpusError: The download is missing, empty or not in the form that is known.
    """
    try:
        parts = {part: rows for part, rows in LOADERS[name](source).items() if rows}
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CorpusError(f"{source} is not {name} as its makers publish it: {error}.") from error
    if not parts:
        raise CorpusError(f"{source} holds no texts of {name}; name the downloaded file or folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in parts.items():
        with (folder / f"{part}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(
                json.dumps({"text": text, "labels": labels}, ensure_ascii=False) + "\n" for text, labels in rows
            )
    return {part: len(rows) for part, rows in parts.items()}


def _csv_rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)


def main() -> None:
    """Converts a downloaded public set."""
    ask = argparse.ArgumentParser(prog="python -m training.public", description=main.__doc__)
    ask.add_argument("name", choices=sorted(LOADERS))
    ask.add_argument("source", type=Path, help="the downloaded file or folder")
    ask.add_argument("folder", type=Path, help="folder to write; give it to training.train --data")
    asked = ask.parse_args()
    try:
        counts = convert(asked.name, asked.source, asked.folder)
    except LossNlpError as error:
        sys.exit(f"training.public: {error.message}")
    sys.stdout.writelines(f"{part}: {count} texts\n" for part, count in counts.items())


if __name__ == "__main__":
    main()
