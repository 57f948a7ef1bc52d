"""How much sooner a model is good when people judge what teaches most: `make learning-curve`.

A labelling history is replayed: the baseline starts from a few labelled deals, and batch after batch of labels is added, chosen by what
teaches most (`lossnlp.teaching`), at random, or oldest first. After each batch it learns anew and is measured on deals held out.
Its vocabulary comes from the texts of all deals, which need no labels.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from lossnlp.errors import LossNlpError
from lossnlp.teaching import choose_teaching
from training.baseline import fit_model, make_chooser, make_features, text_of
from training.corpus import CorpusError, LabelledDeal, corpus_files, read_corpus, split_held_out
from training.metrics import macro_f1
from training.verdict_file import read_verdicts

_HELD_OUT = 0.3
_FEWEST_DEALS = 20
_INCHES, _DOTS_PER_INCH = (7.2, 4.8), 100


@dataclass(frozen=True)
class Plan:
    """How a history is replayed.

    Args:
        first: Labelled deals at the start, drawn at random and the same for every way of choosing.
        batch: Deals labelled between two measurements.
        steps: Batches, at most.
        seeds: Replays, each with a draw and a split of its own.
    """

    first: int = 50
    batch: int = 50
    steps: int = 12
    seeds: int = 3


@dataclass(frozen=True)
class Point:
    """What the baseline was worth after a number of labels: share of right primary reasons, and mean F1 over reasons."""

    labels: int
    accuracy: float
    macro_f1: float


Curve = list[Point]
Choose = Callable[["_World", list[int], int], Sequence[int]]


class _World:
    """One split of a history: what can be labelled, in its order, and what is measured on."""

    def __init__(self, deals: Sequence[LabelledDeal], seed: int) -> None:
        pool, held_out = split_held_out(deals, share=_HELD_OUT, seed=seed)
        if len(pool) < _FEWEST_DEALS or not held_out:
            raise CorpusError(f"{len(deals)} deals are too few to replay; give a file of at least 50.")
        self.draw = random.Random(seed)
        self.gold = [one.labels.primary for one in pool]
        self.test_gold = [one.labels.primary for one in held_out]
        features = make_features()
        self.texts = features.fit_transform([text_of(one.deal) for one in pool])
        self.test = features.transform([text_of(one.deal) for one in held_out])
        self.start = tuple(self.draw.sample(range(len(pool)), len(pool)))

    def left(self, labelled: Sequence[int]) -> list[int]:
        """Gives the deals without a label yet, oldest first."""
        taken = set(labelled)
        return [row for row in range(len(self.gold)) if row not in taken]

    def measure(self, labelled: Sequence[int]) -> Point:
        """Gives what is reached with these labels."""
        model = self.learn(labelled)
        pairs = list(zip(self.test_gold, map(str, model.predict(self.test)), strict=True))
        return Point(len(labelled), fmean(gold == said for gold, said in pairs), macro_f1(pairs))

    def learn(self, labelled: Sequence[int]) -> ClassifierMixin:
        """Gives the baseline's model of the primary reason."""
        return fit_model(make_chooser(), self.texts[list(labelled)], [self.gold[row] for row in labelled])


def by_teaching(world: _World, labelled: list[int], count: int) -> Sequence[int]:
    """Gives the deals that would teach most, as the model so far reads them."""
    left, model = world.left(labelled), world.learn(labelled)
    probabilities = model.predict_proba(world.texts[left])
    if probabilities.shape[1] < 2:
        return at_random(world, labelled, count)
    reasons = [str(model.classes_[at]) for at in probabilities.argmax(axis=1)]
    known = Counter(world.gold[row] for row in labelled)
    return [left[at] for at in choose_teaching(probabilities, reasons, count=count, known=known)]


def at_random(world: _World, labelled: list[int], count: int) -> Sequence[int]:
    """Gives deals by lot."""
    left = world.left(labelled)
    return world.draw.sample(left, min(count, len(left)))


def oldest_first(world: _World, labelled: list[int], count: int) -> Sequence[int]:
    """Gives the deals that have waited longest."""
    return world.left(labelled)[:count]


BY_LOT = "random"
WAYS: Mapping[str, Choose] = {"teaches most": by_teaching, BY_LOT: at_random, "oldest first": oldest_first}


@dataclass(frozen=True)
class Replayed:
    """What came out.

    Args:
        curves: For each way of choosing one curve a seed.
        full: What each seed's deals reach with all labels.
    """

    curves: Mapping[str, Sequence[Curve]]
    full: Sequence[Point]

    @property
    def target(self) -> float:
        """The accuracy that labels by lot reach in the end."""
        return fmean(curve[-1].accuracy for curve in self.curves[BY_LOT])

    def labels_to_target(self, way: str) -> float | None:
        """Gives how many labels the mean curve of a way takes to the target, between points in a straight line; None if more."""
        means = [fmean(curve[at].accuracy for curve in self.curves[way]) for at in range(len(self.curves[way][0]))]
        counts = [point.labels for point in self.curves[way][0]]
        for at, mean in enumerate(means):
            if mean >= self.target:
                if at == 0:
                    return float(counts[0])
                share = (self.target - means[at - 1]) / (mean - means[at - 1])
                return counts[at - 1] + share * (counts[at] - counts[at - 1])
        return None


def replay(deals: Sequence[LabelledDeal], plan: Plan) -> Replayed:
    """Gives the curves of every way of choosing over a history.

    Args:
        deals: Labelled deals, oldest first.
        plan: How to replay.

    Raises:
        CorpusError: There are too few deals.
    """
    curves: dict[str, list[Curve]] = {way: [] for way in WAYS}
    full: list[Point] = []
    for seed in range(plan.seeds):
        world = _World(deals, seed)
        full.append(world.measure(world.start))
        for way, choose in WAYS.items():
            curves[way].append(_follow(world, choose, plan))
    shortest = min(len(curve) for found in curves.values() for curve in found)
    return Replayed({way: [curve[:shortest] for curve in found] for way, found in curves.items()}, full)


def _follow(world: _World, choose: Choose, plan: Plan) -> Curve:
    labelled = list(world.start[: plan.first])
    curve = [world.measure(labelled)]
    for _ in range(plan.steps):
        if len(labelled) + plan.batch > len(world.gold):
            break
        labelled += choose(world, labelled, plan.batch)
        curve.append(world.measure(labelled))
    return curve


def make_table(replayed: Replayed) -> str:
    """Gives the accuracies as a Markdown table, mean and spread over the seeds, and below what they come to."""
    ways = list(replayed.curves)
    rows = [["labels", *ways], ["---"] * (1 + len(ways))]
    for at, point in enumerate(replayed.curves[ways[0]][0]):
        cells = [_spread([curve[at].accuracy for curve in replayed.curves[way]]) for way in ways]
        rows.append([str(point.labels), *cells])
    rows.append([f"all ({replayed.full[0].labels})", *[_spread([one.accuracy for one in replayed.full])] * len(ways)])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"{table}\n\n{_summary(replayed)}\n"


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def _summary(replayed: Replayed) -> str:
    needed = {way: replayed.labels_to_target(way) for way in replayed.curves}
    said = [f"{way}: {'more than were replayed' if count is None else round(count)}" for way, count in needed.items()]
    target = f"In the end labels by lot reach {replayed.target:.3f}."
    last = [f"{way} {fmean(one[-1].macro_f1 for one in found):.3f}" for way, found in replayed.curves.items()]
    return f"{target}\nLabels it takes to come there: {'; '.join(said)}.\nMean F1 over reasons at the end: {'; '.join(last)}."


def write_picture(replayed: Replayed, path: Path) -> None:
    """Writes the curves as a PNG: mean over the seeds, and the range between them."""
    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for way, curves in replayed.curves.items():
        counts = [point.labels for point in curves[0]]
        values: NDArray[np.float64] = np.array([[point.accuracy for point in curve] for curve in curves])
        (drawn,) = axes.plot(counts, values.mean(axis=0), "o-", markersize=3, label=way)
        axes.fill_between(counts, values.min(axis=0), values.max(axis=0), alpha=0.15, color=drawn.get_color())
    axes.axhline(replayed.target, color="grey", linewidth=0.8, linestyle="--", label="reached by lot")
    axes.set(title="Primary reason: what labels buy", xlabel="labelled deals", ylabel="share right on held-out deals")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def thin_out(deals: Sequence[LabelledDeal], most: int) -> list[LabelledDeal]:
    """Gives at most so many deals, evenly over the history and in its order; 0 keeps all."""
    step = max(1, -(-len(deals) // most)) if most else 1
    return list(deals[::step])


def main() -> None:
    """Replays a labelling history and writes table and picture."""
    ask = argparse.ArgumentParser(prog="python -m training.learning_curve", description=main.__doc__)
    ask.add_argument("--corpus", type=Path, nargs="*", help="labelled JSON-lines files; default: training/corpus")
    ask.add_argument("--verdicts", type=Path, help="file of exported verdicts to replay instead of a corpus")
    ask.add_argument("--deals", type=int, default=3000, help="most deals, evenly over the history; 0 for all")
    for name in ("first", "batch", "steps", "seeds"):
        ask.add_argument(f"--{name}", type=int, default=getattr(Plan(), name), help="default: %(default)s")
    ask.add_argument("--picture", type=Path, default=Path("runs/learning_curve.png"), help="default: %(default)s")
    asked = ask.parse_args()
    plan = Plan(first=asked.first, batch=asked.batch, steps=asked.steps, seeds=asked.seeds)
    try:
        deals = read_verdicts(asked.verdicts) if asked.verdicts else read_corpus(asked.corpus or corpus_files())
        replayed = replay(thin_out(deals, asked.deals), plan)
    except LossNlpError as error:
        sys.exit(f"training.learning_curve: {error.message}")
    write_picture(replayed, asked.picture)
    sys.stdout.write(make_table(replayed))


if __name__ == "__main__":
    main()
