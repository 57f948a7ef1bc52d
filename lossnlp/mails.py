"""Turns of a mail thread: the new words of each mail and the quoted ones, each with its author.

The reply parsers on offer (mail-parser-reply, email-reply-parser, quotequail, talon) give back cleaned or re-joined text, from which
the place in the original cannot be told once quote marks or repeated lines are gone, and their patterns take quadratic time on
hostile input. Evidence has to be quoted by offset, so the thread is read line by line here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lossnlp.mail_marks import MailLine, find_frame, read_mail_lines
from lossnlp.signatures import find_signer, read_own_lines
from lossnlp.speech import read_speech
from lossnlp.turns import Line, SpokenTurn, read_turns_of_lines

_RUN = 4  # words in a row that are compared when looking for repeats
_MIN_REPEATED = 0.6  # share of a quote's runs that must stand elsewhere; quoting re-wraps and clips
_MIN_COPIED = 0.9  # the same for a mail that stands in no quote
_MIN_WORDS = 8
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Passage:
    """Lines in a row by one author at one depth of quotation."""

    author: str | None
    depth: int
    is_framed: bool
    lines: tuple[Line, ...]


def read_mails(text: str) -> tuple[SpokenTurn, ...]:
    """Gives the turns of a mail thread in the order of the text.

    Args:
        text: One mail or many, with header blocks, attribution lines, quotes, signatures and notices as mail programs write
            them; or a chat-like thread of `Name: words`.

    Returns:
        One turn for each stretch of words by one author; signatures and legal notices stand in no turn. `quoted` marks
        copies: words that another mail of the thread holds as its own, or that an earlier quote held already. A quote
        that is the only copy left is not marked.
    """
    passages = list(_read_passages(text, read_mail_lines(text)))
    if not any(passage.is_framed for passage in passages):
        turns = read_speech(text)
        if any(turn.speaker for turn in turns):
            return turns
    known = _authors_by_word(passages)
    turns_at = [(turn, passage.depth) for passage in passages for turn in _read_passage(text, passage, known)]
    return _mark_copies(text, turns_at)


def _read_passages(text: str, lines: Sequence[MailLine]) -> Iterator[_Passage]:
    """Gives the passages between the frames."""
    authors: dict[int, str | None] = {}
    run: list[MailLine] = []
    index, is_framed = 0, False
    while index < len(lines):
        frame = find_frame(text, lines, index)
        depth = lines[index].depth
        if run and (depth != run[-1].depth or (frame and not frame.is_rule)):
            yield _passage(run, authors, is_framed=is_framed)
            run = []
        if frame is None:
            run.append(lines[index])
        elif not frame.is_rule:
            authors = {level: author for level, author in authors.items() if level < frame.depth}
            authors[frame.depth] = frame.author
            is_framed = True
        index = frame.end if frame else index + 1
    if run:
        yield _passage(run, authors, is_framed=is_framed)


def _passage(run: Sequence[MailLine], authors: dict[int, str | None], *, is_framed: bool) -> _Passage:
    depth = run[0].depth
    return _Passage(authors.get(depth), depth, is_framed or depth > 0, tuple(line for line, _ in run))


def _read_passage(text: str, passage: _Passage, known: Mapping[str, str | None]) -> Iterator[SpokenTurn]:
    """Gives the turns of a passage; where no frame names its author, the one who signed it."""
    author = passage.author
    if author is None and (signer := find_signer(text, passage.lines)):
        author = next((found for word in _words_of(signer) if (found := known.get(word))), signer)
    yield from read_turns_of_lines(read_own_lines(text, passage.lines, author), author)


def _authors_by_word(passages: Sequence[_Passage]) -> dict[str, str | None]:
    """Gives the author whom a word names; None for a word in the names of two."""
    known: dict[str, str | None] = {}
    for author in dict.fromkeys(passage.author for passage in passages if passage.author):
        for word in _words_of(author):
            known[word] = None if word in known else author
    return known


def _words_of(words: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(words)]


def _mark_copies(text: str, turns_at: Sequence[tuple[SpokenTurn, int]]) -> tuple[SpokenTurn, ...]:
    """Gives the turns with the copies marked; a mail's own words come before quotes, then the first copy before the next."""
    seen: set[int] = set()
    copies: set[int] = set()
    for index, (turn, depth) in sorted(enumerate(turns_at), key=lambda item: item[1][1] > 0):
        runs = _runs_of_words(text[turn.start : turn.end])
        share = sum(run in seen for run in runs) / max(1, len(runs))
        if share >= (_MIN_REPEATED if depth else _MIN_COPIED) and (depth or len(runs) > _MIN_WORDS - _RUN):
            copies.add(index)
        seen.update(runs)
    return tuple(replace(turn, quoted=index in copies) for index, (turn, _) in enumerate(turns_at))


def _runs_of_words(words: str) -> list[int]:
    """Gives a number for each run of words; equal runs have equal numbers."""
    found = _words_of(words)
    return [hash(tuple(found[at : at + _RUN])) for at in range(max(1, len(found) - _RUN + 1))]
