"""Turns of a call that came as text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from lossnlp.labels import Likeness, Opening, is_metadata, likeness_of
from lossnlp.openings import find_openings, key_of
from lossnlp.turns import Line, SpokenTurn, find_words, read_lines, read_turns_of_lines

_KEY = re.compile(r"[-\u2013•*#_\s]{0,6}([^\W\d_][\w ]{0,24}?)[*_]{0,2}\s{0,2}:")
# A label inside a line, where an export has lost its line ends: behind a sentence, or behind a time in brackets.
_INNER = re.compile(
    r"(?<=[.!?\u2026\"')\]\u2014-]\s)(?:\[[\d:.]{4,12}\]\s)?"
    r"([^\W\d_a-z][\w'\u2019.-]{0,24}(?:\s[^\W_a-z][\w'\u2019.-]{0,24}){0,3}(?:\s\([^()\n]{1,40}\))?):\s"
)
_LONG_LINE = 150
_SENTENCE_END = (".", "!", "?", "…", '"', "”")
_MAX_HEADLINE = 120
_ASKING = frozenset(
    {"q", "question", "interviewer", "moderator", "frage"}
)  # where only these are named, the rest answers


def read_speech(text: str, lines: Sequence[Line] | None = None) -> tuple[SpokenTurn, ...]:
    """Gives the turns of a call export, whatever way it marks its speakers.

    Args:
        text: The document's text as it came in.
        lines: The lines that hold speech, where the caller has found them already; else all lines.

    Returns:
        Turns in order; one for each paragraph, without speaker, where the text names none.
    """
    lines = _split_run_on(text, list(read_lines(text))) if lines is None else lines
    openings = find_openings(text, lines)
    header = _count_header_lines(text, lines, openings)
    openings = [opening for opening in openings if opening.line >= header]
    if not openings:
        return tuple(turn for run in _paragraphs(lines) for turn in read_turns_of_lines(run))
    turns = [*_read_preface(text, lines[header : openings[0].line])]
    ends = [*(opening.line for opening in openings[1:]), len(lines)]
    has_answers = len({key_of(opening) for opening in openings}) > 1 or key_of(openings[0]) not in _ASKING
    for opening, end in zip(openings, ends, strict=True):
        spoken = list(_spoken_lines(lines[opening.line : end], opening))
        own = len(spoken) if has_answers else 1
        turns += read_turns_of_lines(spoken[:own], opening.label)
        turns += read_turns_of_lines(spoken[own:])
    return tuple(turns)


def _spoken_lines(lines: Sequence[Line], opening: Opening) -> Iterator[Line]:
    """Gives the lines of a turn without its label and time."""
    for line in lines:
        if line.end > opening.words_start:
            yield line._replace(start=max(line.start, opening.words_start))


def _split_run_on(text: str, lines: list[Line]) -> list[Line]:
    """Gives the lines with those cut up that hold several turns, as in an export that has lost its line ends.

    Labels inside lines are believed only where two of them come back and more of them stand inside lines than there are lines.
    """
    found = [
        (line, label)
        for line in lines
        if line.end - line.start > _LONG_LINE
        for label in _INNER.finditer(text, line.start, line.end)
    ]
    if len(found) <= len(lines):
        return lines
    counts = Counter(label[1] for _, label in found)
    if sum(count > 1 for count in counts.values()) <= 1:
        return lines
    cuts: dict[Line, list[int]] = {}
    for line, label in found:
        cuts.setdefault(line, []).append(label.start())
    return [part for line in lines for part in _cut(text, line, cuts.get(line, []))]


def _cut(text: str, line: Line, cuts: Sequence[int]) -> Iterator[Line]:
    for start, end in zip([line.start, *cuts], [*cuts, line.end], strict=True):
        first, last = find_words(text, start, end)
        yield line._replace(start=first, end=last)


def _count_header_lines(text: str, lines: Sequence[Line], openings: Sequence[Opening]) -> int:
    """Gives how many lines at the top are a header whose lines look like turns, such as `Interviewer: D. Marchetti`.

    A header is the first paragraph, where it begins with a title, holds a line like `Date: ...` or names two parts to play,
    and where none of its labels comes back in a text whose other labels do.
    """
    counts = Counter(key_of(opening) for opening in openings)
    block = [line for line in lines if line.paragraph == lines[0].paragraph]
    inside = [opening for opening in openings if opening.line < len(block)]
    if not inside or max(counts.values()) == 1 or any(counts[key_of(opening)] > 1 for opening in inside):
        return 0
    parts = sum(likeness_of(opening.label or "") == Likeness.KNOWN for opening in inside)
    has_frame = inside[0].line > 0 or parts > 1 or any(_is_metadata(text, line) for line in block)
    return len(block) if has_frame else 0


def _read_preface(text: str, lines: Sequence[Line]) -> Iterator[SpokenTurn]:
    """Gives what stands before the first turn as turns without speaker; titles, dates and name lists are left out."""
    for paragraph in _paragraphs(lines):
        if not any(_is_metadata(text, line) for line in paragraph) and not all(
            _is_headline(text, line) for line in paragraph
        ):
            yield from read_turns_of_lines(paragraph)


def _paragraphs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    for _, run in groupby(lines, key=lambda line: line.paragraph):
        yield list(run)


def _is_metadata(text: str, line: Line) -> bool:
    key = _KEY.match(text, line.start, line.end)
    return key is not None and is_metadata(key[1])


def _is_headline(text: str, line: Line) -> bool:
    return line.end - line.start <= _MAX_HEADLINE and not text.endswith(_SENTENCE_END, line.start, line.end)
