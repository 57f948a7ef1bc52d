"""The network: an encoder whose token vectors feed the slots that segments and views are read through.

The pooling is the same arithmetic as `lossnlp.heads`, in torch and for a batch of deals; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from lossnlp.heads import POSITION_SCALE, STRONGEST, Layout
from training.examples import Example

HIDDEN = 128
TOKENS_AT_ONCE = 2048
RARE_LABEL = -2.0
RARE_TAG = -5.0


@dataclass(frozen=True)
class Batch:
    """Some deals side by side.

    Args:
        ids: Token ids, shape (windows, length).
        mask: 1 where a token is real, shape (windows, length).
        owned: Flat positions of the owned tokens, shape (tokens,).
        segment_of: Segment of each owned token, shape (tokens,).
        n_segments: Number of segments.
        members: Segment of each view member, shape (members,).
        view_of: View of each member, shape (members,).
        places: Relative position of each member in its view, 0 to 1, shape (members,).
        sources: Whether a view holds a note, the buyer's words, and its length, shape (views, 3).
    """

    ids: Tensor
    mask: Tensor
    owned: Tensor
    segment_of: Tensor
    n_segments: int
    members: Tensor
    view_of: Tensor
    places: Tensor
    sources: Tensor

    @property
    def n_views(self) -> int:
        """Number of views."""
        return len(self.sources)


@dataclass(frozen=True)
class NetworkOutput:
    """What the network says of a batch.

    Args:
        logits: Per view, shape (views, outputs).
        segment_values: Per segment, shape (segments, values).
        attention: Token scores, shape (tokens, slots).
        view_mass: Log of the summed attention of each view, shape (views, slots).
        tags: Token tags, shape (tokens, tags).
    """

    logits: Tensor
    segment_values: Tensor
    attention: Tensor
    view_mass: Tensor
    tags: Tensor


def make_batch(examples: Sequence[Example], *, pad_id: int) -> Batch:
    """Gives the examples padded and indexed for one step."""
    windows = [window for example in examples for window in example.windows]
    length = max(len(window.ids) for window in windows)
    ids = np.full((len(windows), length), pad_id, dtype=np.int64)
    mask = np.zeros((len(windows), length), dtype=np.int64)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = window.ids
        mask[row, : len(window.ids)] = 1
    owned = np.concatenate([row * length + window.owned for row, window in enumerate(windows)])
    offsets = np.cumsum([0, *(example.n_segments for example in examples)])
    views = [(offset, view) for offset, example in zip(offsets, examples, strict=False) for view in example.views]
    sizes = [len(view.members) for _, view in views]
    tensor = torch.from_numpy
    return Batch(
        ids=tensor(ids),
        mask=tensor(mask),
        owned=tensor(owned),
        segment_of=tensor(_shifted([example.segment_of for example in examples], offsets)),
        n_segments=int(offsets[-1]),
        members=tensor(np.concatenate([offset + view.members for offset, view in views])),
        view_of=torch.repeat_interleave(torch.arange(len(views)), torch.tensor(sizes)),
        places=torch.cat([(torch.arange(size) + 0.5) / size for size in sizes]),
        sources=torch.tensor(
            [[*view.sources, np.log1p(len(view.members)) / 4] for _, view in views], dtype=torch.float32
        ),
    )


def _shifted(parts: Sequence[NDArray[np.int64]], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([part + offset for part, offset in zip(parts, offsets, strict=False)])


def attend(scores: Tensor, values: Tensor, *, groups: tuple[Tensor, int], owners: Tensor) -> tuple[Tensor, Tensor]:
    """Gives log-mass (groups, slots) and the attention-weighted mean of the values (groups, values) of each group of rows.

    Args:
        scores: Attention of each row, shape (rows, slots).
        values: Values of each row, shape (rows, values).
        groups: Group of each row, shape (rows,), and the number of groups.
        owners: Slot of each value column, shape (values,).
    """
    index, count = groups
    spread = index[:, None].expand_as(scores)
    start = torch.full((count, scores.shape[1]), -1e9, dtype=scores.dtype)
    peak = start.scatter_reduce(0, spread, scores.detach(), "amax")
    weight = torch.exp(scores - peak[index])
    total = torch.zeros_like(start).index_add(0, index, weight)
    weighted = torch.zeros(count, values.shape[1], dtype=values.dtype).index_add(0, index, weight[:, owners] * values)
    return peak + torch.log(total), weighted / total[:, owners]


def keep_strongest(scores: Tensor, *, groups: tuple[Tensor, int]) -> Tensor:
    """Gives the scores with all but the strongest few rows of each group, slot by slot, made negligible.

    Args:
        scores: Attention of each row, shape (rows, slots).
        groups: Group of each row, ascending, shape (rows,), and the number of groups.
    """
    index, count = groups
    sizes = torch.bincount(index, minlength=count)
    longest = int(sizes.max())
    if longest <= STRONGEST:
        return scores
    place = torch.arange(len(index)) - (torch.cumsum(sizes, 0) - sizes)[index]
    table = torch.full((count, longest, scores.shape[1]), -1e9)
    table[index, place] = scores.detach()
    floor = table.topk(STRONGEST, dim=1).values[:, -1]
    return torch.where(scores >= floor[index], scores, torch.full_like(scores, -1e9))


def like_length(lengths: Tensor, *, tokens_at_once: int) -> list[Tensor]:
    """Gives the numbers of the windows in parts of like length, longest first, each part within the bound where it can be.

    Args:
        lengths: Tokens of each window, shape (windows,).
        tokens_at_once: Most tokens in a part, padding included.
    """
    order = torch.argsort(lengths, descending=True, stable=True)
    parts, low = [], 0
    while low < len(order):
        rows = max(1, tokens_at_once // int(lengths[order[low]]))
        parts.append(order[low : low + rows])
        low += rows
    return parts


class SharedDropout(nn.Dropout):
    """Dropout that drops the same columns for all tokens of a window: a mask a window instead of a mask a token, so nearly free.

    Args:
        p: Share of the columns dropped in training, 0 to 1.

    Source: Gal and Ghahramani 2016, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks".
    """

    def forward(self, hidden: Tensor) -> Tensor:
        """Gives the rows with some columns at zero and the others scaled up, shape as the input (windows, ..., width)."""
        if not self.training or not self.p:
            return hidden
        between = [1] * (hidden.ndim - 2)
        kept = torch.rand(hidden.shape[0], *between, hidden.shape[-1], device=hidden.device) >= self.p
        return hidden * (kept / (1 - self.p)).to(hidden.dtype)


class Mixing(nn.Module):
    """The small layer in which the slots of a view see each other; begins as no change."""

    base: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.inner = nn.Linear(layout.n_features, HIDDEN)
        self.outer = nn.Linear(HIDDEN, layout.n_outputs)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)
        self.register_buffer("base", torch.from_numpy(layout.value_of_output), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Gives the logits of views from their features, shape (views, outputs)."""
        mixed: Tensor = features[:, self.base] + self.outer(torch.tanh(self.inner(features)))
        return mixed


def _share_dropout(encoder: nn.Module) -> None:
    """Puts shared dropout where the encoder drops single values, which takes a sixth of a step on a CPU."""
    for module in list(encoder.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(module, name, SharedDropout(child.p))


class TokenReader(nn.Module):
    """Encoder and token head: the part that is exported.

    Args:
        encoder: A transformers encoder.
        width: Columns of the token output.
    """

    def __init__(self, encoder: PreTrainedModel, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(int(encoder.config.hidden_size), width)
        self.dropout = SharedDropout(0.1)
        _share_dropout(encoder)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Gives attention, values and tags of each token, shape (windows, length, width), float32."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        read: Tensor = self.head(self.dropout(hidden).float())
        return read


def _begin_rare(bias: nn.Parameter, layout: Layout) -> None:
    """Lets every label and tag begin as rare as it is, so that the first steps are not spent on learning that.

    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", section 3.3.
    """
    values = bias.data[layout.n_slots : layout.n_slots + layout.n_values]
    tags = bias.data[layout.n_slots + layout.n_values :]
    values[torch.from_numpy(layout.yes_or_no_values)] = RARE_LABEL
    tags[1:] = RARE_TAG


class LossNetwork(nn.Module):
    """The whole network for a layout of labels.

    Args:
        encoder: A transformers encoder.
        layout: The labels.
        tokens_at_once: Tokens whose intermediate values are kept for the backward pass.
    """

    owners: Tensor
    first_value: Tensor

    def __init__(self, encoder: PreTrainedModel, layout: Layout, *, tokens_at_once: int = TOKENS_AT_ONCE) -> None:
        super().__init__()
        self.layout = layout
        self.tokens_at_once = tokens_at_once
        self.reader = TokenReader(encoder, layout.width)
        _begin_rare(self.reader.head.bias, layout)
        self.mixing = Mixing(layout)
        self.register_buffer("owners", torch.from_numpy(layout.owners), persistent=False)
        self.register_buffer("first_value", torch.from_numpy(layout.first_value), persistent=False)

    @property
    def pad_id(self) -> int:
        """Vocabulary id that fills windows up to one length."""
        return int(self.reader.encoder.config.pad_token_id or 0)

    def forward(self, batch: Batch) -> NetworkOutput:
        """Gives the readings of a batch."""
        return self.pool(self.read(batch), batch)

    def read(self, batch: Batch) -> Tensor:
        """Gives the reader's output of the owned tokens, shape (tokens, width).

        The reader may be on another device; all that follows it is small and on the CPU.
        """
        device = self.reader.head.weight.device
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.training):
            read = self._read(batch.ids.to(device), batch.mask.to(device))
        return read.float().flatten(0, 1)[batch.owned.to(device)].cpu()

    def _read(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Gives the reader's output; of a long deal some windows of like length at a time, so that little is padding.

        What is read in parts is computed anew in the backward pass, to save memory.

        Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
        """
        if not self.training or ids.numel() <= self.tokens_at_once:
            whole: Tensor = self.reader(ids, mask)
            return whole
        parts = like_length(mask.sum(1), tokens_at_once=self.tokens_at_once)
        read = [self._read_part(ids[rows], mask[rows]) for rows in parts]
        return torch.cat(read)[torch.argsort(torch.cat(parts))]

    def _read_part(self, ids: Tensor, mask: Tensor) -> Tensor:
        longest = int(mask.sum(1).max())
        read: Tensor = checkpoint(self.reader, ids[:, :longest], mask[:, :longest], use_reentrant=False)
        return functional.pad(read, (0, 0, 0, ids.shape[1] - longest))

    def pool(self, tokens: Tensor, batch: Batch) -> NetworkOutput:
        """Gives the readings of a batch from its owned tokens' output, shape (tokens, width)."""
        layout = self.layout
        attention, values, tags = torch.split(tokens, [layout.n_slots, layout.n_values, layout.n_tags], dim=1)
        mass, segment_values = attend(
            attention, values, groups=(batch.segment_of, batch.n_segments), owners=self.owners
        )
        member_mass, member_values = mass[batch.members], segment_values[batch.members]
        views = batch.view_of, batch.n_views
        view_mass, _ = attend(member_mass, member_values, groups=views, owners=self.owners)
        strong = keep_strongest(member_mass, groups=views)
        strong_mass, pooled = attend(strong, member_values, groups=views, owners=self.owners)
        logits = self.mixing(self._features(pooled, member_values, strong - strong_mass[batch.view_of], batch))
        return NetworkOutput(logits, segment_values, attention, view_mass, tags)

    def _features(self, pooled: Tensor, member_values: Tensor, log_weight: Tensor, batch: Batch) -> Tensor:
        first = member_values[:, self.first_value]
        spread = batch.view_of[:, None].expand_as(first)
        lowest = torch.full((batch.n_views, first.shape[1]), -1e9)
        strongest = lowest.scatter_reduce(0, spread, first, "amax")
        weight = torch.exp(log_weight[:, : len(self.layout.reasons)])
        position = torch.zeros(batch.n_views, weight.shape[1]).index_add(
            0, batch.view_of, weight * batch.places[:, None]
        )
        return torch.cat([pooled, strongest, position / POSITION_SCALE, batch.sources], dim=1)

    def mixer_tensors(self) -> Mapping[str, NDArray[np.float32]]:
        """Gives the mixing layer as arrays for the bundle's `heads.safetensors`."""
        return {name: tensor.detach().float().numpy() for name, tensor in self.mixing.named_parameters()}
