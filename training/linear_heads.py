"""Heads that are linear in the vectors of texts: nearest prototypes, and logistic regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Array = NDArray[np.float32]
Rows = tuple[Array, Array]
Found = tuple[NDArray[np.floating], NDArray[np.floating]]

# What a label that no text has says: never.
_NEVER = -10.0
_MOST_STEPS = 1_000
_LEAST = 1e-9


@dataclass(frozen=True)
class Gold:
    """What texts are labelled with.

    Args:
        present: Whether a text has a label, shape (texts, labels).
        primary: The label that decided, or the only one, shape (texts,).
    """

    present: NDArray[np.bool_]
    primary: NDArray[np.int64]

    def __getitem__(self, chosen: NDArray[np.int64]) -> Gold:
        """The gold of some texts."""
        return Gold(self.present[chosen], self.primary[chosen])

    @property
    def is_single(self) -> bool:
        """Says whether every text has one label."""
        return bool((self.present.sum(axis=1) == 1).all())


@dataclass(frozen=True)
class LinearHeads:
    """Weights (labels, width) and biases (labels,) of two questions.

    Args:
        reasons: Whether a label applies: it does where the sum is positive.
        primary: Which one decided: the largest.
    """

    reasons: Rows
    primary: Rows

    def applies(self, vectors: Array) -> NDArray[np.bool_]:
        """Gives whether each label applies to each text, shape (texts, labels)."""
        found: NDArray[np.bool_] = vectors @ self.reasons[0].T + self.reasons[1] > 0
        return found

    def decides(self, vectors: Array) -> NDArray[np.int64]:
        """Gives the label that decided, shape (texts,)."""
        found: NDArray[np.int64] = np.argmax(vectors @ self.primary[0].T + self.primary[1], axis=1)
        return found


def fit_prototypes(vectors: Array, gold: Gold) -> LinearHeads:
    """Gives heads that choose the label whose texts lie nearest in the mean, by the angle.

    A label applies where its texts are nearer than one cut, which is the same for all labels.

    Args:
        vectors: Shape (texts, width).
        gold: Their labels.

    Source: Snell et al. 2017, "Prototypical Networks for Few-shot Learning".
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    means = gold.present.T.astype(np.float32) @ (vectors / lengths)
    prototypes = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), _LEAST) / lengths.mean()
    nearness = (vectors @ prototypes.T).reshape(-1, 1)
    cut = _separator(1.0, is_balanced=True).fit(nearness, gold.present.ravel())
    weights, biases = prototypes * cut.coef_[0, 0], np.full(len(prototypes), cut.intercept_[0])
    return LinearHeads(
        _rows(weights, np.where(gold.present.any(axis=0), biases, _NEVER)),
        _rows(weights, np.where(np.isin(np.arange(len(weights)), gold.primary), biases, _NEVER)),
    )


def fit_probe(vectors: Array, gold: Gold, *, strength: float) -> LinearHeads:
    """Gives heads of logistic regression on the vectors, moved to their mean and scaled as a whole.

    Args:
        vectors: Shape (texts, width).
        gold: Their labels.
        strength: Inverse of the regularisation, over 0.

    Source: Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes".
    """
    mean = vectors.mean(axis=0)
    scale = max(float(np.linalg.norm(vectors - mean, axis=1).mean()), _LEAST)
    seen = (vectors - mean) / scale
    found = [_applies(seen, has, strength) for has in gold.present.T]
    decides = _decides(seen, gold, strength)
    applies = np.stack([weight for weight, _ in found]), np.array([bias for _, bias in found])
    return LinearHeads(*(_rows(w / scale, b - w @ mean / scale) for w, b in (applies, decides)))


def _applies(seen: Array, has: NDArray[np.bool_], strength: float) -> tuple[Array, float]:
    """Gives weight and bias of one label; of one that all texts have, or none, nothing is asked."""
    if has.all() or not has.any():
        return np.zeros(seen.shape[1], np.float32), _NEVER if not has.any() else -_NEVER
    model = _separator(strength, is_balanced=True).fit(seen, has)
    return model.coef_[0], float(model.intercept_[0])


def _decides(seen: Array, gold: Gold, strength: float) -> Found:
    """Gives weights and biases of all labels; one that decided nowhere never does."""
    labels = gold.present.shape[1]
    weights, biases = np.zeros((labels, seen.shape[1])), np.full(labels, _NEVER)
    decided = np.unique(gold.primary)
    if len(decided) == 1:
        biases[decided] = -_NEVER
    else:
        weights[decided], biases[decided] = _both_sides(_separator(strength).fit(seen, gold.primary))
    return weights, biases


def _both_sides(model: LogisticRegression) -> Found:
    """Gives a row for each class; of two classes scikit-learn keeps the second one's alone."""
    weight, bias = model.coef_, model.intercept_
    return (weight, bias) if len(weight) > 1 else (np.vstack([-weight, weight]) / 2, np.append(-bias, bias) / 2)


def _rows(weight: NDArray[np.floating], bias: NDArray[np.floating]) -> Rows:
    return weight.astype(np.float32), bias.astype(np.float32)


def _separator(strength: float, *, is_balanced: bool = False) -> LogisticRegression:
    return LogisticRegression(C=strength, class_weight="balanced" if is_balanced else None, max_iter=_MOST_STEPS)
