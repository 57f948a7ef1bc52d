from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.heads import Layout
from lossnlp.taxonomy import get_default_taxonomy
from tests.training.small_bundle import seal
from training.encoders import make_small_encoder
from training.export import export_network
from training.network import LossNetwork
from training.options import make_config, read_arguments
from training.quantize import stored_in_4_bits
from training.starting import rebuild_network
from training.storage import Storage

TAXONOMY = get_default_taxonomy()
pytestmark = pytest.mark.filterwarnings("ignore")  # the export goes through three libraries that warn of each other


def trained() -> LossNetwork:
    """Gives a network none of whose weights is 0 or 1, as after training: the export folds those away."""
    network = LossNetwork(make_small_encoder(30_527), Layout(TAXONOMY.codes, TAXONOMY.element_codes))
    for weight in network.reader.parameters():
        torch.nn.init.normal_(weight, std=0.02)
    return network


def stored(network: LossNetwork, folder: Path, storage: Storage) -> LossNetwork:
    """Gives the network as a bundle in `folder` stores it."""
    tokenizer = find_default_bundle() / "tokenizer.json"
    export_network(network, folder, storage=storage, tokenizer=tokenizer, taxonomy=TAXONOMY)
    return rebuild_network(read_bundle(seal(folder, margin=2.0)))


@pytest.mark.parametrize("table", ["int4", "int8"])
def test_what_is_stored_again_loses_nothing_more(tmp_path: Path, table: str) -> None:
    storage = Storage("int4", table)
    once = stored(trained(), tmp_path / "once", storage)
    again = stored(once, tmp_path / "again", storage)
    for before, after in zip(once.reader.parameters(), again.reader.parameters(), strict=True):
        assert torch.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("table", ["int4", "int8"])
def test_a_run_stores_the_table_as_its_bundle_does(tmp_path: Path, table: str) -> None:
    stored(trained(), tmp_path / "bundle", Storage("int4", table))
    assert make_config(read_arguments(["--data", "x"]), tmp_path / "bundle").table == table


def test_the_table_stays_out_of_4_bits_where_it_is_asked() -> None:
    encoder = make_small_encoder(30_527)
    table = encoder.get_input_embeddings().weight
    assert any(weight is table for weight in stored_in_4_bits(encoder, Storage("int4", "int4")))
    assert not any(weight is table for weight in stored_in_4_bits(encoder, Storage("int4", "int8")))
    assert not stored_in_4_bits(encoder, Storage("int8"))
