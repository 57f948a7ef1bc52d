"""Vectors of deals: the mean of an encoder's token vectors over each view, pooled as the heads pool where every token counts alike.

A head that is linear in these vectors can therefore be put into the network without any change to what it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lossnlp.heads import Layout
from training.examples import Example
from training.linear_heads import LinearHeads
from training.network import Batch, LossNetwork, attend, keep_strongest, make_batch

_TOKENS_AT_ONCE = 4096


def view_rows(examples: Sequence[Example]) -> list[range]:
    """Gives the rows that the views of each example have where those of all stand one example after the other."""
    ends = np.cumsum([0, *(len(example.views) for example in examples)])
    return [range(int(low), int(high)) for low, high in pairwise(ends)]


class DealVectors:
    """Reads vectors of deals off the encoder of a network.

    Args:
        network: Whose encoder; it is shared, not copied.
    """

    def __init__(self, network: LossNetwork) -> None:
        encoder = network.reader.encoder
        self.reader = LossNetwork(encoder, Layout((), ()), tokens_at_once=network.tokens_at_once)
        width = int(encoder.config.hidden_size)
        self.reader.reader.head = nn.Linear(width, width, bias=False).requires_grad_(requires_grad=False)
        nn.init.eye_(self.reader.reader.head.weight)
        self.reader.reader.head.to(next(encoder.parameters()).device)

    def pooled(self, examples: Sequence[Example]) -> Tensor:
        """Gives the vector of each view of the examples, one example after the other, shape (views, width)."""
        batch = make_batch(examples, pad_id=self.reader.pad_id)
        return _pooled(self.reader.read(batch), batch)

    def read(self, examples: Sequence[Example]) -> NDArray[np.float32]:
        """Gives the same of any number of examples, without learning, shape (views, width)."""
        self.reader.eval()
        rows: dict[int, NDArray[np.float32]] = {}
        with torch.no_grad():
            for part in parts_of_like_length(examples):
                vectors = self.pooled([examples[place] for place in part]).numpy()
                ends = np.cumsum([len(examples[place].views) for place in part])[:-1]
                rows |= dict(zip(part, np.split(vectors, ends), strict=True))
        return np.concatenate([rows[place] for place in range(len(examples))])


def parts_of_like_length(examples: Sequence[Example]) -> Iterator[list[int]]:
    """Gives the numbers of the examples, shortest first, in parts of a bounded number of tokens; a longer one is alone."""
    part: list[int] = []
    for place in sorted(range(len(examples)), key=lambda place: examples[place].n_tokens):
        if part and (len(part) + 1) * examples[place].n_tokens > _TOKENS_AT_ONCE:
            yield part
            part = []
        part.append(place)
    if part:
        yield part


def _pooled(tokens: Tensor, batch: Batch) -> Tensor:
    owners = torch.zeros(tokens.shape[1], dtype=torch.int64)
    alike = torch.zeros(len(tokens), 1)
    mass, values = attend(alike, tokens, groups=(batch.segment_of, batch.n_segments), owners=owners)
    views = batch.view_of, batch.n_views
    strong = keep_strongest(mass[batch.members], groups=views)
    return attend(strong, values[batch.members], groups=views, owners=owners)[1]


def put_heads(network: LossNetwork, heads: LinearHeads) -> None:
    """Lets the network's reasons say what linear heads say of the vectors; all else stays as it is.

    Args:
        network: A network of the labels that the heads are for.
        heads: One row a label.
    """
    layout, head = network.layout, network.reader.head
    n, values = len(layout.reasons), layout.n_slots
    with torch.no_grad():
        head.weight[:n] = 0
        head.bias[:n] = 0
        for place, (weight, bias) in enumerate((heads.reasons, heads.primary)):
            head.weight[values + place : values + 2 * n : 2] = torch.from_numpy(weight).to(head.weight)
            head.bias[values + place : values + 2 * n : 2] = torch.from_numpy(bias).to(head.bias)
        network.mixing.outer.weight[: 2 * n] = 0
        network.mixing.outer.bias[: 2 * n] = 0
        for columns in _columns_of_reasons(layout):
            network.mixing.inner.weight[:, columns] = 0


def _columns_of_reasons(layout: Layout) -> tuple[slice, ...]:
    """Gives the inputs of the mixing layer that come from reasons: values, strongest segment and place."""
    n, after = len(layout.reasons), layout.n_values + layout.n_slots
    return slice(2 * n), slice(layout.n_values, layout.n_values + n), slice(after, after + n)
