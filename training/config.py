"""Every setting of a training run, with its default and its range."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from lossnlp.bundle import Bundle
from lossnlp.deal import Frozen
from lossnlp.errors import BundleError
from training.storage import Storage

Share = Annotated[float, Field(gt=0, lt=1)]


class LossWeights(Frozen):
    """How much each part of the objective counts."""

    primary: float = 1.0
    reasons: float = 1.0
    gap: float = 1.0
    covered: float = 0.7
    own_doing: float = 0.5
    attribution: float = 0.7
    insufficient_detail: float = 0.5
    winback: float = 0.5
    evidence: float = 0.4
    segments: float = 0.3
    tags: float = 0.5


class TrainConfig(Frozen):
    """Settings of one run.

    Args:
        encoder: Folder or model-hub name of a transformers encoder.
        layers: Encoder layers kept, from the bottom; 0 keeps all.
        frozen_layers: How many of the lowest of them stay as they are, but for the rounding of what is stored in 4 bits.
        epochs: Passes over the corpus.
        quantized_epochs: How many of the last ones learn on weights as they will be stored (4-bit storage only).
        long_tokens: Deals of more tokens are read in every second epoch, half of them each time.
        batch_deals: Most deals in a step.
        batch_tokens: Most tokens in a step, padding included.
        encoder_lr: Peak learning rate of the encoder.
        layer_decay: Rate of an encoder layer as a share of the rate of the layer above it; 1 lets all learn alike.
        head_lr: Peak learning rate of the heads.
        warmup: Share of the steps in which the rates rise.
        weight_decay: AdamW's decay of weight matrices.
        averaged_steps: Steps that the stored weights are a moving average over; 0 stores the last ones.
        positive_weight: Weight of a present label against an absent one.
        label_smoothing: Smoothing of the primary reason's target.
        held_out: Share of the corpus kept for calibration and evaluation.
        target_precision: Precision a value must reach on held-out deals to be accepted without a person.
        max_tokens: Longest window.
        seed: Seeds everything but the split, which is the same for all runs (`training.corpus.split_held_out`).
        weights: Parts of the objective.
        quantization: How encoder weights are stored: "int4", "int8" or "none".
        table: How the table of word pieces is stored where the layers are in 4 bits: "int4" or, nearer to what it was, "int8".
        deals: Most deals to use, 0 for all (for a quick try).
        start: Where the network begins: "encoder", or "bundle" and its version.
        device: Where the encoder learns: "cpu", "cuda" or "mps".
        learns: What is fitted: the "whole" network, its "heads" alone (see `training.heads_fit`), or "auto": heads for few own deals in a
            scheme that the bundle begun from knows.
        few_labels: Stage that learns few labels (see `training.few_labels`), "auto" where one is chosen if there are few, or "off".
    """

    encoder: str = "sentence-transformers/all-mpnet-base-v2"
    layers: int = Field(default=11, ge=0)
    frozen_layers: int = Field(default=4, ge=0)
    epochs: int = Field(default=3, ge=1)
    quantized_epochs: int = Field(default=1, ge=0)
    long_tokens: int = Field(default=1024, ge=1)
    batch_deals: int = Field(default=8, ge=1)
    batch_tokens: int = Field(default=4096, ge=512)
    encoder_lr: float = Field(default=5e-5, gt=0)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    head_lr: float = Field(default=2e-3, gt=0)
    warmup: Share = 0.1
    weight_decay: float = Field(default=0.01, ge=0)
    averaged_steps: int = Field(default=400, ge=0)
    positive_weight: float = Field(default=2.0, gt=0)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    held_out: Share = 0.12
    target_precision: Share = 0.90
    max_tokens: int = Field(default=256, ge=128, le=512)
    seed: int = 7
    weights: LossWeights = LossWeights()
    quantization: str = Field(default="int4", pattern="^(int4|int8|none)$")
    table: str = Field(default="int4", pattern="^(int4|int8)$")
    deals: int = Field(default=0, ge=0)
    start: str = Field(default="encoder", pattern="^(encoder|bundle .+)$")
    device: str = Field(default="cpu", pattern="^(cpu|cuda|mps)$")
    learns: str = Field(default="whole", pattern="^(auto|heads|whole)$")
    few_labels: str = Field(default="off", pattern="^(off|auto|prototype|probe|contrast)$")

    @property
    def storage(self) -> Storage:
        """How the encoder's weights are stored."""
        return Storage(self.quantization, self.table)


def smoke_config(config: TrainConfig) -> TrainConfig:
    """Gives the settings of a run of a minute or two that touches every part."""
    return config.model_copy(
        update={"epochs": 1, "deals": 240, "quantization": "int8", "layers": 2, "frozen_layers": 0}
    )


def run_of(bundle: Bundle) -> tuple[TrainConfig, int]:
    """Gives the settings a bundle was trained with and how many deals it learned from (0: not told), out of its metrics.json."""
    try:
        measured = json.loads(bundle.path("metrics.json").read_bytes())
        return TrainConfig.model_validate(measured["settings"]), int(measured.get("learned", 0))
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(f"{bundle.folder}: metrics.json does not name the run's settings; train it anew.") from error
