"""Where the network begins: at an encoder as its makers published it, or at a bundle whose stored weights are read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoModel, PreTrainedModel

from lossnlp.bundle import Bundle, find_default_bundle, read_bundle
from lossnlp.heads import Layout
from lossnlp.windows import read_tokenizer
from training.crosswalk import Crosswalk, fit_to_layout
from training.encoders import EncoderError, find_encoder, load_encoder, make_small_encoder
from training.learned import read_known
from training.network import LossNetwork

# Where a parameter of a module stands in the graph: kind of node, end of its name, number of the input, name of the parameter.
_PLACES = {
    ("MatMul", "/aten::linear/MatMul"): (1, "weight"),
    ("Add", "/aten::linear/Add"): (1, "bias"),
    ("Gather", "/aten::embedding/Gather"): (0, "weight"),
    ("Multiply", "/aten::layer_norm/Multiply_1"): (1, "weight"),
    ("Add", "/aten::layer_norm/Add"): (1, "bias"),
}
_MODULE = "__module."
_PAD_ID = 1
_POSITIONS = "encoder.embeddings.position_embeddings.weight"
_WORDS = "encoder.embeddings.word_embeddings.weight"
_DISTANCES = "encoder.encoder.relative_attention_bias.weight"
_INNER = "encoder.encoder.layer.0.intermediate.dense.weight"

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    Args:
        network: The network, with the slots of the run's labels.
        tokenizer: The tokenizer's file.
        learned: Marks of the deals that the network has learned from already, see `training.learned`.
    """

    network: LossNetwork
    tokenizer: Path
    learned: frozenset[str] = frozenset()


def start_from_encoder(name: str, layout: Layout, *, layers: int) -> Start:
    """Gives a start at an encoder whose heads know nothing yet.

    Args:
        name: Local folder or model-hub name.
        layout: The labels.
        layers: Layers kept, 0 for all.

    Raises:
        EncoderError: It cannot be had.
    """
    encoder = load_encoder(name, layers=layers)
    tokenizer = Path(find_encoder(name)) / "tokenizer.json"
    if not tokenizer.is_file():
        from huggingface_hub import hf_hub_download  # noqa: PLC0415 - only where a hub is reached

        tokenizer = Path(hf_hub_download(name, "tokenizer.json"))
    return Start(LossNetwork(encoder, layout), tokenizer)


def start_small(layout: Layout) -> Start:
    """Gives a start at a small untrained encoder with the shipped tokenizer: for trying, not for reading deals.

    Args:
        layout: The labels.
    """
    tokenizer = find_default_bundle() / "tokenizer.json"
    return Start(LossNetwork(make_small_encoder(read_tokenizer(tokenizer).get_vocab_size()), layout), tokenizer)


def start_from_bundle(folder: Path, layout: Layout, *, ours: Crosswalk) -> Start:
    """Gives a start at a bundle's weights, with its heads carried over to the labels of a run.

    Args:
        folder: The bundle.
        layout: The labels of the run.
        ours: For each reason of the run the bundle's reasons that it begins from; none for a new one.

    Raises:
        BundleError: The bundle is unusable, or does not say which deals it learned from.
        EncoderError: Its graph is not one that weights can be read back from.
    """
    bundle = read_bundle(folder)
    learned = read_known(bundle).learned
    network = rebuild_network(bundle)
    if network.layout != layout:
        known = network.layout.reasons
        is_own = set(known) == set(layout.reasons)
        walk = {
            code: (code,) if is_own else tuple(one for one in ours.get(code, (code,)) if one in known)
            for code in layout.reasons
        }
        network = fit_to_layout(network, layout, ours=walk)
    return Start(network, bundle.path("tokenizer.json"), learned)


def rebuild_network(bundle: Bundle) -> LossNetwork:
    """Gives the network that a bundle was exported from, with the weights as they are stored.

    Raises:
        EncoderError: Its graph is not one that weights can be read back from.
    """
    graph = openvino.Core().read_model(str(bundle.path("encoder.xml")))
    weights = _stored_weights(graph)
    layout = Layout(bundle.taxonomy.codes, bundle.taxonomy.element_codes)
    try:
        network = LossNetwork(_empty_encoder(weights, graph), layout)
        network.reader.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    except (KeyError, RuntimeError) as error:
        raise EncoderError(
            f"The encoder in {bundle.folder} is built otherwise than those of lossnlp; begin from an encoder.",
            field="start",
        ) from error
    mixing = load_file(bundle.path("heads.safetensors"))
    network.mixing.load_state_dict({name: torch.from_numpy(value) for name, value in mixing.items()})
    return network


def _stored_weights(graph: openvino.Model) -> Weights:
    """Gives the weights of the graph in full precision, whatever small type they are stored in."""
    found = dict(_weight_outputs(graph))
    unpack = openvino.Model(list(found.values()), [], "weights")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    values = openvino.Core().compile_model(unpack, "CPU", exact)([])
    named = zip(found, (np.array(values[place], dtype=np.float32) for place in range(len(found))), strict=True)
    return {name: value if name.endswith(".weight") and value.ndim == 2 else value.ravel() for name, value in named}


def _weight_outputs(graph: openvino.Model) -> Iterator[tuple[str, openvino.Output]]:
    for node in graph.get_ordered_ops():
        name = node.get_friendly_name()
        for (kind, end), (place, parameter) in _PLACES.items():
            if node.get_type_name() == kind and name.startswith(_MODULE) and name.endswith(end):
                module = name.removeprefix(_MODULE).removesuffix(end)
                yield f"{module}.{parameter}", node.input_value(place)


def _empty_encoder(weights: Weights, graph: openvino.Model) -> PreTrainedModel:
    """Gives an MPNet encoder of the sizes that the weights have."""
    layers = {name.split(".")[3] for name in weights if name.startswith("encoder.encoder.layer.")}
    norms = [node for node in graph.get_ordered_ops() if node.get_type_name() == "MVN"]
    config = AutoConfig.for_model(
        "mpnet",
        vocab_size=weights[_WORDS].shape[0],
        hidden_size=weights[_WORDS].shape[1],
        num_hidden_layers=len(layers),
        num_attention_heads=weights[_DISTANCES].shape[1],
        intermediate_size=weights[_INNER].shape[0],
        max_position_embeddings=weights[_POSITIONS].shape[0],
        relative_attention_num_buckets=weights[_DISTANCES].shape[0],
        layer_norm_eps=float(norms[0].get_attributes()["eps"]),
        pad_token_id=_PAD_ID,
        attention_probs_dropout_prob=0.0,
    )
    encoder: PreTrainedModel = AutoModel.from_config(  # type: ignore[no-untyped-call]
        config, add_pooling_layer=False, attn_implementation="eager"
    )
    return encoder
