"""A transformers pipeline over the bundle's own network: what somebody would write who has its weights and torch.

It answers a note from the first 256 tokens as one segment, and finds neither quotes nor rivals nor dates: less than lossnlp does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, BatchEncoding, Pipeline

from lossnlp.bundle import Bundle
from lossnlp.heads import Layout
from lossnlp.taxonomy import get_default_taxonomy
from training.starting import rebuild_network

_MAX_TOKENS = 256
_HEAD = "head.safetensors"
_TOKENIZER = """{"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "bos_token": "<s>", "eos_token": "</s>",
"cls_token": "<s>", "sep_token": "</s>", "unk_token": "[UNK]", "pad_token": "<pad>", "mask_token": "<mask>"}"""


def save_encoder(bundle: Bundle, folder: Path) -> None:
    """Writes a bundle's encoder, tokenizer and token head as transformers keeps them, in 32 bits.

    Args:
        bundle: The bundle.
        folder: Where they go.
    """
    network = rebuild_network(bundle)
    network.reader.encoder.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(bundle.path("tokenizer.json").read_bytes())
    (folder / "tokenizer_config.json").write_text(_TOKENIZER, encoding="utf-8")
    save_file({name: value.contiguous() for name, value in network.reader.head.state_dict().items()}, folder / _HEAD)


class LossPipeline(Pipeline):
    """Gives the logits of each text.

    Args:
        head: From a token's vector to attention, values and tags.
        layout: The columns.
        options: Those of `transformers.Pipeline`.
    """

    def __init__(self, *, head: nn.Linear, layout: Layout, **options: Any) -> None:
        super().__init__(**options)
        self._head, self._layout = head, layout
        self._owners = torch.from_numpy(layout.owners)

    def _sanitize_parameters(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return {}, {}, {}

    def preprocess(self, input_: str) -> BatchEncoding:
        """Gives the tokens of a text."""
        read: BatchEncoding = self.tokenizer(input_, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt")
        return read

    def _forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        hidden = self.model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
        read = self._head(hidden).float()
        slots, values = (
            read[..., : self._layout.n_slots],
            read[..., self._layout.n_slots :][..., : self._layout.n_values],
        )
        absent = inputs["attention_mask"][..., None] == 0
        weights = torch.softmax(slots.masked_fill(absent, -1e9), dim=1)
        return {"logits": (weights[..., self._owners] * values).sum(1)}

    def postprocess(self, outputs: dict[str, Tensor]) -> NDArray[np.float32]:
        """Gives the logits as an array."""
        logits: NDArray[np.float32] = outputs["logits"].numpy()
        return logits


def make_pipeline(folder: Path, *, dtype: str) -> LossPipeline:
    """Gives the pipeline of a folder that `save_encoder` has written.

    Args:
        folder: The encoder.
        dtype: "float32" or "bfloat16".
    """
    taxonomy, kind = get_default_taxonomy(), getattr(torch, dtype)
    layout = Layout(taxonomy.codes, taxonomy.element_codes)
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False, dtype=kind).eval()
    head = nn.Linear(int(model.config.hidden_size), layout.width)
    head.load_state_dict(load_file(folder / _HEAD))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    head = head.to(kind).requires_grad_(requires_grad=False)
    return LossPipeline(model=model, tokenizer=tokenizer, device="cpu", head=head, layout=layout)
