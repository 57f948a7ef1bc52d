"""Segments: the sentences of a deal's documents, cleaned for reading, with every offset kept.

A segment is the unit that carries evidence. Its raw offsets point into the text as it came in; cleaning (mojibake,
control and zero-width characters) happens on a copy, and `Segment.raw_span` leads from the copy back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import TYPE_CHECKING

from lossnlp.assessment import Speaker
from lossnlp.deal import Deal, Document, Kind, Role
from lossnlp.english import blank_english
from lossnlp.renewal import Renewed
from lossnlp.speakers import read_speakers, with_roles
from lossnlp.transcripts import read_turns
from lossnlp.turns import SpokenTurn

if TYPE_CHECKING:
    from spacy.language import Language

MAX_SEGMENT_WORDS = 48
_CHUNK_CHARS = 4_000
_MAX_ALIGNED_CHARS = 100
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_DROPPED = re.compile(r"(?![\r\u2028\u2029])" + _UNREADABLE.pattern)  # those three become line feeds
_LINE = re.compile(r"[^\n]+")
_WORD = re.compile(r"\S+")
_WORD_WITH_BLANK = re.compile(r"[^ ]* |[^ ]+")
_ENDLESS = re.compile(r"\S{60,}")
_PAUSE = (",", ";", ":", "-", "\u2013", "\u2014", "...", "\u2026")


@dataclass(frozen=True, slots=True)
class Segment:
    """One sentence of a document.

    Args:
        document_id: The document it stands in.
        kind: The document's kind.
        start: First code point of the segment in the raw text (in the turn's text where `turn` is given).
        end: Code point after the last one.
        raw: The text as it came in, exactly that slice.
        text: The cleaned copy that the model reads.
        offsets: Raw position of each clean character, with one more entry for the end; None where nothing changed.
        turn: Index of the turn, for documents that came as turns.
        speaker: Speaker label as written.
        role: Who speaks, as far as known.
        quoted: Repeats an earlier mail.
    """

    document_id: str
    kind: Kind
    start: int
    end: int
    raw: str
    text: str
    offsets: tuple[int, ...] | None = None
    turn: int | None = None
    speaker: str | None = None
    role: Role | None = None
    quoted: bool = False

    def raw_span(self, start: int, end: int) -> tuple[int, int]:
        """Gives the raw document offsets of the clean characters `start` to `end` of this segment."""
        if self.offsets is not None:
            start, end = self.offsets[start], self.offsets[end]
        return self.start + start, self.start + end


@dataclass(frozen=True, slots=True)
class ReadDeal:
    """A deal taken apart: its segments in order, and the roles read for its speakers."""

    segments: tuple[Segment, ...]
    speakers: tuple[Speaker, ...]


def read_deal(deal: Deal) -> ReadDeal:
    """Gives every segment of every document, in the order of the request, and the speakers' roles."""
    readings = [(document, _turns_of(document)) for document in deal.documents]
    spoken = [(document, turns) for document, turns in readings if document.kind != "rep_note"]
    speakers = read_speakers(deal, spoken)
    segments: list[Segment] = []
    for document, turns in readings:
        known = with_roles(document.id, turns, [who for who in speakers if who.document_id == document.id])
        for turn in known:
            segments.extend(_segments_of_turn(document, turn))
    return ReadDeal(segments=tuple(segments), speakers=speakers)


def clean(raw: str) -> tuple[str, tuple[int, ...] | None]:
    """Gives a readable copy of `raw` and, where it differs, the raw position of each of its characters and of its end."""
    if raw.isascii() and not _UNREADABLE.search(raw):
        return raw, None
    mended = _UNREADABLE.sub("", _mended(raw))
    text = mended.replace("\u00a0", " ")
    return (raw, None) if text == raw else (text, tuple(_alignment(raw, mended)))


def _mended(raw: str) -> str:
    import ftfy  # noqa: PLC0415 - a tenth of a second that plain ASCII never needs

    return ftfy.fix_text(raw, config=ftfy.TextFixerConfig(unescape_html=False, normalization="NFC", explain=False))


def _turns_of(document: Document) -> tuple[SpokenTurn, ...]:
    if document.kind != "rep_note":
        return read_turns(document)
    if document.turns is None:
        return (SpokenTurn(speaker=None, role="rep", start=0, end=len(document.text or ""), turn=None),)
    return tuple(
        SpokenTurn(speaker=turn.speaker, role="rep", start=0, end=len(turn.text), turn=index)
        for index, turn in enumerate(document.turns)
    )


def _segments_of_turn(document: Document, turn: SpokenTurn) -> Iterator[Segment]:
    source = document.text if turn.turn is None else (document.turns or ())[turn.turn].text
    for low, high in split_sentences((source or "")[turn.start : turn.end]):
        start, end = low + turn.start, high + turn.start
        raw = (source or "")[start:end]
        text, offsets = clean(raw)
        if not text.strip():
            continue
        yield Segment(
            document_id=document.id,
            kind=document.kind,
            start=start,
            end=end,
            raw=raw,
            text=text,
            offsets=offsets,
            turn=turn.turn,
            speaker=turn.speaker,
            role=turn.role,
            quoted=turn.quoted,
        )


def split_sentences(text: str) -> Iterator[tuple[int, int]]:
    """Gives the slices of the sentences of `text`: no slice crosses a line or is longer than 48 words."""
    for line in _LINE.finditer(text):
        for chunk in range(line.start(), line.end(), _CHUNK_CHARS):
            piece = text[chunk : min(chunk + _CHUNK_CHARS, line.end())]
            language, _ = _SPLITTER.get()
            # spaCy's tokenizer takes quadratic time on an endless run of marks; as one word it is as good.
            for sentence in language(_ENDLESS.sub(lambda run: "x" * len(run.group()), piece)).sents:
                yield from _short_slices(text, chunk + sentence.start_char, chunk + sentence.end_char)


def _build_splitter() -> tuple[Language, None]:
    language = blank_english()
    language.add_pipe("sentencizer")
    return language, None


_SPLITTER = Renewed(_build_splitter)


def prepare_splitter() -> None:
    """Builds what splits sentences, so that the first text does not wait for it."""
    _SPLITTER.get()


def _short_slices(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Gives a sentence whole, or cut at pauses where it runs on: dictated notes have no full stops."""
    words = list(_WORD.finditer(text, start, end))
    while len(words) > MAX_SEGMENT_WORDS:
        half = MAX_SEGMENT_WORDS // 2
        pauses = [i for i in range(half, MAX_SEGMENT_WORDS) if words[i].group().endswith(_PAUSE)]
        cut = (pauses[-1] if pauses else MAX_SEGMENT_WORDS - 1) + 1
        yield words[0].start(), words[cut - 1].end()
        words = words[cut:]
    if words:
        yield words[0].start(), words[-1].end()


def _alignment(raw: str, mended: str) -> Iterator[int]:
    """Gives the raw position of each character of `mended`, then the raw end."""
    kept = [position for position, char in enumerate(raw) if not _DROPPED.match(char)]
    readable = "".join(raw[position] for position in kept)
    kept.append(len(raw))
    for old, new, start in _stretches(readable, mended):
        yield from (kept[start + position] for position in _positions(old, new))
    yield len(raw)


def _stretches(raw: str, mended: str) -> Iterator[tuple[str, str, int]]:
    """Gives the stretches of two spellings that belong together, word by word where they can be told, and the raw start."""
    old, new = _WORD_WITH_BLANK.findall(raw), _WORD_WITH_BLANK.findall(mended)
    blocks = [(at, at + 1, at, at + 1) for at in range(len(old))]
    if len(old) != len(new):
        blocks = [block[1:] for block in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()]
    start = 0
    for low, high, new_low, new_high in blocks:
        stretch = "".join(old[low:high])
        yield stretch, "".join(new[new_low:new_high]), start
        start += len(stretch)


def _positions(old: str, new: str) -> Iterator[int]:
    """Gives the position in `old` of each character of `new`.

    Aligning takes more than quadratic time, so it is done between the common ends only, and by proportion where that is long.
    """
    ahead = _n_shared(old, new)
    behind = _n_shared(old[ahead:][::-1], new[ahead:][::-1])
    old_end, new_end = len(old) - behind, len(new) - behind
    yield from range(ahead)
    blocks: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, old_end - ahead, 0, new_end - ahead)]
    if len(old) != len(new) and max(old_end, new_end) - ahead <= _MAX_ALIGNED_CHARS:
        blocks = SequenceMatcher(None, old[ahead:old_end], new[ahead:new_end], autojunk=False).get_opcodes()
    for tag, low, high, new_low, new_high in blocks:
        size = new_high - new_low
        for step in range(size):
            yield ahead + low + (step if tag == "equal" else step * (high - low) // size)
    yield from range(old_end, len(old))


def _n_shared(one: str, other: str) -> int:
    """Gives how many characters two texts share from the start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
