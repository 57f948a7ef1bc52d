"""Export: the trained network as OpenVINO IR with small weights, beside tokenizer, labels and the mixing layer."""

from __future__ import annotations

from pathlib import Path

import nncf
import openvino
import torch
from safetensors.numpy import save_file

from lossnlp.taxonomy import Taxonomy, write_taxonomy
from training.network import LossNetwork, TokenReader
from training.quantize import GROUP_SIZE

_COMPRESSION = {
    # Embedding table and token head stay at 8 bit: they are few, and lose most at 4.
    "int4": {"mode": nncf.CompressWeightsMode.INT4_SYM, "group_size": GROUP_SIZE, "ratio": 1.0, "all_layers": False},
    "int8": {"mode": nncf.CompressWeightsMode.INT8_ASYM},
}


def export_network(
    network: LossNetwork, folder: Path, *, quantization: str, tokenizer: Path, taxonomy: Taxonomy
) -> None:
    """Writes encoder, heads, tokenizer and taxonomy of a bundle; calibration and manifest come after.

    Args:
        network: The trained network.
        folder: Bundle folder, made where it is missing.
        quantization: "int4", "int8" or "none" (16-bit floats).
        tokenizer: The encoder's tokenizer.json.
        taxonomy: The labels it was trained for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graph = _graph(network.reader.eval())
    if quantization != "none":
        graph = nncf.compress_weights(graph, **_COMPRESSION[quantization])
    openvino.save_model(graph, folder / "encoder.xml", compress_to_fp16=True)
    save_file({name: tensor.copy() for name, tensor in network.mixer_tensors().items()}, folder / "heads.safetensors")
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    write_taxonomy(folder / "taxonomy.yaml", taxonomy)


def _graph(reader: TokenReader) -> openvino.Model:
    ids = torch.randint(5, 100, (1, 24))
    dynamic = [(name, [-1, -1], openvino.Type.i64) for name in ("input_ids", "attention_mask")]
    example = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        return openvino.convert_model(reader, example_input=example, input=dynamic)
