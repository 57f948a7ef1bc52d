"""What a look finds: for each feature whether the newest deals differ from those before, and what has moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.drift.features import FEATURE_BY_NAME, FEATURES, Column, Feature, Kind, Sample
from serving.drift.permutations import (
    compare_amounts,
    compare_labels,
    compare_vectors,
    count_labels,
    cumulative,
    residuals,
)

FEWEST = 30
_FAR = 2.0  # standard deviations from which a label counts as moved
_MOST_VALUES = 40
_TESTS: Mapping[Kind, Callable[..., float]] = {
    "amount": compare_amounts,
    "label": compare_labels,
    "vector": compare_vectors,
}
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a feature in both windows: the share of a label, the median of an amount.

    Args:
        label: Which; empty for an amount.
        newest: In the newest deals.
        reference: In those before.
        has_moved: Whether it is part of a change.
    """

    label: str
    newest: float
    reference: float
    has_moved: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look finds of one feature.

    Args:
        feature: Its name.
        newest_deals: Deals of the newest window that have a value.
        reference_deals: Deals of the window before that have one.
        p: How likely a difference as large is where nothing has changed; None where too few deals have a value.
        is_alarm: Whether that is below the level of the look.
        is_new: Whether it is an alarm and the look before raised none of this feature.
        values: What stands in both windows; empty where held back, and for words, of which none is kept.
    """

    feature: str
    newest_deals: int
    reference_deals: int
    p: float | None = None
    is_alarm: bool = False
    is_new: bool = False
    values: tuple[Value, ...] = ()

    @property
    def label(self) -> str:
        """The feature as people read it."""
        return FEATURE_BY_NAME[self.feature].label if self.feature in FEATURE_BY_NAME else self.feature

    @property
    def part(self) -> str:
        """Where it belongs."""
        return FEATURE_BY_NAME[self.feature].part if self.feature in FEATURE_BY_NAME else ""

    @property
    def verdict(self) -> str:
        """What is found, in words."""
        if self.p is None:
            return f"held back: fewer than {FEWEST} deals in one of the windows"
        return "clear change" if self.is_alarm else "no clear change"


def compare_samples(
    newest: Sample,
    reference: Sample,
    *,
    level: float,
    known: frozenset[str] = frozenset(),
    features: Sequence[Feature] = FEATURES,
) -> tuple[Finding, ...]:
    """Gives one finding for each feature, in their order.

    Args:
        newest: The newest deals.
        reference: Those before.
        level: The largest p that counts as a change.
        known: Features that were in alarm at the look before.
        features: What is compared.
    """
    return tuple(_compare(feature, newest, reference, level=level, known=known) for feature in features)


def _compare(feature: Feature, newest: Sample, reference: Sample, *, level: float, known: frozenset[str]) -> Finding:
    new, old = newest.values(feature), reference.values(feature)
    if min(len(new), len(old)) < FEWEST:
        return Finding(feature.name, len(new), len(old))
    p = _TESTS[feature.kind](new, old, level=level)
    is_alarm = p < level
    values = _values(feature, new, old, is_alarm=is_alarm)
    return Finding(feature.name, len(new), len(old), p, is_alarm, is_alarm and feature.name not in known, values)


def _values(feature: Feature, new: Column, old: Column, *, is_alarm: bool) -> tuple[Value, ...]:
    if feature.kind == "vector":
        return ()
    if feature.kind == "amount":
        return (Value("", float(np.median(new)), float(np.median(old)), is_alarm),)
    moved = find_moved_labels(new, old) if is_alarm else ()
    counts = sorted(count_labels(new, old).items(), key=lambda pair: (-sum(pair[1]), pair[0]))
    shares = (Value(label, n / len(new), m / len(old), label in moved) for label, (n, m) in counts)
    return tuple(shares)[:_MOST_VALUES]


def find_moved_labels(new: Column, old: Column) -> tuple[str, ...]:
    """Gives the labels whose shares have moved, the furthest first: two standard deviations and more, and one at least."""
    counts = count_labels(new, old)
    pairs = np.array(list(counts.values()), dtype=np.int64)
    far = np.abs(residuals(pairs[:, 0], pairs.sum(axis=1), n=len(new)))
    ranked = [list(counts)[place] for place in np.argsort(-far, kind="stable")]
    n_moved = max(1, int((far >= _FAR).sum()))
    return tuple(ranked[:n_moved])


def find_moved_deals(feature: Feature, newest: Sample, reference: Sample) -> list[Mask]:
    """Gives the newest deals that make up a change: those with a label that moved, an amount or words on the side that grew.

    Returns:
        A mask over all newest deals for each value that moved, shape (deals,).
    """
    has, column = newest.has(feature), newest.columns[feature.name]
    new, old = newest.values(feature), reference.values(feature)
    if feature.kind == "label":
        masks = [np.array([value == label for value in column]) for label in find_moved_labels(new, old)]
        return [mask for mask in masks if mask.any()]
    side = np.zeros(len(has), dtype=bool)
    side[has] = _lean_amounts(new, old) if feature.kind == "amount" else _lean_vectors(new, old)
    return [side]


def _lean_amounts(new: Column, old: Column) -> Mask:
    """Says which amounts lie on the side, of the place where the samples differ most, that has more of the newest."""
    places = np.unique(np.concatenate([new, old]))
    gaps = cumulative(new, places) - cumulative(old, places)
    place = int(np.argmax(np.abs(gaps)))
    lean: Mask = new <= places[place] if gaps[place] > 0 else new > places[place]
    return lean


def _lean_vectors(new: Column, old: Column) -> Mask:
    """Says which vectors lie further in the direction of the change than the middle between both samples."""
    way = new.mean(axis=0) - old.mean(axis=0)
    lean: Mask = new @ way > (new.mean(axis=0) + old.mean(axis=0)) @ way / 2
    return lean


def write_findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Gives findings as they are stored."""
    return [asdict(finding) for finding in findings]


def read_findings(stored: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Gives stored findings."""
    return tuple(Finding(**{**one, "values": tuple(Value(**value) for value in one["values"])}) for one in stored)
