"""The heads alone: what the encoder reads stays as it is, and only what is concluded from it is learned.

A few hundred verdicts can teach how a company files its losses, but not how to read. The token vectors of each deal are therefore read
once, and a pass over them takes seconds. What the deals of the corpus teach beside own ones is chosen by cross-validation: they keep what
was known, and speak against what a company files otherwise.

Source: docs/decisions/0026-verdicts-teach-the-heads.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from training.config import TrainConfig
from training.examples import IGNORE, Example
from training.few_labels import FewTexts, Folds, Tried, first_as_good, gold_of, make_folds
from training.material import Material
from training.network import Batch, LossNetwork, NetworkOutput, make_batch
from training.objective import Objective
from training.quantize import round_to_4_bit, stored_in_4_bits
from training.schedule import warm_then_down
from training.storage import AS_LEARNED, Storage
from training.vectors import parts_of_like_length

# What corpus deals teach beside own ones, from the most on: of which targets they are silent.
LESSONS: Mapping[str, tuple[str, ...]] = {
    "everything": (),
    "all but the primary reason": ("primary",),
    "all but the reasons": ("primary", "reasons"),
}
MOST_DEALS = 1_000
CORPUS_PER_OWN = 6
_PASSES = 4
_RATE = 1e-3
_DEALS_A_STEP = 16
_CLIP_NORM = 1.0
_OF_THE_WAY = 0.7
_FEWEST_GROUPS = 6


def is_for_heads(config: TrainConfig, material: Material, bundle: Path | None) -> bool:
    """Says whether a run fits the heads alone: told to, or left to itself with at most 1,000 own deals and a bundle to begin from.

    Args:
        config: `learns` says what is wanted.
        material: What there is to learn from.
        bundle: The bundle to begin from; None: an encoder.
    """
    if config.learns == "auto":
        return bundle is not None and bool(material.verdicts) and len(material.learn) <= MOST_DEALS
    return config.learns == "heads"


@dataclass(frozen=True)
class ReadDeals:
    """Deals as the encoder reads them.

    Args:
        examples: The deals.
        tokens: Vectors of the owned tokens of each, shape (tokens, width), bfloat16.
    """

    examples: Sequence[Example]
    tokens: Sequence[Tensor]

    def __len__(self) -> int:
        return len(self.examples)

    def part(self, chosen: Sequence[int] | NDArray[np.int64]) -> ReadDeals:
        """Gives some of them."""
        return ReadDeals([self.examples[place] for place in chosen], [self.tokens[place] for place in chosen])

    def beside(self, other: ReadDeals) -> ReadDeals:
        """Gives these and then the others."""
        return ReadDeals([*self.examples, *other.examples], [*self.tokens, *other.tokens])


@dataclass(frozen=True)
class LessonChoice:
    """What the corpus teaches beside own deals.

    Args:
        lesson: One of LESSONS.
        tried: Each on own deals that it had not learned from; none where there were too few to try.
    """

    lesson: str
    tried: tuple[Tried, ...] = ()

    @property
    def said(self) -> str:
        """What was chosen and why, in a sentence."""
        each = ", ".join(f"{one.stage} {one.mean:.3f} (folds differ by {one.spread:.3f})" for one in self.tried)
        why = f"; mean probability of the judged primary reason by cross-validation: {each}" if each else ""
        return f"heads alone are learned, and the corpus beside them teaches {self.lesson}{why}"


def read_tokens(network: LossNetwork, examples: Sequence[Example], *, storage: Storage = AS_LEARNED) -> ReadDeals:
    """Gives the deals as the network's encoder reads them, without dropout.

    Args:
        network: Whose encoder.
        examples: The deals, in the order that is given back.
        storage: How the encoder will be stored; what goes into 4 bits is rounded before it reads.
    """
    round_to_4_bit(stored_in_4_bits(network.reader.encoder, storage))
    network.eval()
    found: dict[int, Tensor] = {}
    bar = tqdm(total=len(examples), desc="reading tokens", disable=None, unit="deal")
    for places in parts_of_like_length(examples):
        part = [examples[place] for place in places]
        read = torch.split(_vectors(network, part), [len(one.segment_of) for one in part])
        found |= dict(zip(places, read, strict=True))
        bar.update(len(places))
    bar.close()
    return ReadDeals(examples, [found[place] for place in range(len(examples))])


def _vectors(network: LossNetwork, examples: Sequence[Example]) -> Tensor:
    """Gives the vectors of the owned tokens of all examples, shape (tokens, width), bfloat16 on the CPU."""
    encoder, device = network.reader.encoder, network.reader.head.weight.device
    batch = make_batch(examples, pad_id=network.pad_id)
    with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
        hidden = encoder(input_ids=batch.ids.to(device), attention_mask=batch.mask.to(device)).last_hidden_state
    vectors: Tensor = hidden.flatten(0, 1)[batch.owned.to(device)].bfloat16().cpu()
    return vectors


def learn_heads(
    network: LossNetwork, own: ReadDeals, corpus: ReadDeals, *, groups: Sequence[str], config: TrainConfig
) -> LessonChoice:
    """Gives what the corpus taught, after fitting the network's heads on own deals and on it in place.

    Args:
        network: Where to begin; its encoder stays as it is.
        own: A company's deals, at least one.
        corpus: Deals of the corpus.
        groups: What must stay on one side of a fold, one for each own deal.
        config: Settings; `seed`, `weights` and what else the objective takes.
    """
    choice = choose_lesson(network, own, corpus, groups=groups, config=config)
    fit_heads(network, own.beside(silent(corpus, choice.lesson)), config=config)
    return choice


def silent(corpus: ReadDeals, lesson: str) -> ReadDeals:
    """Gives deals of the corpus that teach no more than a lesson."""
    return ReadDeals([_masked(example, LESSONS[lesson]) for example in corpus.examples], corpus.tokens)


def _masked(example: Example, names: Sequence[str]) -> Example:
    """Gives the example without the targets of those names."""
    views = []
    for view in example.views:
        unlabelled = np.full_like(np.asarray(view.targets["reasons"]), np.nan)
        unknown: dict[str, NDArray[np.float32] | int] = {"primary": IGNORE, "reasons": unlabelled}
        views.append(replace(view, targets=view.targets | {name: unknown[name] for name in names}))
    return replace(example, views=tuple(views))


def choose_lesson(
    network: LossNetwork, own: ReadDeals, corpus: ReadDeals, *, groups: Sequence[str], config: TrainConfig
) -> LessonChoice:
    """Gives the largest lesson that is not worse for own deals than the best by more than one standard error; the network stays as it is.

    Args: See `learn_heads`.
    """
    if not len(corpus) or len(set(groups)) < _FEWEST_GROUPS:
        return LessonChoice(next(iter(LESSONS)))
    folds = make_folds(FewTexts(own.examples, gold_of(own.examples), groups), config.seed)
    tried = tuple(_try(network, own, (name, silent(corpus, name)), folds=folds, config=config) for name in LESSONS)
    return LessonChoice(first_as_good(tried).stage, tried)


def _try(
    network: LossNetwork, own: ReadDeals, lesson: tuple[str, ReadDeals], *, folds: Folds, config: TrainConfig
) -> Tried:
    """Gives the probability that the judged primary reason of each own deal gets from heads that have not learned from it."""
    scores, numbers = np.zeros(len(own)), np.zeros(len(own), dtype=np.int64)
    begun = _kept(network)
    for number, (learn, measure) in enumerate(folds):
        fit_heads(network, own.part(learn).beside(lesson[1]), config=config)
        scores[measure] = probability_of_primary(network, own.part(measure))
        numbers[measure] = number
        _put_back(network, begun)
    return Tried(lesson[0], 0.0, scores, numbers)


def fit_heads(network: LossNetwork, deals: ReadDeals, *, config: TrainConfig) -> None:
    """Fits the token head and the mixing layer in place, and stays seven tenths of the way to the fit: labels few deals show lose less.

    Args:
        network: Where to begin; its encoder stays as it is.
        deals: What to learn from, at least one.
        config: `seed`, `warmup`, `weight_decay` and what the objective takes.

    Source: Wortsman et al. 2022, "Robust Fine-Tuning of Zero-Shot Models"; docs/decisions/0026-verdicts-teach-the-heads.md.
    """
    torch.manual_seed(config.seed)
    objective = Objective(config, network.layout)
    learning, begun = _learning(network), _kept(network)
    optimizer = AdamW(learning, lr=_RATE, weight_decay=config.weight_decay)
    steps = [step for number in range(_PASSES) for step in _steps(len(deals), seed=config.seed * 1_000 + number)]
    schedule = LambdaLR(optimizer, warm_then_down(len(steps), config.warmup))
    network.train()
    for chosen in tqdm(steps, desc="heads", disable=None, unit="step"):
        part = deals.part(chosen)
        optimizer.zero_grad()
        output, batch = _read(network, part)
        terms = objective(output, batch, part.examples)
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        torch.nn.utils.clip_grad_norm_(learning, _CLIP_NORM)
        optimizer.step()
        schedule.step()
    for weight, before in zip(learning, begun, strict=True):
        weight.data.copy_(before.lerp(weight.data, _OF_THE_WAY))
    network.eval()


def _learning(network: LossNetwork) -> list[nn.Parameter]:
    return [*network.reader.head.parameters(), *network.mixing.parameters()]


def _steps(count: int, *, seed: int) -> Iterator[list[int]]:
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return (order[low : low + _DEALS_A_STEP] for low in range(0, count, _DEALS_A_STEP))


def _read(network: LossNetwork, deals: ReadDeals) -> tuple[NetworkOutput, Batch]:
    """Gives what the heads say of the deals, and the deals as a batch; in training each deal loses columns of its own."""
    batch = make_batch(deals.examples, pad_id=network.pad_id)
    reader = network.reader
    vectors = torch.cat([reader.dropout(one.float()[None])[0] for one in deals.tokens])
    return network.pool(reader.head(vectors.to(reader.head.weight.device)).cpu(), batch), batch


def probability_of_primary(network: LossNetwork, deals: ReadDeals) -> NDArray[np.float64]:
    """Gives the probability, before any calibration, of each deal's gold primary reason, shape (deals,); 0 where there is none."""
    primary = network.layout.outputs["primary"]
    found = []
    with torch.no_grad():
        for place in range(len(deals)):
            output, _ = _read(network, deals.part([place]))
            gold = int(deals.examples[place].views[-1].targets["primary"])
            found.append(0.0 if gold == IGNORE else float(output.logits[-1, primary].softmax(0)[gold]))
    return np.array(found)


def _kept(network: LossNetwork) -> list[Tensor]:
    """Gives a copy of what a fit of the heads changes."""
    return [weight.detach().clone() for weight in _learning(network)]


def _put_back(network: LossNetwork, kept: Sequence[Tensor]) -> None:
    for weight, before in zip(_learning(network), kept, strict=True):
        weight.data.copy_(before)
