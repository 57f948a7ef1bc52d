"""Export: the trained network as OpenVINO IR with small weights, beside tokenizer, labels and the mixing layer."""

from __future__ import annotations

import re
from pathlib import Path

import nncf
import openvino
import torch
from safetensors.numpy import save_file

from lossnlp.taxonomy import Taxonomy, write_taxonomy
from training.network import LossNetwork, TokenReader
from training.quantize import GROUP_SIZE
from training.storage import Storage

_NUMBERED = re.compile(r"(?<![\w/.])[A-Z][A-Za-z]*_\d+(?![\w/.])")
# Small tables whose rows are no multiple of a group, or that are few.
_LEFT_AS_THEY_ARE = (".*relative_attention_bias.*", ".*position_embeddings.*", ".*token_type_embeddings.*")


def export_network(
    network: LossNetwork, folder: Path, *, storage: Storage, tokenizer: Path, taxonomy: Taxonomy
) -> None:
    """Writes encoder, heads, tokenizer and taxonomy of a bundle; calibration and manifest come after.

    Args:
        network: The trained network.
        folder: Bundle folder, made where it is missing.
        storage: How the weights are stored.
        tokenizer: The encoder's tokenizer.json.
        taxonomy: The labels it was trained for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graph = _graph(network.reader.eval())
    if storage.layers == "int4":
        graph = _in_4_bits(graph, table=storage.table)
    elif storage.layers == "int8":
        graph = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_ASYM)
    graph.set_friendly_name("lossnlp")
    openvino.save_model(graph, folder / "encoder.xml", compress_to_fp16=True)
    _number_anew(folder / "encoder.xml")
    save_file({name: tensor.copy() for name, tensor in network.mixer_tensors().items()}, folder / "heads.safetensors")
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    write_taxonomy(folder / "taxonomy.yaml", taxonomy)


def _number_anew(path: Path) -> None:
    """Numbers the nodes without a name of their own from 1, so that the same weights make the same file.

    OpenVINO numbers them by all nodes that the process has made so far.
    """
    text = path.read_text(encoding="utf-8")
    found = dict.fromkeys(_NUMBERED.findall(text))
    names = {name: f"{name.rpartition('_')[0]}_{place}" for place, name in enumerate(found, start=1)}
    path.write_text(_NUMBERED.sub(lambda match: names[match[0]], text), encoding="utf-8")


def _graph(reader: TokenReader) -> openvino.Model:
    ids = torch.randint(5, 100, (1, 24))
    dynamic = [(name, [-1, -1], openvino.Type.i64) for name in ("input_ids", "attention_mask")]
    example = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        return openvino.convert_model(reader, example_input=example, input=dynamic)


def _in_4_bits(graph: openvino.Model, *, table: str) -> openvino.Model:
    """Gives the graph with layers in 4 bits and the table in 4 or 8; the token head, which is small and loses most, stays in floats."""
    multiplications = [node for node in graph.get_ordered_ops() if node.get_type_name() == "MatMul"]
    head = multiplications[-1].get_friendly_name()
    return nncf.compress_weights(
        graph,
        mode=nncf.CompressWeightsMode.INT4_SYM,
        group_size=GROUP_SIZE,
        ratio=1.0,
        all_layers=table == "int4",
        ignored_scope=nncf.IgnoredScope(names=[head], patterns=[*_LEFT_AS_THEY_ARE], validate=False),
    )
