"""Heads: from what the encoder says of each token to what a segment and a whole view of a deal say.

Every label has a *slot*: a query that scores each token (its attention) and one or more *values* read from each token. A segment's
reading is the attention-weighted mean of its tokens; a view's reading is the attention-weighted mean of the six segments with the
most attention, each weighted by the attention mass of its tokens: a lone remark in an hour of small talk is not drowned by the sum
of everything else. So evidence is what the view attends to. A small mixing layer then lets the
slots see each other ("price beside competitor"), because the guide ranks causes against each other.

Source: label-wise attention after Mullenbach et al. 2018, "Explainable Prediction of Medical Codes from Clinical Text".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

ATTRIBUTIONS = ("external_only", "mixed", "internal_only", "none")
WINBACKS = ("open", "closed", "unclear")
RIVAL_TAGS = ("outside", "won", "incumbent", "mentioned")
POSITION_SCALE = 0.25
STRONGEST = 6


@dataclass(frozen=True)
class Layout:
    """Which column of the encoder's output means what; built from the codes a bundle was trained for.

    Args:
        reasons: Reason codes, in order.
        elements: MEDDPICC element codes, in order.
    """

    reasons: tuple[str, ...]
    elements: tuple[str, ...]

    @cached_property
    def slots(self) -> tuple[tuple[str, int], ...]:
        """Each slot's name and how many values it reads."""
        return (
            *((code, 2) for code in self.reasons),
            *((f"gap.{code}", 1) for code in self.elements),
            *((f"covered.{code}", 1) for code in self.elements),
            ("own_doing", 1),
            ("attribution", len(ATTRIBUTIONS)),
            ("insufficient_detail", 1),
            ("winback", len(WINBACKS)),
        )

    @property
    def n_slots(self) -> int:
        """Number of slots, which is the number of attention columns."""
        return len(self.slots)

    @property
    def n_yes_or_no(self) -> int:
        """Number of the first slots, each of which answers yes or no and can be shown by a quote: reasons, gaps, covered, own doing."""
        return len(self.reasons) + 2 * len(self.elements) + 1

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """The slot of each value column, shape (values,)."""
        return np.array([slot for slot, (_, width) in enumerate(self.slots) for _ in range(width)], dtype=np.int64)

    @property
    def n_values(self) -> int:
        """Number of value columns."""
        return len(self.owners)

    @property
    def n_tags(self) -> int:
        """Number of token tags: the rival roles with "outside", and the revisit phrase."""
        return len(RIVAL_TAGS) + 1

    @property
    def width(self) -> int:
        """Columns the encoder gives for each token: attention, values, tags."""
        return self.n_slots + self.n_values + self.n_tags

    @property
    def n_features(self) -> int:
        """Size of the mixing layer's input: values, strongest segment per slot, mean position per reason, two sources, length."""
        return self.n_values + self.n_slots + len(self.reasons) + 3

    @property
    def yes_or_no_values(self) -> NDArray[np.int64]:
        """The value column of each slot that answers yes or no, shape (n_yes_or_no,)."""
        return self.first_value[: self.n_yes_or_no]

    @cached_property
    def outputs(self) -> dict[str, slice]:
        """Where each head stands in the vector of a view's logits."""
        sizes = {
            "reasons": len(self.reasons),
            "primary": len(self.reasons),
            "gap": len(self.elements),
            "covered": len(self.elements),
            "own_doing": 1,
            "attribution": len(ATTRIBUTIONS),
            "insufficient_detail": 1,
            "winback": len(WINBACKS),
        }
        ends = np.cumsum([0, *sizes.values()])
        return {name: slice(int(ends[i]), int(ends[i + 1])) for i, name in enumerate(sizes)}

    @property
    def n_outputs(self) -> int:
        """Number of logits of a view; as many as there are values, in another order."""
        return self.n_values

    @cached_property
    def value_of_output(self) -> NDArray[np.int64]:
        """The value column that each output logit starts from, shape (outputs,)."""
        n = len(self.reasons)
        return np.array([*range(0, 2 * n, 2), *range(1, 2 * n, 2), *range(2 * n, self.n_values)], dtype=np.int64)

    @cached_property
    def first_value(self) -> NDArray[np.int64]:
        """The first value column of each slot, shape (slots,)."""
        return np.searchsorted(self.owners, np.arange(self.n_slots)).astype(np.int64)


@dataclass(frozen=True)
class SegmentReadings:
    """What the encoder read in each segment.

    Args:
        mass: Log of the summed attention of the segment's tokens, shape (segments, slots).
        values: Attention-weighted mean of the tokens' values, shape (segments, values).
    """

    mass: Array
    values: Array


def pool_segments(tokens: Array, starts: NDArray[np.int64], layout: Layout) -> SegmentReadings:
    """Gives the reading of each segment.

    Args:
        tokens: Encoder output of the owned tokens, segment after segment, shape (tokens, width).
        starts: First row of each segment, ascending, shape (segments,).
        layout: The columns.
    """
    if not len(starts):
        return SegmentReadings(np.zeros((0, layout.n_slots), np.float32), np.zeros((0, layout.n_values), np.float32))
    attention = tokens[:, : layout.n_slots]
    lengths = np.diff(np.append(starts, len(tokens)))
    peak = np.maximum.reduceat(attention, starts, axis=0)
    weight = np.exp(attention - np.repeat(peak, lengths, axis=0))
    total = np.add.reduceat(weight, starts, axis=0)
    weighted = weight[:, layout.owners] * tokens[:, layout.n_slots : layout.n_slots + layout.n_values]
    values = np.add.reduceat(weighted, starts, axis=0) / total[:, layout.owners]
    return SegmentReadings(mass=peak + np.log(total), values=values.astype(np.float32))


@dataclass(frozen=True)
class ViewReading:
    """What one view of a deal (the note, the buyer's words, everything) says.

    Args:
        logits: One logit per output, shape (outputs,); see `Layout.outputs`.
        weights: Attention of each segment per slot, summing to 1 over the segments, shape (segments, slots).
    """

    logits: Array
    weights: Array


def pool_view(
    readings: SegmentReadings, members: NDArray[np.int64], *, sources: tuple[bool, bool], layout: Layout
) -> tuple[Array, Array]:
    """Gives the features of a view, shape (features,), and its segments' attention, shape (members, slots).

    Args:
        readings: All segments of the deal.
        members: Indices of the view's segments, in reading order, at least one.
        sources: Whether the view holds a rep note, and whether it holds the buyer's words.
        layout: The columns.
    """
    mass, values = readings.mass[members], readings.values[members]
    weights = np.exp(mass - mass.max(axis=0))
    if len(members) > STRONGEST:
        weights[mass < np.partition(mass, -STRONGEST, axis=0)[-STRONGEST]] = 0
    weights /= weights.sum(axis=0)
    pooled = (weights[:, layout.owners] * values).sum(axis=0)
    strongest = values[:, layout.first_value].max(axis=0)
    place = (np.arange(len(members), dtype=np.float32) + 0.5) / len(members)
    position = (weights[:, : len(layout.reasons)] * place[:, None]).sum(axis=0)
    extra = np.array([*sources, np.log1p(len(members)) / 4], dtype=np.float32)
    features = np.concatenate([pooled, strongest, position / POSITION_SCALE, extra])
    return features.astype(np.float32), weights.astype(np.float32)


@dataclass(frozen=True)
class Mixer:
    """The small layer in which the slots of a view see each other.

    Args:
        inner: Weight (hidden, features) and bias (hidden,).
        outer: Weight (outputs, hidden) and bias (outputs,).
    """

    inner: tuple[Array, Array]
    outer: tuple[Array, Array]

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array]) -> Mixer:
        """Gives the mixer of a bundle's `heads.safetensors`."""
        return cls(
            inner=(tensors["inner.weight"], tensors["inner.bias"]),
            outer=(tensors["outer.weight"], tensors["outer.bias"]),
        )

    def logits(self, features: Array, layout: Layout) -> Array:
        """Gives the logits of a view from its features, shape (outputs,)."""
        hidden = np.tanh(self.inner[0] @ features + self.inner[1])
        mixed: Array = features[layout.value_of_output] + self.outer[0] @ hidden + self.outer[1]
        return mixed


def read_view(
    readings: SegmentReadings,
    members: NDArray[np.int64],
    *,
    sources: tuple[bool, bool],
    mixer: Mixer,
    layout: Layout,
) -> ViewReading:
    """Gives logits and attention of one view; see `pool_view` and `Mixer.logits`."""
    features, weights = pool_view(readings, members, sources=sources, layout=layout)
    return ViewReading(logits=mixer.logits(features, layout), weights=weights)
