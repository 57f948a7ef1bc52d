"""The objective: what the network should say of a batch, term by term."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lossnlp.heads import RIVAL_TAGS, Layout
from training.config import TrainConfig
from training.examples import IGNORE, Example
from training.network import Batch, NetworkOutput

_N_RIVAL_TAGS = len(RIVAL_TAGS)
_MULTI = ("reasons", "gap", "covered", "own_doing")
_ABSENT_QUOTE_WEIGHT = 0.3


class Objective:
    """Sums the weighted terms of the loss.

    Args:
        config: Weights, smoothing and positive weight.
        layout: The labels.
    """

    def __init__(self, config: TrainConfig, layout: Layout) -> None:
        self._config = config
        self._layout = layout
        self._positive = torch.tensor(config.positive_weight)

    def __call__(self, output: NetworkOutput, batch: Batch, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Gives each term of the loss, weighted; their sum is what to minimise."""
        terms = self._view_terms(output, examples)
        pairs = _evidence_pairs(examples)
        terms["evidence"] = self._evidence_term(output, pairs)
        terms["segments"] = self._segment_term(output, batch, examples, pairs)
        terms["tags"] = self._tag_term(output, examples)
        weights = self._config.weights.model_dump()
        return {name: weights[name] * term for name, term in terms.items()}

    def _view_terms(self, output: NetworkOutput, examples: Sequence[Example]) -> dict[str, Tensor]:
        views = [view for example in examples for view in example.views]
        heads = {name: output.logits[:, where] for name, where in self._layout.outputs.items()}
        terms: dict[str, Tensor] = {}
        for name in _MULTI:
            gold = torch.from_numpy(np.stack([np.asarray(view.targets[name]) for view in views]))
            loss = functional.binary_cross_entropy_with_logits(
                heads[name], gold.nan_to_num(), pos_weight=self._positive, weight=_known(gold), reduction="none"
            )
            terms[name] = loss.sum(1).mean() / max(1.0, gold.shape[1] / 6)
        for name, smoothing in (("primary", self._config.label_smoothing), ("attribution", 0.02), ("winback", 0.02)):
            gold = torch.tensor([int(view.targets[name]) for view in views])
            terms[name] = _masked_cross_entropy(heads[name], gold, smoothing)
        gold = torch.tensor([int(view.targets["insufficient_detail"]) for view in views])
        known = gold != IGNORE
        logits = heads["insufficient_detail"][:, 0]
        loss = functional.binary_cross_entropy_with_logits(logits, gold.clamp(min=0).float(), reduction="none")
        terms["insufficient_detail"] = (loss * known).sum() / known.sum().clamp(min=1)
        return terms

    def _evidence_term(self, output: NetworkOutput, pairs: Tensor) -> Tensor:
        """Pulls a positive label's attention toward the tokens of its quotes; every label of every view counts once."""
        if not len(pairs):
            return output.logits.new_zeros(())
        view, slot, row = pairs.unbind(1)
        log_attention = output.attention[row, slot] - output.view_mass[view, slot]
        key = view * self._layout.n_slots + slot
        _, label, size = torch.unique(key, return_inverse=True, return_counts=True)
        pull: Tensor = (log_attention / size[label]).sum() / len(size)
        return -pull

    def _segment_term(self, output: NetworkOutput, batch: Batch, examples: Sequence[Example], pairs: Tensor) -> Tensor:
        """Teaches each segment which labels it shows.

        A silent segment of a present label counts less (quotes are the shortest); where a label has no quote at all or is not labelled,
        nothing is taught.
        """
        slots = self._layout.n_yes_or_no
        gold, present, unquoted = (torch.zeros(batch.n_segments, slots) for _ in range(3))
        views = [view for example in examples for view in example.views]
        wanted = torch.from_numpy(
            np.stack([np.concatenate([np.asarray(view.targets[name]) for name in _MULTI]) for view in views])
        )
        present.index_add_(0, batch.members, wanted.nan_to_num()[batch.view_of])
        lacking = wanted.nan_to_num(1.0)
        if len(pairs):
            gold[batch.segment_of[pairs[:, 2]], pairs[:, 1]] = 1.0
            lacking[pairs[:, 0], pairs[:, 1]] = 0.0
        unquoted.index_add_(0, batch.members, lacking[batch.view_of])
        weight = torch.where((present > 0) & (gold == 0), _ABSENT_QUOTE_WEIGHT, 1.0) * (unquoted == 0)
        logits = output.segment_values[:, torch.from_numpy(self._layout.yes_or_no_values)]
        loss = functional.binary_cross_entropy_with_logits(
            logits, gold, weight=weight, pos_weight=self._positive, reduction="none"
        )
        return loss.sum(1).mean() / 6

    def _tag_term(self, output: NetworkOutput, examples: Sequence[Example]) -> Tensor:
        """Teaches the tags of tokens; counted by tagged tokens and deals, so that the many others of a long call do not hide them."""
        rivals = torch.from_numpy(np.concatenate([example.rival_tags for example in examples]))
        revisit = torch.from_numpy(np.concatenate([example.revisit_tags for example in examples]))
        named = functional.cross_entropy(output.tags[:, :_N_RIVAL_TAGS], rivals, ignore_index=IGNORE, reduction="sum")
        when = functional.binary_cross_entropy_with_logits(
            output.tags[:, _N_RIVAL_TAGS],
            revisit.nan_to_num(),
            pos_weight=self._positive,
            weight=_known(revisit),
            reduction="sum",
        )
        n_rival, n_revisit = int((rivals > 0).sum()), int((revisit > 0).sum())
        return named / (n_rival + len(examples)) + when / (n_revisit + len(examples))


def _known(gold: Tensor) -> Tensor:
    """Gives 1 where a gold value is labelled and 0 where it is not, shape as the input."""
    return (~gold.isnan()).float()


def _masked_cross_entropy(logits: Tensor, gold: Tensor, smoothing: float) -> Tensor:
    if not bool((gold != IGNORE).any()):
        return logits.sum() * 0
    return functional.cross_entropy(logits, gold, ignore_index=IGNORE, label_smoothing=smoothing)


def _evidence_pairs(examples: Sequence[Example]) -> Tensor:
    """Gives view, slot and token row of every quoted token of the batch, shape (pairs, 3)."""
    parts: list[np.ndarray] = []
    view_number, row_offset = 0, 0
    for example in examples:
        for view in example.views:
            pairs = view.evidence + np.array([0, row_offset])
            parts.append(np.column_stack([np.full(len(pairs), view_number), pairs]))
            view_number += 1
        row_offset += len(example.segment_of)
    return torch.from_numpy(np.concatenate(parts).astype(np.int64)) if parts else torch.zeros(0, 3, dtype=torch.int64)
