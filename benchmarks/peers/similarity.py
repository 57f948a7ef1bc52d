"""Zero-shot similarity: the reason whose definition lies nearest to the text, by the untrained encoder lossnlp begins from.

Source: Yin et al. 2019, "Benchmarking Zero-shot Text Classification".
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from lossnlp.deal import Deal
from lossnlp.taxonomy import get_default_taxonomy
from training.answers import Answer
from training.baseline import text_of
from training.encoders import find_encoder

_MAX_TOKENS = 384
_SHARPNESS = 20.0


class Similarity:
    """Compares mean-pooled vectors of text and definitions.

    Args:
        encoder: Folder or name of the encoder.
    """

    name = "label-description similarity"

    def __init__(self, encoder: str) -> None:
        place = find_encoder(encoder)
        self._tokenizer = AutoTokenizer.from_pretrained(place)
        self._encoder = AutoModel.from_pretrained(place, add_pooling_layer=False).eval()
        taxonomy = get_default_taxonomy()
        self._codes = taxonomy.codes
        self._labels = np.stack([self._vector(f"{one.label}: {one.definition}") for one in taxonomy.reasons])

    def answer(self, deal: Deal) -> Answer:
        """Gives the nearest reason."""
        scores = _SHARPNESS * self._labels @ self._vector(text_of(deal))
        weights = np.exp(scores - scores.max())
        best = int(scores.argmax())
        return Answer(primary=self._codes[best], confidence=float(weights[best] / weights.sum()))

    def _vector(self, text: str) -> NDArray[np.float32]:
        """Gives the normalised mean vector of a text, shape (width,)."""
        pieces = self._tokenizer(text, return_tensors="pt", truncation=True, max_length=_MAX_TOKENS)
        with torch.no_grad():
            mean = self._encoder(**pieces).last_hidden_state[0].mean(0).numpy()
        vector: NDArray[np.float32] = mean / np.linalg.norm(mean)
        return vector
