"""Documents with their evidence lit: which words stand where, who says them, and which labels they show. Pure, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from markupsafe import Markup, escape

from lossnlp.assessment import Span, Speaker
from lossnlp.deal import Document, Kind, Role
from lossnlp.redaction import stands_for
from lossnlp.transcripts import read_turns

_LONG_BLOCK = 4_000
_NEAR = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """That a stretch of a document shows a label."""

    label: str
    span: Span


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters that show the same labels.

    Args:
        start: First code point in the document's text, or in the turn's.
        text: The characters.
        labels: Ids of the labels that they show, each once; none for the words between.
        anchor: Id in the page.
    """

    start: int
    text: str
    labels: tuple[str, ...]
    anchor: str

    @property
    def html(self) -> Markup:
        """The characters escaped so that a browser keeps each of them: it would fold CR LF into one and drop NUL."""
        return Markup(str(escape(self.text)).replace("\r", "&#13;").replace("\x00", "\ufffd"))  # noqa: S704 (escaped here)


@dataclass(frozen=True, slots=True)
class Block:
    """A turn, or what stands between two turns.

    Args:
        start: First code point in the document's text, or in the turn's.
        pieces: Its characters, all of them.
        turn: Index of the turn, for documents that came as turns.
        speaker: As written.
        role: Given or read; None where unknown.
        is_speech: False for labels, time marks and blanks between turns.
    """

    start: int
    pieces: tuple[Piece, ...]
    turn: int | None = None
    speaker: str | None = None
    role: Role | None = None
    is_speech: bool = True

    @property
    def is_blank(self) -> bool:
        """Whether nothing can be seen of it."""
        return not self.text.strip()

    @property
    def is_marked(self) -> bool:
        """Whether anything in it shows a label."""
        return any(piece.labels for piece in self.pieces)

    @property
    def text(self) -> str:
        """Its characters."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are left out because nothing near them is lit."""

    n_blocks: int


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """A document as the page shows it."""

    id: str
    kind: Kind
    recorded_on: date | None
    blocks: tuple[Block | Fold, ...]


def show_documents(
    documents: Sequence[Document], marks: Sequence[Mark], speakers: Sequence[Speaker] = ()
) -> tuple[ShownDocument, ...]:
    """Gives each document with its marks.

    Args:
        documents: As they came in.
        marks: Stretches and their labels; they may overlap. What reaches outside its text is cut off.
        speakers: Roles that were read for speaker labels.
    """
    roles = {(who.document_id, who.speaker): who.role for who in speakers}
    return tuple(
        ShownDocument(
            document.id, document.kind, document.recorded_at, tuple(_blocks(document, f"d{place}", marks, roles))
        )
        for place, document in enumerate(documents)
    )


def anchor_of(documents: Sequence[Document], span: Span) -> str | None:
    """Gives the id, in the page, of the piece that a mark begins with; None where its document is not there."""
    places = {document.id: place for place, document in enumerate(documents)}
    if span.document_id not in places:
        return None
    return _anchor(f"d{places[span.document_id]}", span.turn, span.start)


def find_again(marks: Sequence[Mark], documents: Sequence[Document]) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    """Gives the marks whose words stand in the documents, moved to where they stand, and those whose words do not.

    Words are looked for where they stood, then in the same document nearest to that place, then in the others.
    """
    found, lost = [], []
    for mark in marks:
        span = _found_span(mark.span, documents)
        if span is None:
            lost.append(mark)
        else:
            found.append(replace(mark, span=span))
    return tuple(found), tuple(lost)


def fold(documents: Sequence[ShownDocument], *, most_chars: int) -> tuple[ShownDocument, ...]:
    """Gives the documents as they are, or where they are longer than `most_chars` in all, what is lit and the turns around it."""
    blocks = [block for document in documents for block in document.blocks if isinstance(block, Block)]
    if sum(len(block.text) for block in blocks) <= most_chars:
        return tuple(documents)
    return tuple(replace(document, blocks=tuple(_folded(document.blocks))) for document in documents)


def _folded(blocks: Sequence[Block | Fold]) -> Iterator[Block | Fold]:
    """Gives the blocks near a lit one, always the first few, and how many were left out between."""
    lit = [place for place, block in enumerate(blocks) if isinstance(block, Block) and block.is_marked]
    near = {place + step for place in (0, *lit) for step in range(-_NEAR, _NEAR + 1)}
    left_out = 0
    for place, block in enumerate(blocks):
        if place not in near:
            left_out += isinstance(block, Block) and block.is_speech
            continue
        if left_out:
            yield Fold(left_out)
            left_out = 0
        yield block
    if left_out:
        yield Fold(left_out)


_Roles = dict[tuple[str, str], Role]


def _blocks(document: Document, prefix: str, marks: Sequence[Mark], roles: _Roles) -> Iterator[Block]:
    """Gives the blocks of a document, which together hold its text whole."""
    for turn, text, plain in _plain_blocks(document, roles):
        spans = [mark for mark in marks if mark.span.document_id == document.id and mark.span.turn == turn]
        for start, end in _cuts(text, plain.start, plain.start + len(plain.text)):
            pieces = tuple(_pieces(text, start, end, spans, prefix=prefix, turn=turn))
            yield replace(plain, start=start, pieces=pieces)


def _plain_blocks(document: Document, roles: _Roles) -> Iterator[tuple[int | None, str, Block]]:
    """Gives the index of the turn, the text that offsets count in, and the block without marks."""
    if document.turns is not None:
        for index, turn in enumerate(document.turns):
            role = turn.role or _role(document, turn.speaker, roles)
            yield index, turn.text, Block(0, _whole(turn.text, 0), index, turn.speaker, role)
        return
    text, at = document.text or "", 0
    for spoken in sorted(_spoken(document), key=lambda one: one[0]):
        start, end, speaker, role = spoken
        if end <= max(at, start):
            continue
        start = max(at, start)
        if at < start:
            yield None, text, Block(at, _whole(text[at:start], at), is_speech=False)
        known = role or _role(document, speaker, roles)
        yield None, text, Block(start, _whole(text[start:end], start), None, speaker, known)
        at = end
    if at < len(text):
        yield None, text, Block(at, _whole(text[at:], at), is_speech=False)


def _spoken(document: Document) -> Iterator[tuple[int, int, str | None, Role | None]]:
    """Gives start, end, speaker and given role of each turn of a text; a note is one turn of the rep's."""
    if document.kind == "rep_note":
        yield 0, len(document.text or ""), None, "rep"
        return
    yield from ((turn.start, turn.end, turn.speaker, turn.role) for turn in read_turns(document))


def _role(document: Document, speaker: str | None, roles: _Roles) -> Role | None:
    if speaker is not None and (document.id, speaker) in roles:
        return roles[document.id, speaker]
    return "rep" if document.kind == "rep_note" else None


def _whole(text: str, start: int) -> tuple[Piece, ...]:
    return (Piece(start, text, (), ""),)


def _cuts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Gives the stretch whole, or where it is very long in parts that end with a line or a word."""
    while end - start > _LONG_BLOCK:
        low, high = start + _LONG_BLOCK // 2, start + _LONG_BLOCK
        cut = max(text.rfind("\n", low, high), text.rfind(" ", low, high) if "\n" not in text[low:high] else -1) + 1
        cut = cut or high
        yield start, cut
        start = cut
    yield start, end


def _pieces(
    text: str, start: int, end: int, marks: Sequence[Mark], *, prefix: str, turn: int | None
) -> Iterator[Piece]:
    """Gives the characters `start` to `end` cut wherever a mark begins or ends, each run with the labels over it."""
    near = [mark for mark in marks if mark.span.start < end and start < mark.span.end]
    edges = {start, end} | {edge for mark in near for edge in (mark.span.start, mark.span.end) if start < edge < end}
    borders = sorted(edges)
    for low, high in pairwise(borders):
        over = [mark.label for mark in near if mark.span.start <= low and high <= mark.span.end]
        yield Piece(low, text[low:high], tuple(dict.fromkeys(over)), _anchor(prefix, turn, low))


def _anchor(prefix: str, turn: int | None, start: int) -> str:
    return f"{prefix}c{start}" if turn is None else f"{prefix}t{turn}c{start}"


def _found_span(span: Span, documents: Sequence[Document]) -> Span | None:
    texts = [(document.id, turn, text) for document in documents for turn, text in document.numbered_texts]
    here = [text for document_id, turn, text in texts if (document_id, turn) == (span.document_id, span.turn)]
    if here and stands_for(span.text, here[0][span.start : span.end]):
        return span
    if not span.text.strip():
        return None
    for document_id, turn, text in sorted(texts, key=lambda one: (one[0] != span.document_id, one[1] != span.turn)):
        start = _nearest(text, span.text, span.start)
        if start is not None:
            moved = {"document_id": document_id, "turn": turn, "start": start, "end": start + len(span.text)}
            return span.model_copy(update=moved)
    return None


def _nearest(text: str, words: str, place: int) -> int | None:
    """Gives where the words stand nearest to a place, None where they do not."""
    before, after = text.rfind(words, 0, place + len(words)), text.find(words, place)
    there = [start for start in (before, after) if start >= 0]
    return min(there, key=lambda start: abs(start - place)) if there else None
