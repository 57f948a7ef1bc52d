"""The turn that every reader gives back, and the lines that the readers work on; offsets always count in the text as it came in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from lossnlp.deal import Role

# str.strip() alone leaves NUL bytes, byte order marks and zero-width characters standing.
_BLANK = frozenset(
    chr(code) for code in (*range(0x21), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x2010), 0x2028, 0x2029)
)
BLANK = "".join(sorted(_BLANK | set("\u202f\u205f\u2060\u3000\ufeff")))


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """One stretch of speech or of a mail, by one speaker.

    Args:
        speaker: The label exactly as written, such as `Dana Ortiz (Nordwind)`; None where unknown.
        role: The role that came with the turn or was read for its speaker; None where neither is there.
        start: First code point of the words, in the document's text (in the turn's own text where `turn` is given).
        end: Code point after the last one.
        turn: Index into `document.turns`; None for text documents.
        quoted: Says that the words repeat another mail of the same thread.
    """

    speaker: str | None
    role: Role | None
    start: int
    end: int
    turn: int | None
    quoted: bool = False


class Line(NamedTuple):
    """A line with words on it.

    Args:
        start: First code point that is not blank.
        end: Code point after the last one that is not blank.
        paragraph: Number of the run of lines that it stands in; blank lines end a run.
        joins: Says whether one slice may hold it together with the line before.
    """

    start: int
    end: int
    paragraph: int
    joins: bool = True


def find_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Gives the stretch without the blanks around it; start equals end where nothing else is there."""
    words = text[start:end]
    left = len(words) - len(words.lstrip(BLANK))
    return start + left, max(start + left, end - len(words) + len(words.rstrip(BLANK)))


def read_lines(text: str) -> Iterator[Line]:
    """Gives the lines that have words, in order."""
    position, paragraph, is_open = 0, -1, False
    for raw in text.splitlines(keepends=True):
        start, end = find_words(text, position, position + len(raw))
        position += len(raw)
        if start < end:
            paragraph += not is_open
            yield Line(start, end, paragraph)
        is_open = start < end


def read_turns_of_lines(lines: Iterable[Line], speaker: str | None = None) -> Iterator[SpokenTurn]:
    """Gives one turn for each run of lines that a slice can hold."""
    turn: SpokenTurn | None = None
    for line in lines:
        if turn is not None and line.joins:
            turn = replace(turn, end=line.end)
            continue
        if turn is not None:
            yield turn
        turn = SpokenTurn(speaker=speaker, role=None, start=line.start, end=line.end, turn=None)
    if turn is not None:
        yield turn
