"""Windows: the token sequences that one encoder pass reads, packed from whole segments.

A window opens with a marker of the document's kind and carries a marker at each change of speaker ("buyer:"), so that the
encoder knows who talks. Later windows of a document begin with the end of the one before as context; each token
belongs to its segment in exactly one window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from lossnlp.errors import BundleError
from lossnlp.segments import Segment

MAX_TOKENS = 256
CONTEXT_TOKENS = 48
_NO_SEGMENT = -1
_SEGMENTS_AT_ONCE = 2_000
_KIND_MARKERS = {
    "rep_note": "note :",
    "call_transcript": "call :",
    "buyer_interview": "interview :",
    "email_thread": "mail :",
}
_ROLE_MARKERS = {"rep": "seller :", "buyer": "buyer :", "other": "other :", None: "speaker :"}

_Stretch = list[tuple[int, Segment]]


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a segment's clean text: vocabulary id, index of the segment, first and last character."""

    id: int
    segment: int = _NO_SEGMENT
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """One input of the encoder.

    Args:
        ids: Vocabulary ids with the special tokens, shape (tokens,), int64.
        owned: Positions in `ids` whose readings count (no marker, context or special token), shape (owned,), int64.
        segments: Index of the segment of each owned token, shape (owned,), int64, ascending.
        spans: First and last clean character of each owned token in its segment, shape (owned, 2), int64.
    """

    ids: NDArray[np.int64]
    owned: NDArray[np.int64]
    segments: NDArray[np.int64]
    spans: NDArray[np.int64]


def read_tokenizer(path: Path) -> Tokenizer:
    """Gives the tokenizer of a tokenizer.json, without padding and truncation: windows are cut here.

    Raises:
        BundleError: The file is none.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise BundleError(f"{path} is no tokenizer ({type(error).__name__}); export the bundle again.") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


class WindowMaker:
    """Packs segments into windows for one tokenizer.

    Args:
        tokenizer: The bundle's tokenizer, without padding and truncation.
        max_tokens: Longest window in tokens, special tokens included, 128 to 512.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int = MAX_TOKENS) -> None:
        self._tokenizer = tokenizer
        special = tokenizer.encode("").ids
        self._open, self._close = Token(special[0]), Token(special[-1])
        self._room = max_tokens - len(special)
        self._markers = {
            text: [Token(id_) for id_ in tokenizer.encode(text, add_special_tokens=False).ids]
            for text in (*_KIND_MARKERS.values(), *_ROLE_MARKERS.values())
        }

    def make(self, segments: Sequence[Segment]) -> list[Window]:
        """Gives the windows of all documents of a deal, in order; every token of every segment is owned exactly once."""
        return self.make_many([segments])[0]

    def make_many(self, deals: Sequence[Sequence[Segment]]) -> list[list[Window]]:
        """Gives the windows of each deal, with as few calls of the tokenizer as memory allows.

        Args:
            deals: The segments of each deal.
        """
        made: list[list[Window]] = [[] for _ in deals]
        for some in _filled(_stretches(deals)):
            texts = [segment.text for _, stretch in some for _, segment in stretch]
            pieces = iter(self._tokenizer.encode_batch(texts, add_special_tokens=False))
            for deal, stretch in some:
                made[deal].extend(self._cut(self._runs(stretch, pieces)))
        return made

    def _runs(self, stretch: _Stretch, pieces: Iterator[Encoding]) -> Iterator[list[Token]]:
        """Gives the tokens of each segment, with markers before the first one and at each change of speaker."""
        before: object = None
        for (index, segment), piece in zip(stretch, pieces, strict=False):
            run = [Token(id_, index, *span) for id_, span in zip(piece.ids, piece.offsets, strict=True)]
            voice = (segment.speaker, segment.role)
            if segment.kind != "rep_note" and voice != before:
                run = self._markers[_ROLE_MARKERS[segment.role]] + run
            if before is None:
                run = self._markers[_KIND_MARKERS[segment.kind]] + run
            before = voice
            yield run

    def _cut(self, runs: Iterator[list[Token]]) -> Iterator[Window]:
        filled: list[Token] = []
        step = self._room - CONTEXT_TOKENS
        for run in runs:
            for low in range(0, len(run), step):
                piece = run[low : low + step]
                if len(filled) + len(piece) > self._room:
                    yield self._window(filled)
                    filled = [replace(token, segment=_NO_SEGMENT) for token in filled[-CONTEXT_TOKENS:]]
                filled.extend(piece)
        if any(token.segment != _NO_SEGMENT for token in filled):
            yield self._window(filled)

    def _window(self, filled: Sequence[Token]) -> Window:
        tokens = [self._open, *filled, self._close]
        owned = [place for place, token in enumerate(tokens) if token.segment != _NO_SEGMENT]
        return Window(
            ids=np.array([token.id for token in tokens], dtype=np.int64),
            owned=np.array(owned, dtype=np.int64),
            segments=np.array([tokens[place].segment for place in owned], dtype=np.int64),
            spans=np.array([(tokens[place].start, tokens[place].end) for place in owned], dtype=np.int64).reshape(
                -1, 2
            ),
        )


def _stretches(deals: Sequence[Sequence[Segment]]) -> Iterator[tuple[int, _Stretch]]:
    """Gives the documents of each deal, with its number, in stretches short enough that memory stays bounded whatever their length."""
    for deal, segments in enumerate(deals):
        for _, group in groupby(enumerate(segments), key=lambda pair: pair[1].document_id):
            numbered = list(group)
            for low in range(0, len(numbered), _SEGMENTS_AT_ONCE):
                yield deal, numbered[low : low + _SEGMENTS_AT_ONCE]


def _filled(stretches: Iterable[tuple[int, _Stretch]]) -> Iterator[list[tuple[int, _Stretch]]]:
    """Gives the stretches together, as many as the tokenizer takes at once."""
    some: list[tuple[int, _Stretch]] = []
    for deal, stretch in stretches:
        if some and sum(len(one) for _, one in some) + len(stretch) > _SEGMENTS_AT_ONCE:
            yield some
            some = []
        some.append((deal, stretch))
    if some:
        yield some
