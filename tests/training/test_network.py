from __future__ import annotations

import numpy as np
import pytest
import torch

from lossnlp.heads import STRONGEST, Layout, Mixer, pool_segments, read_view
from training.config import TrainConfig
from training.corpus import LabelledDeal
from training.encoders import make_small_encoder
from training.examples import ExampleMaker
from training.network import LossNetwork, SharedDropout, keep_strongest, like_length, make_batch
from training.objective import Objective
from training.quantize import FourBitWeights, rounded_to_4_bit, stored_in_4_bits
from training.storage import Storage


@pytest.fixture
def network(layout: Layout) -> LossNetwork:
    torch.manual_seed(5)
    network = LossNetwork(make_small_encoder(30_527), layout)
    torch.nn.init.normal_(network.mixing.outer.weight, std=0.1)
    return network.eval()


def test_torch_and_numpy_pool_alike(
    network: LossNetwork, layout: Layout, maker: ExampleMaker, note: LabelledDeal, call: LabelledDeal
) -> None:
    examples = [maker.make(note), maker.make(call)]
    batch = make_batch(examples, pad_id=1)
    tokens = torch.randn(len(batch.owned), layout.width)
    with torch.no_grad():
        logits = network.pool(tokens, batch).logits.numpy()
    rows = tokens.numpy()[len(examples[0].segment_of) :]
    starts = np.unique(examples[1].segment_of, return_index=True)[1]
    readings = pool_segments(rows, starts, layout)
    mixer = Mixer.from_tensors(network.mixer_tensors())
    for place, view in enumerate(examples[1].views):
        alone = read_view(readings, view.members, sources=view.sources, mixer=mixer, layout=layout)
        assert alone.logits == pytest.approx(logits[1 + place], abs=1e-4)


def test_other_deals_change_no_reading(
    network: LossNetwork, maker: ExampleMaker, note: LabelledDeal, call: LabelledDeal
) -> None:
    alone, together = (
        make_batch([maker.make(note)], pad_id=1),
        make_batch([maker.make(note), maker.make(call)], pad_id=1),
    )
    with torch.no_grad():
        assert torch.allclose(network(alone).logits[0], network(together).logits[0], atol=1e-4)


def test_every_term_of_the_loss_teaches(
    network: LossNetwork, layout: Layout, maker: ExampleMaker, call: LabelledDeal
) -> None:
    examples = [maker.make(call)]
    batch = make_batch(examples, pad_id=1)
    terms = Objective(TrainConfig(), layout)(network(batch), batch, examples)
    assert set(terms) == set(TrainConfig().weights.model_dump())
    for name, term in terms.items():
        gradient = torch.autograd.grad(term, network.reader.head.weight, retain_graph=True, allow_unused=True)[0]
        assert gradient is not None, name
        assert float(gradient.abs().sum()) > 0, name


def test_four_bit_rounding_is_idempotent() -> None:
    weight = torch.randn(8, 128)
    once = rounded_to_4_bit(weight)
    assert torch.allclose(rounded_to_4_bit(once), once, atol=1e-6)
    assert len(once[0, :64].unique()) <= 16
    assert float((once - weight).abs().max()) < float(weight.abs().max()) / 7


def test_full_weights_return_after_a_step(network: LossNetwork) -> None:
    weights = stored_in_4_bits(network.reader.encoder, Storage("int4"))
    before = [weight.clone() for weight in weights]
    with FourBitWeights(weights).swapped_in():
        assert not torch.equal(weights[0], before[0])
    assert all(torch.equal(weight, old) for weight, old in zip(weights, before, strict=True))


def test_strongest_rows_of_each_group_stay() -> None:
    scores = torch.randn(20, 3)
    groups = torch.tensor([0] * 4 + [1] * 16)
    kept = keep_strongest(scores, groups=(groups, 2))
    assert torch.equal(kept[:4], scores[:4])
    for slot in range(3):
        strongest = scores[4:, slot].topk(STRONGEST).indices
        assert set((kept[4:, slot] > -1e8).nonzero()[:, 0].tolist()) == set(strongest.tolist())


def test_shared_dropout_drops_whole_columns() -> None:
    torch.manual_seed(1)
    dropped = SharedDropout(0.5)(torch.ones(2, 5, 64))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(SharedDropout(0.5).eval()(dropped), dropped)


def test_long_deals_learn_the_same_in_parts(layout: Layout, maker: ExampleMaker, call: LabelledDeal) -> None:
    examples = [maker.make(call)] * 3
    batch = make_batch(examples, pad_id=1)
    gradients = []
    for tokens_at_once in (100_000, batch.ids.shape[1] * 2):
        torch.manual_seed(5)
        network = LossNetwork(make_small_encoder(30_527), layout, tokens_at_once=tokens_at_once).train()
        for module in network.modules():
            if isinstance(module, SharedDropout):
                module.p = 0.0
        terms = Objective(TrainConfig(), layout)(network(batch), batch, examples)
        loss = torch.stack(list(terms.values())).sum()
        gradients.append(torch.autograd.grad(loss, network.reader.head.weight)[0])
    whole, parts = gradients
    assert float((whole - parts).norm() / whole.norm()) < 0.02


def test_windows_are_read_in_parts_of_like_length_within_the_bound() -> None:
    lengths = torch.tensor([10, 200, 30, 190, 12])
    parts = like_length(lengths, tokens_at_once=400)
    assert [part.tolist() for part in parts] == [[1, 3], [2, 4, 0]]


def test_a_window_longer_than_the_bound_is_read_alone() -> None:
    assert [part.tolist() for part in like_length(torch.tensor([5, 50]), tokens_at_once=20)] == [[1], [0]]
