"""Examples: labelled deals as token windows, views and targets, ready for the network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossnlp.heads import ATTRIBUTIONS, RIVAL_TAGS, WINBACKS, Layout
from lossnlp.segments import Segment, read_deal
from lossnlp.windows import Window, WindowMaker
from training.corpus import LabelledDeal, Labels

IGNORE = -100
_RIVAL_OUTSIDE = 0


@dataclass(frozen=True)
class View:
    """One reading of a deal with its gold labels.

    Args:
        members: Segments it covers, shape (members,).
        sources: Whether it holds a rep note, and the buyer's words.
        targets: Gold value of each output head: arrays of 0 and 1 (NaN where not labelled), or a class index (IGNORE where not labelled).
        evidence: Pairs of slot and token row where a gold quote stands, shape (pairs, 2).
    """

    members: NDArray[np.int64]
    sources: tuple[bool, bool]
    targets: dict[str, NDArray[np.float32] | int]
    evidence: NDArray[np.int64]


@dataclass(frozen=True)
class Example:
    """A labelled deal ready for the network.

    Args:
        deal_id: The deal.
        windows: Encoder inputs in document order.
        segment_of: Segment of each owned token, ascending, shape (tokens,).
        n_segments: Number of segments.
        views: Note, buyer's words, everything; one where the deal has one document.
        rival_tags: Rival role of each token (IGNORE where not labelled), shape (tokens,).
        revisit_tags: 1 where a token belongs to the revisit phrase (NaN where not labelled), shape (tokens,).
        segments: The segments, for reading errors.
    """

    deal_id: str
    windows: tuple[Window, ...]
    segment_of: NDArray[np.int64]
    n_segments: int
    views: tuple[View, ...]
    rival_tags: NDArray[np.int64]
    revisit_tags: NDArray[np.float32]
    segments: tuple[Segment, ...]

    @property
    def n_tokens(self) -> int:
        """Length of all windows together, special tokens included."""
        return sum(len(window.ids) for window in self.windows)


class _TokenPlaces:
    """Where each token stands in the raw text."""

    def __init__(self, segments: Sequence[Segment], windows: Sequence[Window]) -> None:
        self.segments = segments
        self.segment_of = np.concatenate([window.segments for window in windows])
        spans = np.concatenate([window.spans for window in windows])
        raw = [segments[s].raw_span(int(a), int(b)) for s, (a, b) in zip(self.segment_of, spans, strict=True)]
        self.raw = np.array(raw, dtype=np.int64).reshape(-1, 2)
        places: dict[tuple[str, int | None], int] = {}
        of_segment = [places.setdefault((s.document_id, s.turn), len(places)) for s in segments]
        self.place_of = np.array(of_segment, dtype=np.int64)[self.segment_of]
        self.places = places

    def rows(self, document_id: str, turn: int | None, start: int, end: int) -> NDArray[np.int64]:
        """Gives the token rows that overlap a raw slice of a document or turn."""
        place = self.places.get((document_id, turn), -1)
        hit = (self.place_of == place) & (self.raw[:, 0] < end) & (self.raw[:, 1] > start)
        return np.flatnonzero(hit)


class ExampleMaker:
    """Turns labelled deals into examples for one tokenizer and layout."""

    def __init__(self, windows: WindowMaker, layout: Layout) -> None:
        self.windows = windows
        self.layout = layout
        self._slot = {name: index for index, (name, _) in enumerate(layout.slots)}

    def make(self, labelled: LabelledDeal) -> Example:
        """Gives the example of one labelled deal."""
        segments = read_deal(labelled.deal).segments
        windows = tuple(self.windows.make(segments))
        places = _TokenPlaces(segments, windows)
        return Example(
            deal_id=labelled.deal.id,
            windows=windows,
            segment_of=places.segment_of,
            n_segments=len(segments),
            views=tuple(self._views(labelled, places)),
            rival_tags=_rival_tags(labelled, places),
            revisit_tags=_revisit_tags(labelled, places),
            segments=segments,
        )

    def _views(self, labelled: LabelledDeal, places: _TokenPlaces) -> Iterator[View]:
        kinds = np.array([segment.kind == "rep_note" for segment in places.segments])
        is_whole = (labelled.note is None) == (labelled.buyer is None)
        for labels, members, sources in (
            (labelled.note, np.flatnonzero(kinds), (True, False)),
            (labelled.buyer, np.flatnonzero(~kinds), (False, True)),
            (labelled.labels if is_whole else None, np.arange(len(kinds)), (True, True)),
        ):
            if labels is not None and len(members):
                yield View(
                    members=members,
                    sources=sources,
                    targets=self._targets(labels, has_note=sources[0], is_partial=labelled.is_partial),
                    evidence=self._evidence(labelled, labels, places, members),
                )

    def _targets(self, labels: Labels, *, has_note: bool, is_partial: bool) -> dict[str, NDArray[np.float32] | int]:
        layout = self.layout
        own = "sales_execution" in labels.reasons or labels.attribution in ("mixed", "internal_only")
        attribution = ATTRIBUTIONS.index(labels.attribution) if has_note and labels.attribution != "na" else IGNORE
        insufficient = labels.insufficient_detail if has_note else None
        targets: dict[str, NDArray[np.float32] | int] = {
            "reasons": np.array([code in labels.reasons for code in layout.reasons], dtype=np.float32),
            "primary": layout.reasons.index(labels.primary),
            "gap": np.array([labels.meddpicc.get(e) == "gap" for e in layout.elements], dtype=np.float32),
            "covered": np.array([labels.meddpicc.get(e) == "covered" for e in layout.elements], dtype=np.float32),
            "own_doing": np.array([own], dtype=np.float32),
            "attribution": attribution,
            "insufficient_detail": IGNORE if insufficient is None else int(insufficient),
            "winback": WINBACKS.index(labels.winback),
        }
        if is_partial:
            unknown = {name: np.full_like(targets[name], np.nan) for name in ("gap", "covered", "own_doing")}
            targets |= unknown | {"winback": IGNORE}
        return targets

    def _evidence(
        self, labelled: LabelledDeal, labels: Labels, places: _TokenPlaces, members: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        allowed = np.isin(places.segment_of, members)
        pairs = [
            (slot, row)
            for key, quotes in labels.evidence.items()
            for slot in self._slots_of(key, labels)
            for quote in quotes
            for row in _quoted_rows(labelled, quote, places)
            if allowed[row]
        ]
        return np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 2)

    def _slots_of(self, key: str, labels: Labels) -> list[int]:
        """Gives the slots that an evidence key teaches: a reason, a gap or covered element, and our own doing."""
        if key.startswith("meddpicc."):
            element = key.removeprefix("meddpicc.")
            return [self._slot[f"{labels.meddpicc[element]}.{element}"]] if element in labels.meddpicc else []
        extra = [self._slot["own_doing"]] if key == "sales_execution" else []
        return [self._slot[key], *extra] if key in self._slot else []


def _find_words(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(rf"(?<!\w){re.escape(wanted)}(?!\w)", text):
        yield match.span()


def _texts(labelled: LabelledDeal) -> Iterator[tuple[str, int | None, str]]:
    for document in labelled.deal.documents:
        yield from ((document.id, turn, text) for turn, text in document.numbered_texts)


def _quoted_rows(labelled: LabelledDeal, quote: str, places: _TokenPlaces) -> list[int]:
    """Gives the token rows of the first place in each document where a quote stands."""
    rows: list[int] = []
    seen: set[str] = set()
    for document_id, turn, text in _texts(labelled):
        start = text.find(quote)
        if start >= 0 and document_id not in seen:
            seen.add(document_id)
            rows.extend(int(row) for row in places.rows(document_id, turn, start, start + len(quote)))
    return rows


def _rival_tags(labelled: LabelledDeal, places: _TokenPlaces) -> NDArray[np.int64]:
    tags = np.full(len(places.segment_of), IGNORE if labelled.is_partial else _RIVAL_OUTSIDE, dtype=np.int64)
    names = sorted(labelled.labels.competitors, key=len)
    for document_id, turn, text in _texts(labelled):
        for name in names:
            role = labelled.labels.competitor_roles.get(name, "mentioned")
            for start, end in _find_words(text, name):
                tags[places.rows(document_id, turn, start, end)] = RIVAL_TAGS.index(role)
    return tags


def _revisit_tags(labelled: LabelledDeal, places: _TokenPlaces) -> NDArray[np.float32]:
    tags = np.full(len(places.segment_of), np.nan if labelled.is_partial else 0.0, dtype=np.float32)
    phrases = {
        labels.revisit for labels in (labelled.labels, labelled.note, labelled.buyer) if labels and labels.revisit
    }
    for phrase in phrases:
        tags[_quoted_rows(labelled, phrase, places)] = 1.0
    return tags
