"""Crosswalk: a company's own reasons, each begun from the reasons of the network that is there already.

An own reason that stands for one of ours takes its head over; one that merges several begins at their mean; one that splits ours shares
it with its siblings; a new one begins rare and knows nothing. All else (profile, attribution, way back, tags) is carried over as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lossnlp.errors import TaxonomyError
from lossnlp.heads import Layout
from lossnlp.taxonomy import Taxonomy
from training.network import LossNetwork

Crosswalk = Mapping[str, tuple[str, ...]]


def read_crosswalk(taxonomy: Taxonomy, known: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Gives for each reason of a taxonomy the known ones it stands for: those it names, else the one of the same code.

    Args:
        taxonomy: The labels of a run.
        known: Codes of the reasons that are known already.

    Raises:
        TaxonomyError: A reason names one that is not known.
    """
    walk: dict[str, tuple[str, ...]] = {}
    for reason in taxonomy.reasons:
        named = reason.ours if reason.ours is not None else tuple(code for code in known if code == reason.code)
        for code in named:
            if code not in known:
                raise TaxonomyError(
                    f"Reason '{reason.code}', field 'ours': '{code}' is no reason of lossnlp; use some of: {', '.join(known)}."
                )
        walk[reason.code] = named
    return walk


def certain_codes(walk: Crosswalk) -> dict[str, str]:
    """Gives for each of our codes the own one that it always becomes; those that several share, or none has, are left out."""
    counts = Counter(code for codes in walk.values() for code in codes)
    return {code: own for own, codes in walk.items() for code in codes if counts[code] == 1}


def fit_to_layout(network: LossNetwork, layout: Layout, *, ours: Crosswalk) -> LossNetwork:
    """Gives a network for other labels that begins with what the old one knows.

    Args:
        network: The old one; its encoder is taken over, not copied.
        layout: The new labels.
        ours: For each new reason the old ones it begins from.
    """
    old = network.layout
    fitted = LossNetwork(network.reader.encoder, layout, tokens_at_once=network.tokens_at_once)
    slots, values = _slot_shares(old, layout, ours), _value_shares(old, layout, ours)
    rows = _blocks(slots, values, torch.eye(layout.n_tags))
    _carry_rows(rows, network.reader.head, fitted.reader.head)
    reasons = slots[: len(layout.reasons), : len(old.reasons)]
    features = _blocks(values, slots, reasons, torch.eye(layout.n_features - _counted(layout)))
    outputs = values[layout.value_of_output][:, old.value_of_output]
    with torch.no_grad():
        fitted.mixing.inner.weight.copy_(network.mixing.inner.weight @ _shared_out(features))
        fitted.mixing.inner.bias.copy_(network.mixing.inner.bias)
        fitted.mixing.outer.weight.copy_(outputs @ network.mixing.outer.weight)
        fitted.mixing.outer.bias.copy_(outputs @ network.mixing.outer.bias)
    return fitted


def _blocks(*parts: Tensor) -> Tensor:
    whole: Tensor = torch.block_diag(*parts)  # type: ignore[no-untyped-call]
    return whole


def _counted(layout: Layout) -> int:
    return layout.n_values + layout.n_slots + len(layout.reasons)


def _carry_rows(shares: Tensor, old: torch.nn.Linear, new: torch.nn.Linear) -> None:
    """Puts the mean of the old rows into each new one; a row that begins from none stays as it was made."""
    begun = shares.sum(1) > 0
    with torch.no_grad():
        new.weight[begun] = (shares @ old.weight)[begun]
        new.bias[begun] = (shares @ old.bias)[begun]


def _shared_out(features: Tensor) -> Tensor:
    """Gives what each new feature carries of each old one, shape (old, new): siblings split what they came from."""
    present = (features > 0).float()
    return (present / present.sum(0).clamp(min=1)).T


def _slot_shares(old: Layout, new: Layout, ours: Crosswalk) -> Tensor:
    """Gives the share that each old slot has in each new one, shape (new slots, old slots); a row sums to 1, or 0 where it is new."""
    places = {name: place for place, (name, _) in enumerate(old.slots)}
    shares = torch.zeros(new.n_slots, old.n_slots)
    for row, (name, _) in enumerate(new.slots):
        sources = ours[name] if name in ours else tuple(code for code in (name,) if code in places)
        for source in sources:
            shares[row, places[source]] = 1 / len(sources)
    return shares


def _value_shares(old: Layout, new: Layout, ours: Crosswalk) -> Tensor:
    """Gives the same for the columns of values, shape (new values, old values)."""
    slots = _slot_shares(old, new, ours)
    old_owner, new_owner = torch.from_numpy(old.owners), torch.from_numpy(new.owners)
    old_place = torch.arange(old.n_values) - torch.from_numpy(old.first_value)[old_owner]
    new_place = torch.arange(new.n_values) - torch.from_numpy(new.first_value)[new_owner]
    return slots[new_owner][:, old_owner] * (new_place[:, None] == old_place[None, :])
