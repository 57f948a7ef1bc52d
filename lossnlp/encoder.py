"""Segments to readings: tokenizer, network and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from lossnlp.batches import read_windows
from lossnlp.bundle import Bundle
from lossnlp.cores import usable_cores
from lossnlp.errors import BundleError
from lossnlp.heads import Array, Layout, Mixer, SegmentReadings, ViewReading, pool_segments, read_view
from lossnlp.network import Network
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
        self._bundle = bundle
        self._cores = threads or usable_cores()
        tokenizer = read_tokenizer(bundle.path("tokenizer.json"))
        self._windows = WindowMaker(tokenizer, max_tokens=bundle.manifest.max_tokens)
        self._mixer = _read_mixer(bundle, self.layout)
        self._network = Network(bundle, threads=threads)
        self._widening = Lock()
        self._wide: Network | None = None
        if self._network.width != self.layout.width:
            raise BundleError(
                "The bundle's encoder was trained for other labels than its taxonomy lists; export it again."
            )

    def read(self, segments: Sequence[Segment]) -> Readings:
        """Gives the readings of a deal's segments; memory grows with the text, not with the encoder's width."""
        return self.read_many([segments])[0]

    def read_many(self, deals: Sequence[Sequence[Segment]], *, is_backfill: bool = False) -> list[Readings]:
        """Gives the readings of some deals' segments, each as it reads alone.

        Args:
            deals: The segments of each deal.
            is_backfill: Whether so much is to be read that it pays to load the weights once more, for a batch on every core.
        """
        made = self._windows.make_many(deals)
        network = self._widened() if is_backfill and self._cores > 1 else self._network
        outputs = iter(read_windows([window for windows in made for window in windows], network.run))
        return [
            self._readings(windows, [next(outputs) for _ in windows], len(segments))
            for windows, segments in zip(made, deals, strict=True)
        ]

    def _widened(self) -> Network:
        with self._widening:
            if self._wide is None:
                self._wide = Network(self._bundle, threads=self._cores, streams=self._cores)
            return self._wide

    def view(self, readings: Readings, members: NDArray[np.int64], *, sources: tuple[bool, bool]) -> ViewReading:
        """Gives logits and attention of the view that holds these segments.

        Args:
            readings: Of the whole deal.
            members: Indices of the view's segments, at least one.
            sources: Whether the view holds a rep note, and the buyer's words.
        """
        return read_view(readings.segments, members, sources=sources, mixer=self._mixer, layout=self.layout)

    def _readings(self, windows: Sequence[Window], outputs: Sequence[Array], n_segments: int) -> Readings:
        # With no row first, as a deal of emojis alone has no window
        tokens = np.concatenate([np.zeros((0, self.layout.width), np.float32), *outputs])
        owner = np.concatenate([np.zeros(0, np.int64), *(window.segments for window in windows)])
        spans = np.concatenate([np.zeros((0, 2), np.int64), *(window.spans for window in windows)])
        return Readings(segments=self._pooled(tokens, owner, n_segments), tokens=self._tags(tokens, owner, spans))

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


def _read_mixer(bundle: Bundle, layout: Layout) -> Mixer:
    """Gives the mixing layer of a bundle.

    Raises:
        BundleError: Its tensors are damaged, missing or of another shape than the labels ask for.
    """
    path = bundle.path("heads.safetensors")
    try:
        mixer = Mixer.from_tensors(load_file(path))
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise BundleError(f"{path} holds no mixing layer ({type(error).__name__}); export the bundle again.") from None
    hidden = mixer.inner[0].shape[:1]
    shapes = [tensor.shape for tensor in (*mixer.inner, *mixer.outer)]
    if shapes != [(*hidden, layout.n_features), hidden, (layout.n_outputs, *hidden), (layout.n_outputs,)]:
        raise BundleError(f"{path} was made for other labels than the bundle's taxonomy lists; export it again.")
    return mixer
