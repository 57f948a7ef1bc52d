"""Calibration: from logits to probabilities that hold on held-out deals, and the thresholds that rest on them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from lossnlp.deal import Frozen
from lossnlp.errors import BundleError
from lossnlp.heads import Array

ViewKind = Literal["note", "buyer", "whole"]


class Curve(Frozen):
    """The logistic curve that turns a logit into a probability: sigmoid(scale * logit + shift).

    Source: Platt 1999, "Probabilistic Outputs for Support Vector Machines".
    """

    scale: float = Field(default=1.0, gt=0)
    shift: float = 0.0

    def probability(self, logits: Array) -> Array:
        """Gives the probability of each logit, same shape."""
        value: Array = 1 / (1 + np.exp(-np.clip(self.scale * logits + self.shift, -30, 30)))
        return value

    def of_one(self, logit: float) -> float:
        """Gives the probability of a single logit."""
        return float(self.probability(np.array([logit], dtype=np.float32))[0])


class Temperature(Frozen):
    """The temperature of a choice between classes: softmax(logits / value).

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """

    value: float = Field(default=1.0, gt=0)

    def probability(self, logits: Array) -> Array:
        """Gives the probability of each class, shape (classes,), summing to 1."""
        scaled = logits / self.value
        exponent = np.exp(scaled - scaled.max())
        result: Array = exponent / exponent.sum()
        return result


class EvidenceRule(Frozen):
    """How much of the attention becomes a quote.

    Args:
        margin: How far below a segment's strongest token (in log attention) a token may be and still be quoted, 0 or more.
        gap: How many weaker tokens between two quoted ones are bridged.
        share: Share of the strongest segment's attention that another segment needs to be quoted beside it, 0 to 1.
        most: Most quotes for one value.
    """

    margin: float = Field(default=2.0, ge=0)
    gap: int = Field(default=2, ge=0)
    share: float = Field(default=0.5, ge=0, le=1)
    most: int = Field(default=3, ge=1)


class Calibration(Frozen):
    """All that was fitted on held-out deals.

    Args:
        primary: Temperature of the choice of the primary reason.
        primary_by_view: The same where a view is a note, the buyer's words or the whole deal, since long texts leave the network less sure.
        attribution: Of the attribution.
        winback: Of the win-back state.
        curves: Curve of each yes-or-no head: reasons, gap, covered, insufficient_detail, rep_buyer_conflict.
        cuts: Probability from which a value is given; keys such as `reasons.price`, `gap.champion`, `rival`, `revisit`.
        accept: Confidence from which a value needs no person, by value and label, such as `primary_reason.price`; None: always a person.
        evidence: How quotes are cut.
    """

    primary: Temperature = Temperature()
    primary_by_view: dict[ViewKind, Temperature] = Field(default_factory=dict)
    attribution: Temperature = Temperature()
    winback: Temperature = Temperature()
    curves: dict[str, Curve] = Field(default_factory=dict)
    cuts: dict[str, float] = Field(default_factory=dict)
    accept: dict[str, float | None] = Field(default_factory=dict)
    evidence: EvidenceRule = EvidenceRule()

    def curve(self, head: str) -> Curve:
        """Gives the curve of a head, the plain sigmoid where none was fitted."""
        return self.curves.get(head, Curve())

    def primary_in(self, kind: ViewKind) -> Temperature:
        """Gives the temperature of the primary reason in a view, the common one where the view has none."""
        return self.primary_by_view.get(kind, self.primary)

    def cut(self, key: str) -> float:
        """Gives the probability from which a value is given, 0.5 where none was fitted."""
        return self.cuts.get(key, 0.5)

    def accepts(self, key: str, confidence: float) -> bool:
        """Says whether a value of this kind and confidence may be written without a person; never for a kind that was not measured."""
        threshold = self.accept.get(key)
        return threshold is not None and confidence >= threshold


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Writes the calibration into a bundle folder; its manifest has to be written after it."""
    (folder / "calibration.json").write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_calibration(path: Path) -> Calibration:
    """Gives the calibration of a bundle.

    Raises:
        BundleError: The file is damaged.
    """
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        raise BundleError(f"{path} is damaged at '{'.'.join(map(str, fault['loc']))}': {fault['msg']}.") from error
