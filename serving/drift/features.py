"""What is watched: the features of deals, of what the model reads in them and of what people say of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["amount", "label", "vector"]
Column = npt.NDArray[Any]
WEEKS_A_YEAR = 365.25 / 7


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that may change.

    Args:
        name: Of its column.
        label: As people read it.
        kind: `amount` (a number a deal), `label` (a value a deal) or `vector`.
        part: Where it belongs: what comes in, what the model reads, what people say.
        is_share: Whether its amounts are shares between 0 and 1.
    """

    name: str
    label: str
    kind: Kind
    part: str
    is_share: bool = False


_IN, _READ, _SAID = "What comes in", "What the model reads", "What people say of it"
FEATURES = (
    Feature("words", "Length in words", "amount", _IN),
    Feature("unknown_share", "Share of words outside the reference vocabulary", "amount", _IN, is_share=True),
    Feature("vocabulary", "Which words are used", "vector", _IN),
    Feature("sources", "Kinds of documents", "label", _IN),
    Feature("language", "Language", "label", _IN),
    Feature("reason", "Primary reason", "label", _READ),
    Feature("confidence", "Confidence in the primary reason", "amount", _READ, is_share=True),
    Feature("waits", "Whether a person is asked", "label", _READ),
    Feature("right_drawn", "Reason right, of deals drawn for the audit", "label", _SAID),
    Feature("right_asked", "Reason right, of deals that a person was asked about", "label", _SAID),
)
FEATURE_BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}


@dataclass(frozen=True, slots=True)
class Sample:
    """Deals of one window.

    Args:
        ids: Of their assessments.
        columns: A value a deal for each feature, in the order of the ids; what a deal has no value of is None, in amounts and
            vectors NaN. Shape (deals,), of vectors (deals, places).
    """

    ids: Column
    columns: Mapping[str, Column]

    def has(self, feature: Feature) -> npt.NDArray[np.bool_]:
        """Says which deals have a value; shape (deals,)."""
        column = self.columns[feature.name]
        if feature.kind == "label":
            return np.array([value is not None for value in column], dtype=bool)
        return np.array([not np.isnan(value).any() for value in column], dtype=bool)

    def values(self, feature: Feature) -> Column:
        """Gives the values of those that have one."""
        return self.columns[feature.name][self.has(feature)]


def level_of(false_alarms: float) -> float:
    """Gives the largest p that counts as a change, so that so many alarms a year are expected at most while nothing changes.

    The number of false alarms that are expected is the sum of the levels of all tests, however much features and weeks hang
    together; so each test of each week has the same part of it.

    Args:
        false_alarms: Expected alarms a year, above 0.

    Source: the decision record on the rate of false alarms.
    """
    return false_alarms / (WEEKS_A_YEAR * len(FEATURES))
