from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.classifier import LossClassifier
from lossnlp.errors import TaxonomyError
from lossnlp.heads import Layout
from lossnlp.taxonomy import get_default_taxonomy, read_taxonomy, write_taxonomy
from training.corpus import LabelledDeal
from training.crosswalk import certain_codes, fit_to_layout, read_crosswalk
from training.encoders import make_small_encoder
from training.examples import ExampleMaker
from training.material import translated
from training.network import LossNetwork, make_batch
from training.starting import rebuild_network

OWN = """
version: "mine"
groups: [{code: all, label: All}]
reasons:
  - {code: money, group: all, label: Money, definition: Price or budget., ours: [price, budget]}
  - {code: competitor, group: all, label: Rival, definition: Another vendor.}
  - {code: weather, group: all, label: Weather, definition: It rained., ours: []}
"""


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    return path


def small_network(layout: Layout) -> LossNetwork:
    torch.manual_seed(0)
    network = LossNetwork(make_small_encoder(30_527), layout).eval()
    for parameter in network.mixing.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def test_each_own_reason_names_what_it_begins_from(own_file: Path) -> None:
    walk = read_crosswalk(read_taxonomy(own_file), get_default_taxonomy().codes)
    assert walk == {"money": ("price", "budget"), "competitor": ("competitor",), "weather": ()}
    assert certain_codes(walk) == {"price": "money", "budget": "money", "competitor": "competitor"}


def test_an_unknown_reason_in_the_crosswalk_is_named(own_file: Path) -> None:
    own_file.write_text(OWN.replace("[price, budget]", "[prize]"))
    with pytest.raises(TaxonomyError, match="'money', field 'ours': 'prize' is no reason"):
        read_crosswalk(read_taxonomy(own_file), get_default_taxonomy().codes)


def test_the_crosswalk_is_kept_with_the_labels(own_file: Path, tmp_path: Path) -> None:
    write_taxonomy(tmp_path / "kept.yaml", read_taxonomy(own_file))
    assert read_taxonomy(tmp_path / "kept.yaml") == read_taxonomy(own_file)


def test_the_same_labels_in_another_order_read_the_same(maker: ExampleMaker, call: LabelledDeal) -> None:
    old = small_network(maker.layout)
    turned = Layout(maker.layout.reasons[::-1], maker.layout.elements[::-1])
    new = fit_to_layout(old, turned, ours={code: (code,) for code in turned.reasons}).eval()
    batch = make_batch([maker.make(call)], pad_id=1)
    with torch.no_grad():
        before, after = old(batch).logits, new(batch).logits
    for head in ("reasons", "primary", "gap", "covered"):
        flipped = after[:, turned.outputs[head]].flip(1)
        assert torch.allclose(before[:, maker.layout.outputs[head]], flipped, atol=1e-4)


def test_a_merged_reason_begins_at_the_mean_of_its_parts(maker: ExampleMaker) -> None:
    old = small_network(maker.layout)
    new = fit_to_layout(old, Layout(("money", "weather"), ()), ours={"money": ("price", "budget"), "weather": ()})
    rows = [maker.layout.reasons.index(code) for code in ("price", "budget")]
    assert torch.allclose(new.reader.head.weight[0], old.reader.head.weight[rows].mean(0))
    assert not torch.allclose(new.reader.head.weight[1], torch.zeros(64))


def test_corpus_deals_are_told_in_own_labels(note: LabelledDeal) -> None:
    found = translated(note, {"price": "money", "competitor": "rival"}, elements=("competition",))
    assert found is not None
    assert (found.labels.primary, found.labels.reasons) == ("money", ("money", "rival"))
    assert found.labels.evidence["money"] == ("30% lower",)
    assert found.labels.meddpicc == {"competition": "gap"}
    assert translated(note, {"price": "money"}, elements=()) is None


def test_network_read_back_from_the_shipped_bundle_reads_alike(maker: ExampleMaker, call: LabelledDeal) -> None:
    bundle = read_bundle(find_default_bundle())
    network = rebuild_network(bundle).eval()
    with torch.no_grad():
        read = network(make_batch([maker.make(call)], pad_id=1)).logits
    reading = LossClassifier(bundle).read(call.deal)
    views = [view for view in (reading.note, reading.buyer, reading.whole) if view is not None]
    for ours, view in zip(read, views, strict=True):
        assert torch.allclose(ours, torch.from_numpy(view.reading.logits), atol=0.25)  # the service reads in 16 bits
        assert torch.corrcoef(torch.stack([ours, torch.from_numpy(view.reading.logits)]))[0, 1] > 0.999
