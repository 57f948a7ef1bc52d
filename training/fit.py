"""Fitting: epochs of optimisation with warm-up, resumable after each epoch."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from training.config import TrainConfig
from training.encoders import layers_of
from training.examples import Example
from training.network import LossNetwork, make_batch
from training.objective import Objective
from training.quantize import FourBitWeights, round_to_4_bit, stored_in_4_bits
from training.schedule import warm_then_down

_CLIP_NORM = 1.0
_POOL_BATCHES = 20
_AVERAGE_EVERY = 8
_MEASURED_STEPS = 4


@dataclass(frozen=True)
class FitResult:
    """Mean loss of each epoch, and of each term in it."""

    curve: tuple[dict[str, float], ...]


def length_batches(examples: Sequence[Example], *, config: TrainConfig, seed: int) -> Iterator[list[Example]]:
    """Gives the examples in shuffled batches of like length, so that little is padding.

    Args:
        examples: What to batch.
        config: `batch_deals` and `batch_tokens` bound a batch.
        seed: Of the shuffle.
    """
    shuffle = random.Random(seed)
    order = list(examples)
    shuffle.shuffle(order)
    pool = config.batch_deals * _POOL_BATCHES
    batches: list[list[Example]] = []
    for low in range(0, len(order), pool):
        batches.extend(_cut(sorted(order[low : low + pool], key=_padded_tokens), config))
    shuffle.shuffle(batches)
    yield from batches


def _padded_tokens(example: Example) -> int:
    return len(example.windows) * max(len(window.ids) for window in example.windows)


def _cut(examples: Sequence[Example], config: TrainConfig) -> Iterator[list[Example]]:
    batch: list[Example] = []
    windows, longest = 0, 0
    for example in examples:
        length = max(longest, *(len(window.ids) for window in example.windows))
        too_large = (windows + len(example.windows)) * length > config.batch_tokens
        if batch and (too_large or len(batch) == config.batch_deals):
            yield batch
            batch, windows, length = [], 0, max(len(window.ids) for window in example.windows)
        batch.append(example)
        windows, longest = windows + len(example.windows), length
    if batch:
        yield batch


def fit(
    network: LossNetwork,
    examples: Sequence[Example],
    *,
    config: TrainConfig,
    folder: Path,
    on_epoch: Callable[[int, dict[str, float]], None],
) -> FitResult:
    """Trains the network in place and gives its loss curve.

    After each epoch the state goes to `folder/state.pt`; a run of the same settings on the same deals goes on from there.
    What does not learn is stored small from the start; the last epochs learn on all weights as they will be stored.

    Args:
        network: The network; its embedding table stays as it is.
        examples: What to learn from.
        config: Settings.
        folder: Where the state is kept.
        on_epoch: Called with the epoch's number, from 1, and its mean losses.
    """
    run = _Run(network, examples, config)
    curve = _resume(folder, run)
    network.train()
    for epoch in range(len(curve), config.epochs):
        curve.append(run.epoch(epoch))
        on_epoch(epoch + 1, curve[-1])
        _keep(folder, run, curve)
    network.eval()
    run.average.replace_weights()
    round_to_4_bit(run.stored_small)
    return FitResult(tuple(curve))


def measure_token_s(network: LossNetwork, examples: Sequence[Example], config: TrainConfig) -> float:
    """Gives the seconds that a token takes in a step, measured on a few steps of a copy of the network.

    Args:
        network: The network; it stays as it is.
        examples: Deals as the run will read them, at least one.
        config: Settings.
    """
    tried = copy.deepcopy(network).train()
    run = _Run(tried, examples, config)
    small = FourBitWeights(run.stored_small if config.quantized_epochs else [])
    batches = list(length_batches(examples, config=config, seed=config.seed))
    spent, tokens = 0.0, 0
    for number, batch in enumerate(batches[:_MEASURED_STEPS]):
        begun = time.perf_counter()
        run.step(batch, small)
        if number or len(batches) == 1:  # the first step takes the memory too
            spent += time.perf_counter() - begun
            tokens += sum(example.n_tokens for example in batch)
    return spent / tokens


class _Run:
    """Network, optimizer and schedule of one fit."""

    def __init__(self, network: LossNetwork, examples: Sequence[Example], config: TrainConfig) -> None:
        self.network, self.config = network, config
        self.key = _key(config, examples)
        self._examples = examples
        self._objective = Objective(config, network.layout)
        self.optimizer = AdamW(_parameter_groups(network, config), fused=True)
        small = stored_in_4_bits(network.reader.encoder, config.storage)
        self.stored_small = [weight for weight in small if weight.requires_grad]
        round_to_4_bit(weight for weight in small if not weight.requires_grad)
        self.average = _Average(network, steps=config.averaged_steps)
        total = sum(len(self._batches(epoch)) for epoch in range(config.epochs))
        self.schedule = LambdaLR(self.optimizer, warm_then_down(total, config.warmup))

    def _batches(self, epoch: int) -> list[list[Example]]:
        read = [
            example
            for number, example in enumerate(self._examples)
            if example.n_tokens <= self.config.long_tokens or number % 2 == epoch % 2
        ]
        return list(length_batches(read, config=self.config, seed=_seed(self.config, epoch)))

    def epoch(self, epoch: int) -> dict[str, float]:
        """Gives the mean of each loss term over one pass."""
        torch.manual_seed(_seed(self.config, epoch))
        is_late = epoch >= self.config.epochs - self.config.quantized_epochs
        small = FourBitWeights(self.stored_small if is_late else [])
        batches = self._batches(epoch)
        sums: dict[str, float] = {}
        bar = tqdm(batches, desc=f"epoch {epoch + 1}/{self.config.epochs}", disable=None, unit="step")
        for examples in bar:
            terms = self.step(examples, small)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value
            bar.set_postfix(loss=f"{sum(terms.values()):.2f}")
        return {name: value / len(batches) for name, value in sums.items()}

    def step(self, examples: Sequence[Example], small: FourBitWeights) -> dict[str, float]:
        """Gives the loss terms of a batch after learning from it."""
        batch = make_batch(examples, pad_id=self.network.pad_id)
        self.optimizer.zero_grad()
        with small.swapped_in():
            terms = self._objective(self.network(batch), batch, examples)
            torch.autograd.backward(torch.stack(list(terms.values())).sum())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP_NORM)
        self.optimizer.step()
        self.schedule.step()
        self.average.step()
        return {name: float(term.detach()) for name, term in terms.items()}


class _Average:
    """A moving average of the weights that learn; lies flatter in the loss than the last step does.

    Args:
        network: Whose weights.
        steps: Steps it reaches back, about; 0 for none.

    Source: Polyak and Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging".
    """

    def __init__(self, network: LossNetwork, *, steps: int) -> None:
        self._weights = [weight for weight in network.parameters() if weight.requires_grad] if steps else []
        self.means = [weight.detach().clone() for weight in self._weights]
        self._share = _AVERAGE_EVERY / max(steps, _AVERAGE_EVERY)
        self._taken = 0

    def step(self) -> None:
        """Takes in the weights after a step of the optimizer: those of every few steps, which costs less and says the same."""
        self._taken += 1
        if self._taken % _AVERAGE_EVERY:
            return
        share = max(self._share, _AVERAGE_EVERY / self._taken)
        for mean, weight in zip(self.means, self._weights, strict=True):
            mean.lerp_(weight.detach(), share)

    def replace_weights(self) -> None:
        """Puts the means where the weights are; a run too short for a mean keeps its last weights."""
        if self._taken < _AVERAGE_EVERY:
            return
        for mean, weight in zip(self.means, self._weights, strict=True):
            weight.data.copy_(mean)

    def kept(self) -> dict[str, object]:
        """Gives what `take_up` goes on from."""
        return {"means": self.means, "taken": self._taken}

    def take_up(self, kept: dict[str, Any]) -> None:
        """Goes on from what `kept` gave."""
        for mean, saved in zip(self.means, kept["means"], strict=True):
            mean.copy_(saved)
        self._taken = int(kept["taken"])


def _seed(config: TrainConfig, epoch: int) -> int:
    return config.seed * 1_000 + epoch


def _parameter_groups(network: LossNetwork, config: TrainConfig) -> list[dict[str, object]]:
    """Gives encoder and heads at their own rates; the embedding table is frozen (half the work, and rare words keep their sense)."""
    encoder = network.reader.encoder
    for frozen in (encoder.get_input_embeddings(), *layers_of(encoder)[: config.frozen_layers]):
        frozen.requires_grad_(requires_grad=False)
    rates = _layer_rates(network, config)
    groups: list[dict[str, object]] = []
    for rate in sorted({config.head_lr, config.encoder_lr, *rates.values()}):
        for is_matrix in (True, False):
            chosen = [
                parameter
                for name, parameter in network.named_parameters()
                if parameter.requires_grad
                and _rate_of(name, config, rates) == rate
                and (parameter.ndim > 1) == is_matrix
            ]
            groups.append({"params": chosen, "lr": rate, "weight_decay": config.weight_decay if is_matrix else 0.0})
    return groups


def _layer_rates(network: LossNetwork, config: TrainConfig) -> dict[str, float]:
    """Gives the learning rate of each encoder layer by the beginning of its weights' names.

    Source: Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text Classification", section 3.2.
    """
    layers = layers_of(network.reader.encoder)
    modules = {id(module): name for name, module in network.named_modules()}
    return {
        f"{modules[id(layer)]}.": config.encoder_lr * config.layer_decay**height
        for height, layer in enumerate(reversed(layers))
    }


def _rate_of(name: str, config: TrainConfig, rates: dict[str, float]) -> float:
    if not name.startswith("reader.encoder."):
        return config.head_lr
    return next((rate for layer, rate in rates.items() if name.startswith(layer)), min(rates.values()))


def _key(config: TrainConfig, examples: Sequence[Example]) -> str:
    """Gives a hash of all that a kept state must agree with: the settings and what there is to learn."""
    digest = hashlib.sha256(config.model_dump_json().encode())
    for example in examples:
        digest.update(example.deal_id.encode())
        for window in example.windows:
            digest.update(window.ids.tobytes())
        for view in example.views:
            digest.update(repr(sorted(view.targets.items(), key=lambda pair: pair[0])).encode())
            digest.update(view.evidence.tobytes())
    return digest.hexdigest()


def _keep(folder: Path, run: _Run, curve: list[dict[str, float]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "key": run.key,
        "network": run.network.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "average": run.average.kept(),
        "curve": json.dumps(curve),
    }
    torch.save(state, folder / "state.part")
    (folder / "state.part").replace(folder / "state.pt")


def _resume(folder: Path, run: _Run) -> list[dict[str, float]]:
    """Gives the loss curve so far, after loading the kept state of a run with the same settings; empty for a new run."""
    path = folder / "state.pt"
    if not path.exists():
        return []
    state = torch.load(path, weights_only=True, map_location="cpu")
    if state["key"] != run.key:
        return []
    run.network.load_state_dict(state["network"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.schedule.load_state_dict(state["schedule"])
    run.average.take_up(state["average"])
    curve: list[dict[str, float]] = json.loads(state["curve"])
    return curve
