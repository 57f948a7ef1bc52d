"""Segments to readings: tokenizer, encoder and pooling. The only home of the inference runtime (OpenVINO)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import openvino
from numpy.typing import NDArray
from safetensors.numpy import load_file

from lossnlp.bundle import Bundle
from lossnlp.errors import BundleError
from lossnlp.heads import Array, Layout, Mixer, SegmentReadings, ViewReading, pool_segments, read_view
from lossnlp.segments import Segment
from lossnlp.windows import Window, WindowMaker, read_tokenizer


@dataclass(frozen=True)
class TokenTags:
    """Where rivals and the revisit phrase stand, token by token.

    Args:
        segments: Segment of each token, shape (tokens,).
        spans: First and last clean character of each token in its segment, shape (tokens, 2).
        rivals: Probability of each rival tag, shape (tokens, 4); see `heads.RIVAL_TAGS`.
        revisit: Probability of belonging to the revisit phrase, shape (tokens,).
        attention: Score of each token per slot, shape (tokens, slots).
    """

    segments: NDArray[np.int64]
    spans: NDArray[np.int64]
    rivals: Array
    revisit: Array
    attention: Array


@dataclass(frozen=True)
class Readings:
    """What the encoder read in a deal: per segment and per token."""

    segments: SegmentReadings
    tokens: TokenTags


class Encoder:
    """Reads segments with the network of a bundle; safe to share between threads.

    Args:
        bundle: A checked bundle.
        threads: Processor threads to use, 0 for the runtime's choice.

    Raises:
        BundleError: The weights do not fit the bundle's labels.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 0) -> None:
        self.layout = Layout(bundle.taxonomy.codes, bundle.taxonomy.element_codes)
        tokenizer = read_tokenizer(bundle.path("tokenizer.json"))
        self._windows = WindowMaker(tokenizer, max_tokens=bundle.manifest.max_tokens)
        self._mixer = Mixer.from_tensors(load_file(bundle.path("heads.safetensors")))
        self._network = _compiled(bundle, threads)
        self._requests = threading.local()
        if self._network.outputs[0].partial_shape[-1].get_length() != self.layout.width:
            raise BundleError(
                "The bundle's encoder was trained for other labels than its taxonomy lists; export it again."
            )

    def read(self, segments: Sequence[Segment]) -> Readings:
        """Gives the readings of a deal's segments; memory grows with the text, not with the encoder's width."""
        outputs: list[Array] = []
        owners: list[NDArray[np.int64]] = []
        spans: list[NDArray[np.int64]] = []
        for window in self._windows.make(segments):
            outputs.append(self._read_window(window))
            owners.append(window.segments)
            spans.append(window.spans)
        tokens = np.concatenate(outputs) if outputs else np.zeros((0, self.layout.width), np.float32)
        owner = np.concatenate(owners) if owners else np.zeros(0, np.int64)
        return Readings(
            segments=self._pooled(tokens, owner, len(segments)),
            tokens=self._tags(tokens, owner, np.concatenate(spans) if spans else np.zeros((0, 2), np.int64)),
        )

    def view(self, readings: Readings, members: NDArray[np.int64], *, sources: tuple[bool, bool]) -> ViewReading:
        """Gives logits and attention of the view that holds these segments.

        Args:
            readings: Of the whole deal.
            members: Indices of the view's segments, at least one.
            sources: Whether the view holds a rep note, and the buyer's words.
        """
        return read_view(readings.segments, members, sources=sources, mixer=self._mixer, layout=self.layout)

    def _read_window(self, window: Window) -> Array:
        # Alone and unpadded: an answer then never depends on which other deals stand in the batch.
        request = getattr(self._requests, "request", None)
        if request is None:
            request = self._requests.request = self._network.create_infer_request()
        ids = window.ids[None, :]
        result = request.infer({"input_ids": ids, "attention_mask": np.ones_like(ids)}, share_inputs=True)
        output: Array = result[0][0][window.owned]
        return output

    def _pooled(self, tokens: Array, owner: NDArray[np.int64], count: int) -> SegmentReadings:
        """Gives readings row by row for all segments; one without a token (such as an emoji the tokenizer drops) reads as silence."""
        present, starts = np.unique(owner, return_index=True)
        pooled = pool_segments(tokens, starts.astype(np.int64), self.layout)
        if len(present) == count:
            return pooled
        mass = np.full((count, self.layout.n_slots), -30.0, np.float32)
        values = np.zeros((count, self.layout.n_values), np.float32)
        mass[present], values[present] = pooled.mass, pooled.values
        return SegmentReadings(mass=mass, values=values)

    def _tags(self, tokens: Array, owner: NDArray[np.int64], spans: NDArray[np.int64]) -> TokenTags:
        tags = tokens[:, self.layout.n_slots + self.layout.n_values :]
        rivals = np.exp(tags[:, :-1] - tags[:, :-1].max(axis=1, keepdims=True, initial=-np.inf))
        return TokenTags(
            segments=owner,
            spans=spans,
            rivals=rivals / rivals.sum(axis=1, keepdims=True),
            revisit=(1 / (1 + np.exp(-tags[:, -1]))).astype(np.float32),
            attention=tokens[:, : self.layout.n_slots],
        )


def _compiled(bundle: Bundle, threads: int) -> openvino.CompiledModel:
    settings: dict[str, object] = {
        "PERFORMANCE_HINT": "LATENCY",
        # Used where the processor has it, else 32 bits; a quarter faster, and the same on one thread and on many.
        "INFERENCE_PRECISION_HINT": "bf16",
    }
    if threads:
        # Unpinned: several processes of few threads would all be pinned to the same first processors
        settings |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
    core = openvino.Core()
    try:
        return core.compile_model(core.read_model(str(bundle.path("encoder.xml"))), "CPU", settings)
    except RuntimeError as error:
        raise BundleError(
            f"The encoder in {bundle.folder} cannot be loaded by this OpenVINO; export it again."
        ) from error
