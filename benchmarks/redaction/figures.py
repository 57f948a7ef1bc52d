"""Precision and recall of a redaction, by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.redaction.texts import SURVIVING, Label, LabelledText

Find = Callable[[str], Sequence[Label]]


@dataclass
class Counts:
    """What was found and what was not.

    Args:
        labelled: Labelled stretches by kind.
        covered: Those of them of which no letter and no digit is left.
        found: Stretches that the redaction replaced, by its own kinds.
        right: Those of them that touch a labelled stretch of personal data.
        touched: Stretches that should survive and of which a part was replaced.
        wrong: What was missed or replaced wrongly, for reading.
    """

    labelled: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    touched: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, dict[str, float]]:
        """Gives recall and precision of each kind, and the share kept of what should survive."""
        rows: dict[str, dict[str, float]] = {}
        for kind in sorted(self.labelled.keys() | self.found.keys()):
            rows[kind] = {"labelled": self.labelled[kind]}
            if kind in SURVIVING:
                rows[kind]["kept"] = 1 - self.touched[kind] / self.labelled[kind]
                continue
            if self.labelled[kind]:
                rows[kind]["recall"] = self.covered[kind] / self.labelled[kind]
            if self.found[kind]:
                rows[kind]["precision"] = self.right[kind] / self.found[kind]
        return rows


def count(texts: Iterable[LabelledText], find: Find) -> Counts:
    """Gives what `find` makes of the texts."""
    counts = Counts()
    for labelled in texts:
        _count_one(labelled, find(labelled.text), counts)
    return counts


def _count_one(labelled: LabelledText, found: Sequence[Label], counts: Counts) -> None:
    text = labelled.text
    replaced = {at for one in found for at in range(one.start, one.end)}
    personal = {at for one in labelled.labels if one.kind not in SURVIVING for at in range(one.start, one.end)}
    for one in labelled.labels:
        letters = {at for at in range(one.start, one.end) if text[at].isalnum()}
        counts.labelled[one.kind] += 1
        if one.kind in SURVIVING:
            counts.touched[one.kind] += not letters.isdisjoint(replaced)
        else:
            counts.covered[one.kind] += letters <= replaced
        if letters.isdisjoint(replaced) if one.kind not in SURVIVING else letters & replaced:
            counts.wrong.append(f"{one.kind}: {text[one.start : one.end]!r} in {text!r}")
        elif one.kind not in SURVIVING and not letters <= replaced:
            counts.wrong.append(f"{one.kind} in part: {text[one.start : one.end]!r} in {text!r}")
    for one in found:
        counts.found[one.kind] += 1
        is_right = not personal.isdisjoint(range(one.start, one.end))
        counts.right[one.kind] += is_right
        if not is_right:
            counts.wrong.append(f"not {one.kind}: {text[one.start : one.end]!r} in {text!r}")
