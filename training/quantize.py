"""Quantisation-aware steps: the network learns on the 4-bit weights that will be stored.

A step swaps the encoder's weights for their 4-bit values, takes the gradient there and applies it to the full-precision weights
(a straight-through estimator). The grid is the one that the export uses, so exporting such weights changes nothing.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from training.storage import Storage

GROUP_SIZE = 64
_LOWEST, _HIGHEST = -8, 7


def rounded_to_4_bit(weight: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Gives the nearest weights that 4 bits and one scale per group of 64 input channels can hold.

    The scale carries the sign of the extreme value, so that it falls on -8, the end of the range that has one step more.

    Args:
        weight: Shape (outputs, inputs); inputs a multiple of 64.
        out: Where to put them, of the same shape; None takes new memory, which costs more than the rounding.
    """
    groups = weight.reshape(-1, GROUP_SIZE)
    rounded = torch.empty_like(weight) if out is None else out
    lowest, highest = torch.aminmax(groups, dim=1, keepdim=True)
    scale = torch.where(-lowest >= highest, -lowest, -highest) / -_LOWEST
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    torch.div(groups, scale, out=rounded.view(-1, GROUP_SIZE)).round_().clamp_(_LOWEST, _HIGHEST).mul_(scale)
    return rounded


def round_to_4_bit(weights: Iterable[nn.Parameter]) -> None:
    """Puts the nearest values that can be stored where the weights are; see `rounded_to_4_bit`."""
    for weight in weights:
        weight.data = rounded_to_4_bit(weight.data)


def stored_in_4_bits(encoder: PreTrainedModel, storage: Storage) -> list[nn.Parameter]:
    """Gives the weights of the encoder that the export stores in 4 bits: linear layers and, where it is asked, the table of word pieces."""
    if storage.layers != "int4":
        return []
    linear = [module for module in encoder.modules() if isinstance(module, nn.Linear)]
    table = [encoder.get_input_embeddings()] if storage.table == "int4" else []
    matrices = [module.get_parameter("weight") for module in (*table, *linear)]
    return [weight for weight in matrices if weight.shape[1] % GROUP_SIZE == 0]


class FourBitWeights:
    """Weights that can be swapped for their 4-bit values and back, in memory that is taken once.

    Args:
        weights: From `stored_in_4_bits`.
    """

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        self._weights = weights
        self._rounded = [torch.empty_like(weight.data) for weight in weights]

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Swaps the weights for their 4-bit values while the context is open."""
        full = [weight.data for weight in self._weights]
        for weight, rounded in zip(self._weights, self._rounded, strict=True):
            weight.data = rounded_to_4_bit(weight.data, out=rounded)
        try:
            yield
        finally:
            for weight, data in zip(self._weights, full, strict=True):
                weight.data = data
