"""Contrast: a short tuning of an encoder that draws texts of one label together and pushes those of others apart.

SetFit's loss on all pairs of a step at once, which takes a fraction of its passes over the encoder.

Source: Tunstall et al. 2022, "Efficient Few-Shot Learning Without Prompts".
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from training.examples import Example
from training.vectors import DealVectors, view_rows

_LABELS_A_STEP = 16
_TEXTS_A_LABEL = 2
_PASSES = 10
_FEWEST_STEPS, _MOST_STEPS = 40, 200
_RATE = 1e-4
_WARMUP = 0.1
_WEIGHT_DECAY = 0.01
_CLIP_NORM = 1.0


@dataclass(frozen=True)
class Labelled:
    """Examples with the labels of their views.

    Args:
        examples: What to read.
        present: Whether a view has a label, shape (views, labels), one example after the other.
    """

    examples: Sequence[Example]
    present: NDArray[np.bool_]


def tune_encoder(vectors: DealVectors, labelled: Labelled, *, seed: int) -> None:
    """Tunes the encoder that the vectors are read off, in place.

    Args:
        vectors: Its reader.
        labelled: What to learn from.
        seed: Of the draws and of dropout.
    """
    torch.manual_seed(seed)
    encoder = vectors.reader.reader.encoder
    encoder.get_input_embeddings().requires_grad_(requires_grad=False)  # half the work, and rare words keep their sense
    learning = [one for one in encoder.parameters() if one.requires_grad]
    steps = count_steps(len(labelled.examples))
    optimizer = AdamW(learning, lr=_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = LambdaLR(optimizer, lambda step: min((step + 1) / (_WARMUP * steps), (steps - step) / steps))
    places = view_rows(labelled.examples)
    vectors.reader.train()
    for chosen in tqdm(_draws(labelled, places, steps, seed), desc="contrast", total=steps, disable=None, unit="step"):
        views = [view for place in chosen for view in places[place]]
        pooled = vectors.pooled([labelled.examples[place] for place in chosen])
        optimizer.zero_grad()
        torch.autograd.backward(contrast(pooled, torch.from_numpy(labelled.present[views])))
        torch.nn.utils.clip_grad_norm_(learning, _CLIP_NORM)
        optimizer.step()
        schedule.step()
    vectors.reader.eval()


def count_steps(texts: int) -> int:
    """Gives how many steps are made over a number of texts: ten passes, within bounds."""
    return min(max(_FEWEST_STEPS, _PASSES * texts // (_LABELS_A_STEP * _TEXTS_A_LABEL)), _MOST_STEPS)


def contrast(vectors: Tensor, present: Tensor) -> Tensor:
    """Gives the loss of a step: how far the nearness of each two texts lies from the share of labels that they have in common.

    Pairs with a common label and pairs without one count alike, however many there are of each.

    Args:
        vectors: Shape (texts, width).
        present: Whether a text has a label, shape (texts, labels).
    """
    directions = functional.normalize(vectors, dim=1)
    has = present.float()
    both, counts = has @ has.T, has.sum(1)
    common = both / (counts[:, None] + counts[None, :] - both).clamp(min=1)
    missed = (directions @ directions.T - common) ** 2
    others = ~torch.eye(len(vectors), dtype=torch.bool)
    kinds = (others & (common > 0), others & (common == 0))
    return torch.stack([missed[kind].mean() for kind in kinds if bool(kind.any())]).sum()


def _draws(labelled: Labelled, places: Sequence[range], steps: int, seed: int) -> Iterator[list[int]]:
    """Gives the examples of each step: some labels, and two examples of each."""
    draw = random.Random(seed)
    has = np.stack([labelled.present[list(views)].any(axis=0) for views in places])
    of_label = [np.flatnonzero(column).tolist() for column in has.T if column.any()]
    for _ in range(steps):
        groups = draw.sample(of_label, min(_LABELS_A_STEP, len(of_label)))
        repeats = max(1, _LABELS_A_STEP // len(groups))
        chosen = (one for group in groups for one in draw.sample(group, min(_TEXTS_A_LABEL * repeats, len(group))))
        yield list(dict.fromkeys(chosen))
