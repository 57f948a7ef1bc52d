"""Labels that are likely wrong: `python -m training.label_errors` lists those that a model which never saw them disagrees with.

Each deal is read by baselines that learned from other deals (and none of its group); confident learning then ranks the labels that
such readings speak against. What it lists is a suspicion to look at, not an error.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels"; https://docs.cleanlab.ai
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from lossnlp.errors import LossNlpError
from lossnlp.taxonomy import get_default_taxonomy
from training.baseline import make_chooser, make_features, text_of
from training.corpus import CorpusError, LabelledDeal, corpus_files, read_corpus
from training.verdict_file import read_verdicts

_CHOSEN = ("primary", "attribution", "insufficient_detail", "winback")
_NOT_LABELLED = ("None", "na")


@dataclass(frozen=True)
class Suspicion:
    """A label that is likely wrong.

    Args:
        id: The deal.
        field: `primary`, `attribution`, `insufficient_detail`, `winback`, or `reasons.<code>` for a reason given or left out.
        given: What the label says.
        suggested: What the reading says.
        quality: How well the reading supports the label, 0 to 1; the lower, the likelier an error.
    """

    id: str
    field: str
    given: str
    suggested: str
    quality: float


def find_suspicions(deals: Sequence[LabelledDeal], *, folds: int, seed: int = 0) -> list[Suspicion]:
    """Gives the labels that are likely wrong, worst first.

    Args:
        deals: Labelled deals.
        folds: Parts of the cross-validation, at least 2. A value that fewer groups, or fewer than twice as many deals, have is not judged.
        seed: Changes how deals fall into parts.

    Raises:
        CorpusError: There are too few deals for so many parts.
    """
    if len({one.group for one in deals}) < folds:
        raise CorpusError(f"{len(deals)} deals are too few for {folds} parts; give more deals or fewer parts.")
    texts = [text_of(one.deal) for one in deals]
    found: list[Suspicion] = []
    for field, values in _fields(deals):
        rows = _judgeable(values, [one.group for one in deals], folds)
        if len({values[row] for row in rows}) > 1:
            groups = [deals[row].group for row in rows]
            labels = [values[row] for row in rows]
            judged = _Judged([deals[row].deal.id for row in rows], field, labels)
            found += judged.suspicions(_probabilities([texts[row] for row in rows], labels, groups, folds, seed))
    return sorted(found, key=lambda one: (one.quality, one.id, one.field))


@dataclass(frozen=True)
class _Judged:
    """The labels of one field: ids of the deals, and what each label says."""

    ids: Sequence[str]
    field: str
    labels: Sequence[str]

    def suspicions(self, probabilities: NDArray[np.float64]) -> Iterator[Suspicion]:
        """Gives the labels that the readings speak against.

        Args:
            probabilities: Of each value in alphabetical order, shape (deals, values).
        """
        values = sorted(set(self.labels))
        gold = np.array([values.index(label) for label in self.labels])
        qualities = get_label_quality_scores(gold, probabilities)
        wrong = find_label_issues(
            gold, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1, min_examples_per_class=1
        )
        for row in wrong:
            suggested = values[int(probabilities[row].argmax())]
            quality = round(float(qualities[row]), 4)
            yield Suspicion(self.ids[row], self.field, self.labels[row], suggested, quality)


def _fields(deals: Sequence[LabelledDeal]) -> Iterator[tuple[str, list[str]]]:
    """Gives each field with what its labels say, as words."""
    for name in _CHOSEN:
        yield name, [_word(getattr(one.labels, name)) for one in deals]
    for code in get_default_taxonomy().codes:
        yield f"reasons.{code}", [_word(code in one.labels.reasons) for one in deals]


def _word(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _judgeable(values: Sequence[str], groups: Sequence[str], folds: int) -> list[int]:
    """Gives the rows that are labelled, with a value that every part can learn from others: a group falls into one part."""
    counts, held_by = Counter(values), Counter(value for value, _ in set(zip(values, groups, strict=True)))
    known = {value for value in counts if counts[value] >= 2 * folds and held_by[value] >= folds} - {*_NOT_LABELLED}
    return [row for row, value in enumerate(values) if value in known]


def _probabilities(
    texts: Sequence[str], labels: Sequence[str], groups: Sequence[str], folds: int, seed: int
) -> NDArray[np.float64]:
    """Gives how likely each value is for each deal, read by a model that learned from the other parts.

    Returns:
        Probabilities of the values in alphabetical order, shape (deals, values); each row sums to 1.
    """
    values = sorted(set(labels))
    gold = np.array(labels)
    seen = make_features().fit_transform(texts)
    found = np.full((len(texts), len(values)), 1e-6)
    parts = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    for learn, read in parts.split(texts, gold, groups):
        model = make_chooser().fit(seen[learn], gold[learn])
        places = [values.index(str(value)) for value in model.classes_]
        likely = model.predict_proba(seen[read])
        both = likely if likely.shape[1] == len(places) else np.column_stack([1 - likely, likely])
        found[np.ix_(read, places)] += both
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def write_suspicions(found: Sequence[Suspicion], path: Path) -> None:
    """Writes suspicions as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in found), encoding="utf-8")


def main() -> None:
    """Lists the labels of corpus and verdicts that are likely wrong."""
    ask = argparse.ArgumentParser(prog="python -m training.label_errors", description=main.__doc__)
    ask.add_argument("--corpus", type=Path, nargs="*", help="labelled JSON-lines files; default: training/corpus")
    ask.add_argument("--verdicts", type=Path, help="file of exported verdicts to look through too")
    ask.add_argument("--folds", type=int, default=5, help="parts of the cross-validation (default: %(default)s)")
    ask.add_argument("--output", type=Path, default=Path("runs/label_errors.jsonl"), help="default: %(default)s")
    asked = ask.parse_args()
    try:
        deals = read_corpus(corpus_files() if asked.corpus is None else asked.corpus)
        deals += read_verdicts(asked.verdicts) if asked.verdicts else []
        found = find_suspicions(deals, folds=asked.folds)
    except LossNlpError as error:
        sys.exit(f"training.label_errors: {error.message}")
    write_suspicions(found, asked.output)
    sys.stdout.write(f"{len(found)} labels of {len(deals)} deals to look at in {asked.output}\n")
    for field, count in Counter(one.field for one in found).most_common():
        sys.stdout.write(f"{field:36} {count:6}\n")


if __name__ == "__main__":
    main()
