"""Quotes: the stretches of a deal's documents that carry a value's attention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossnlp.assessment import Evidence
from lossnlp.calibration import EvidenceRule
from lossnlp.encoder import TokenTags
from lossnlp.heads import Array
from lossnlp.segments import Segment

_STRIPPED = " \t\r\n\u00a0.,;:!?-\u2013\u2014\"'\u201c\u201d()[]>*\u2022"


@dataclass(frozen=True)
class QuoteCutter:
    """Cuts quotes out of one deal.

    Args:
        segments: The deal's segments.
        tokens: Token readings of the deal.
        rule: How much attention becomes a quote.
    """

    segments: Sequence[Segment]
    tokens: TokenTags
    rule: EvidenceRule

    def cut(self, slot: int, members: NDArray[np.int64], weights: Array) -> tuple[Evidence, ...]:
        """Gives the quotes of one slot, strongest first.

        Args:
            slot: The slot whose attention decides.
            members: Segments of the view, shape (members,).
            weights: Attention of those segments for this slot, shape (members,).
        """
        order = np.argsort(-weights, kind="stable")[: self.rule.most]
        floor = self.rule.share * weights[order[0]]
        chosen = [int(members[place]) for place in order if weights[place] >= floor]
        return tuple(quote for segment in chosen if (quote := self._of_segment(slot, segment)))

    def _of_segment(self, slot: int, index: int) -> Evidence | None:
        low, high = np.searchsorted(self.tokens.segments, [index, index + 1])
        if low == high:
            return None
        scores = self.tokens.attention[low:high, slot]
        first, last = _stretch(scores >= scores.max() - self.rule.margin, int(scores.argmax()), self.rule.gap)
        start, end = self.tokens.spans[low + first, 0], self.tokens.spans[low + last, 1]
        return quote_of(self.segments[index], int(start), int(end))


def _stretch(strong: NDArray[np.bool_], peak: int, gap: int) -> tuple[int, int]:
    """Gives first and last token of the strong stretch around the peak, bridging up to `gap` weak tokens."""
    first = last = peak
    for step in (-1, 1):
        place, weak = peak + step, 0
        while 0 <= place < len(strong) and weak <= gap:
            if strong[place]:
                weak = 0
                first, last = min(first, place), max(last, place)
            else:
                weak += 1
            place += step
    return first, last


def quote_of(segment: Segment, start: int, end: int) -> Evidence | None:
    """Gives the quote of clean characters `start` to `end` of a segment, widened to whole words; None where only marks stand."""
    text = segment.text
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    while start < end and text[start] in _STRIPPED:
        start += 1
    while end > start and text[end - 1] in _STRIPPED:
        end -= 1
    if start >= end:
        return None
    raw_start, raw_end = segment.raw_span(start, end)
    slice_of_raw = segment.raw[raw_start - segment.start : raw_end - segment.start]
    return Evidence(
        document_id=segment.document_id,
        start=raw_start,
        end=raw_end,
        text=slice_of_raw,
        turn=segment.turn,
        speaker=segment.speaker,
        role=segment.role,
    )


def stretches(tags: Array, tokens: TokenTags, *, floor: float) -> Iterator[tuple[int, int]]:
    """Gives first and last row of each tagged stretch: a run of tokens of one segment, trimmed to half of its strongest tag.

    Args:
        tags: Probability of each token, shape (tokens,).
        tokens: Token readings of the deal.
        floor: Lowest probability that counts, 0 to 1.
    """
    rows = np.flatnonzero(tags >= floor)
    breaks = (np.diff(rows) != 1) | (np.diff(tokens.segments[rows]) != 0)
    for run in np.split(rows, np.flatnonzero(breaks) + 1):
        if len(run):
            strong = run[tags[run] >= tags[run].max() / 2]
            yield int(strong[0]), int(strong[-1])
