"""Few labels: which of three simple stages reads a new scheme best, chosen by cross-validation on the few texts there are.

From the simplest on: the nearest prototype, logistic regression on the encoder's vectors (a probe), and a short contrastive tuning of the
encoder under either. All end as heads that the network of a bundle carries as it is.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from training.contrast import Labelled, tune_encoder
from training.corpus import CorpusError
from training.examples import Example
from training.linear_heads import Array, Gold, LinearHeads, fit_probe, fit_prototypes
from training.network import LossNetwork
from training.quantize import round_to_4_bit, stored_in_4_bits
from training.storage import AS_LEARNED, Storage
from training.vectors import DealVectors, put_heads, view_rows

STAGES = ("prototype", "probe", "contrast")
_FOLDS = 3
_ROUNDING = 1e-9
# How strongly the heads of each stage may fit, weakest first: 0 for a prototype, else the inverse of the probe's regularisation.
_PROBES = (1.0, 10.0, 100.0)
_STRENGTHS = {"prototype": (0.0,), "probe": _PROBES, "contrast": (0.0, *_PROBES)}


@dataclass(frozen=True)
class FewTexts:
    """The texts of a scheme.

    Args:
        examples: Texts or deals.
        gold: Labels of their views, one example after the other.
        groups: What must stay together, one for each example.
    """

    examples: Sequence[Example]
    gold: Gold
    groups: Sequence[str]

    @cached_property
    def rows(self) -> list[range]:
        """The rows of each example's views."""
        return view_rows(self.examples)

    def views(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Gives the rows of the views of some examples."""
        return np.concatenate([np.array(self.rows[place]) for place in chosen])

    def part(self, chosen: NDArray[np.int64]) -> FewTexts:
        """Gives some of them."""
        some = [self.examples[place] for place in chosen], [self.groups[place] for place in chosen]
        return FewTexts(some[0], self.gold[self.views(chosen)], some[1])


@dataclass(frozen=True)
class Course:
    """How the stages learn.

    Args:
        stages: Those that may be chosen, of STAGES.
        seed: Of folds and draws.
        storage: How the weights will be stored; what goes into 4 bits is rounded before anything is read with them.
    """

    stages: tuple[str, ...] = STAGES
    seed: int = 7
    storage: Storage = AS_LEARNED


@dataclass(frozen=True)
class Tried:
    """A stage on texts that it had not seen.

    Args:
        stage: One of STAGES.
        strength: Of its heads: inverse of a probe's regularisation, 0 for a prototype.
        scores: Of each view, 0 to 1: whether its one label was found, or the F1 of its labels; shape (views,).
        folds: Number of the fold in which it was read, shape (views,).
    """

    stage: str
    strength: float
    scores: NDArray[np.float64]
    folds: NDArray[np.int64]

    @property
    def mean(self) -> float:
        """Mean of the scores."""
        return float(self.scores.mean())

    @property
    def spread(self) -> float:
        """Standard deviation of the folds' means."""
        return float(np.std([self.scores[self.folds == fold].mean() for fold in np.unique(self.folds)]))


@dataclass(frozen=True)
class Choice:
    """The stage that was chosen.

    Args:
        chosen: It.
        tried: Each stage at its best regularisation, simplest first.
        is_single: Says whether every text has one label.
    """

    chosen: Tried
    tried: tuple[Tried, ...]
    is_single: bool

    @property
    def said(self) -> str:
        """What was chosen and why, in a sentence."""
        figure = "accuracy" if self.is_single else "F1 of a text's labels"
        each = ", ".join(f"{one.stage} {one.mean:.3f} (folds differ by {one.spread:.3f})" for one in self.tried)
        return (
            f"few labels: {self.chosen.stage} was chosen, no worse than the best by more than one standard error; {figure} on "
            f"{len(self.chosen.scores)} texts by {_FOLDS}-fold cross-validation: {each}"
        )


def learn_few(network: LossNetwork, texts: FewTexts, course: Course) -> Choice:
    """Gives the stage that was chosen, after putting it into the network: its heads and, if it tuned, its encoder.

    Args:
        network: Where to begin; the labels are those of the texts.
        texts: What to learn from.
        course: How.

    Raises:
        CorpusError: There are too few texts to cross-validate.
    """
    _store_small(network, course)
    choice = choose_stage(network, texts, course)
    tuned = _tuned(network, texts, course) if choice.chosen.stage == "contrast" else network
    network.reader.encoder = tuned.reader.encoder
    vectors = DealVectors(network).read(texts.examples)
    put_heads(network, _heads(choice.chosen.strength, vectors, texts.gold))
    network.eval()
    return choice


def choose_stage(network: LossNetwork, texts: FewTexts, course: Course) -> Choice:
    """Gives the stage that learns most and is not worse than the best by more than one standard error; the network stays as it is.

    The error is that of the difference between two stages on the same texts.

    Raises:
        CorpusError: There are too few texts to cross-validate.
    """
    folds = make_folds(texts, course.seed)
    known = DealVectors(network).read(texts.examples)
    tuned = [_tuned_vectors(network, texts, fold, course) for fold in folds] if "contrast" in course.stages else []
    tried: list[Tried] = []
    for stage in course.stages:
        seen = tuned if stage == "contrast" else [known] * len(folds)
        ways = (_try(stage, one, texts, folds, seen) for one in _STRENGTHS[stage])
        tried.append(max(ways, key=lambda found: found.mean))
    return Choice(first_as_good(tried[::-1]), tuple(tried), texts.gold.is_single)


def first_as_good(tried: Sequence[Tried]) -> Tried:
    """Gives the first that is not worse than the best by more than one standard error.

    Args:
        tried: In the order of what is expected of them, on the same texts.

    Source: Hastie et al. 2009, "The Elements of Statistical Learning", section 7.10.
    """
    best = max(tried, key=lambda one: one.mean)
    lost = ((one, best.scores - one.scores) for one in tried)
    return next(one for one, less in lost if less.mean() <= less.std(ddof=1) / np.sqrt(len(less)) + _ROUNDING)


def make_folds(texts: FewTexts, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Gives the examples to learn from and to measure on, fold after fold; labels are spread evenly, groups stay together.

    Raises:
        CorpusError: There are fewer groups than folds, or no label has as many texts.
    """
    primary = np.array([texts.gold.primary[rows[-1]] for rows in texts.rows])
    if len(set(texts.groups)) < _FOLDS or np.bincount(primary).max() < _FOLDS:
        raise CorpusError(
            f"A stage cannot be chosen from so few texts: give at least {_FOLDS} of some label, and texts of {_FOLDS} accounts."
        )
    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        found = list(splitter.split(primary, primary, list(texts.groups)))
    return [(learn, measure) for learn, measure in found if len(learn) and len(measure)]


Folds = Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]


def _try(stage: str, strength: float, texts: FewTexts, folds: Folds, seen: Sequence[Array]) -> Tried:
    scores, numbers = np.zeros(len(texts.gold.primary)), np.zeros(len(texts.gold.primary), dtype=np.int64)
    for number, ((learn, measure), vectors) in enumerate(zip(folds, seen, strict=True)):
        learned, measured = texts.views(learn), texts.views(measure)
        heads = _heads(strength, vectors[learned], texts.gold[learned])
        scores[measured] = _scores(heads, vectors[measured], texts.gold, measured)
        numbers[measured] = number
    return Tried(stage, strength, scores, numbers)


def _scores(heads: LinearHeads, vectors: Array, gold: Gold, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    if gold.is_single:
        return np.asarray(heads.decides(vectors) == gold.primary[rows], dtype=np.float64)
    found, wanted = heads.applies(vectors), gold.present[rows]
    both, either = (found & wanted).sum(axis=1), found.sum(axis=1) + wanted.sum(axis=1)
    return np.asarray(2 * both / either, dtype=np.float64)


def _heads(strength: float, vectors: Array, gold: Gold) -> LinearHeads:
    return fit_probe(vectors, gold, strength=strength) if strength else fit_prototypes(vectors, gold)


def _tuned(network: LossNetwork, texts: FewTexts, course: Course) -> LossNetwork:
    tuned = copy.deepcopy(network)
    tune_encoder(DealVectors(tuned), Labelled(texts.examples, texts.gold.present), seed=course.seed)
    _store_small(tuned, course)
    return tuned


def _tuned_vectors(
    network: LossNetwork, texts: FewTexts, fold: tuple[NDArray[np.int64], NDArray[np.int64]], course: Course
) -> Array:
    """Gives the vectors of all texts after tuning on those that a fold learns from."""
    return DealVectors(_tuned(network, texts.part(fold[0]), course)).read(texts.examples)


def _store_small(network: LossNetwork, course: Course) -> None:
    round_to_4_bit(stored_in_4_bits(network.reader.encoder, course.storage))


def gold_of(examples: Sequence[Example]) -> Gold:
    """Gives the labels of the views of examples."""
    targets = [view.targets for example in examples for view in example.views]
    present = np.stack([np.asarray(one["reasons"]) > 0 for one in targets])
    return Gold(present, np.array([int(one["primary"]) for one in targets]))
