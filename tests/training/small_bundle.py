"""A small untrained bundle that reads any deal badly and fast, for tests of what happens to bundles."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from lossnlp.bundle import find_default_bundle, write_manifest
from lossnlp.calibration import Calibration, write_calibration
from lossnlp.heads import Layout
from lossnlp.taxonomy import get_default_taxonomy
from training.config import TrainConfig
from training.encoders import make_small_encoder
from training.export import export_network
from training.learned import write_learned
from training.network import LossNetwork
from training.storage import Storage


def write_small_bundle(folder: Path, *, margin: float = 2.0) -> Path:
    """Gives a bundle in `folder`; `margin` is that of its quotes, and makes it another version that reads alike."""
    taxonomy = get_default_taxonomy()
    layout = Layout(taxonomy.codes, taxonomy.element_codes)
    torch.manual_seed(0)
    tokenizer = find_default_bundle() / "tokenizer.json"
    network = LossNetwork(make_small_encoder(30_527), layout)
    export_network(network, folder, storage=Storage("none"), tokenizer=tokenizer, taxonomy=taxonomy)
    return seal(folder, margin=margin)


def seal(folder: Path, *, margin: float) -> Path:
    """Writes calibration, card, records and manifest over the parts in `folder`."""
    calibration = Calibration.model_validate({"evidence": {"margin": margin}})
    write_calibration(folder, calibration)
    (folder / "metrics.json").write_text(json.dumps({"settings": TrainConfig().model_dump(), "learned": 0}))
    (folder / "MODEL_CARD.md").write_text("# Model card\n\nA small one.\n")
    write_learned(folder, learned=[], calibrated=[])
    write_manifest(folder, encoder="small", max_tokens=256, corpus="none", made_at="2026-11-22T00:00:00+00:00")
    return folder
