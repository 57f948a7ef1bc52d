"""What one line of a call export says about who speaks and when; whether to believe it is decided over the whole document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from lossnlp.label_words import get_label_words
from lossnlp.turns import BLANK, Line

_MAX_LABEL = 90
_WINDOW = 200  # a label and its time stand in the first characters of a line; more is never looked at

_CLOCK = r"\d{1,2}(?::\d{1,2}){1,2}(?:[.,]\d{1,3})?(?:\s?[AaPp]\.?[Mm]\b\.?)?"
_DAY = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
_STAMP = rf"(?:{_DAY}[,T\s]{{1,3}})?{_CLOCK}Z?(?:,?\s{{1,3}}{_DAY})?"
_SPELLED = rf"\d{{1,3}} (?:hours?|minutes?|seconds?)(?: \d{{1,2}} (?:minutes?|seconds?)){{0,2}}\s?(?:{_CLOCK})?"
_TIME = rf"[\[({{<]?\s?{_STAMP}(?:\s?(?:-->|[-\u2013\u2014]|to)\s?{_STAMP})?\s?[\])}}>]?"

_BULLET = re.compile(r"(?:[-\u2013•*#>_]{1,4}\s{0,3})?")
_TIME_FIRST = re.compile(rf"{_TIME}(?P<gap>\s{{0,8}}[-\u2013\u2014|:]?\s{{0,8}})(?!\d)")
_TIME_LAST = re.compile(rf"\s{{0,8}}[,|@\u2013\u2014-]?\s{{0,8}}(?:{_TIME}|{_SPELLED})\s{{0,4}}$")
_VOICE = re.compile(r"<v(?:\.[\w.-]{1,40})?\s([^<>\n]{1,120})>\s{0,4}")
_COLON = re.compile(r"[:\uff1a](?![/\\)(\d-])")
_AFTER_COLON = re.compile(rf"[*_]{{0,3}}\s{{0,8}}(?P<time>(?=[\[({{<]){_TIME}\s{{0,8}})?")
_QUESTION = re.compile(r"([QA]\d{0,2})\s?[.)]\s{1,4}")
_TAB = re.compile(r"\s{0,4}[\t|]\s{0,4}")
_PIECE = re.compile(r",\s|\s[-\u2013\u2014|/]\s|\s?\|\s?")
_ASIDE = re.compile(r"[(\[<][^()\[\]<>]{0,80}[)\]>]")
_PLACEHOLDER = re.compile(r"\[person (\d{1,4})\]")
_NUMBERED = re.compile(
    r"(?:unknown |unidentified )?(?:speaker|sprecher|participant|person|caller|guest|attendee|user|spk|[aqsp])[\s_#-]?(?:\d{1,3}|[a-z])"
)


class Opening(NamedTuple):
    """A line that may open a turn.

    Args:
        line: Index of the line.
        label: Who speaks, as written; None where only a time is given.
        is_timed: Says whether a time stands with it.
        words_start: Where the spoken words begin; the line's end where they stand on the lines below.
        plain_start: Where they would begin if the label were no label.
        is_marked: Says whether a colon, a voice tag or a column sets the label apart from the words.
    """

    line: int
    label: str | None
    is_timed: bool
    words_start: int
    plain_start: int
    is_marked: bool


class Likeness(IntEnum):
    """How much a label looks like one, by itself."""

    NONE = 0
    SHORT = 1
    NAME = 2
    KNOWN = 3


def find_opening(text: str, index: int, line: Line) -> Opening | None:
    """Gives what the line opens, or None where it cannot open a turn."""
    window = text[line.start : min(line.end, line.start + _WINDOW)]
    stamp = _TIME_FIRST.match(window, _end_of(_BULLET, window, 0))
    at = stamp.end() if stamp else _end_of(_BULLET, window, 0)
    named = _find_voice(window, at) or _find_marked(window, at) or _find_question(window, at)
    if named is None and stamp:
        named = _find_column(window, at)
    if named is None and line.end - line.start == len(window):
        named = _find_whole_line(window, at)
    if named is None and stamp is None:
        return None
    label, is_timed, words_at, is_marked = named or (None, True, at, window[0] in "[(<{")
    words_start = min(line.start + words_at, line.end)
    return Opening(index, label, is_timed or stamp is not None, words_start, min(line.start + at, line.end), is_marked)


# Label, whether a time follows it, where the words begin, whether it is marked.
_Named = tuple[str | None, bool, int, bool]


def _find_voice(window: str, at: int) -> _Named | None:
    """Gives the label of a WebVTT voice tag."""
    voice = _VOICE.match(window, at)
    return (voice[1].strip(BLANK), False, voice.end(), True) if voice else None


def _find_marked(window: str, at: int) -> _Named | None:
    """Gives the label of `label: words`, with a time before or after the colon or without one."""
    colon = next(
        (found for found in _COLON.finditer(window, at, at + _MAX_LABEL) if not _is_clock(window, found)), None
    )
    if colon is None:
        return None
    label, is_timed = _without_time(window[at : colon.start()])
    if likeness_of(label) == Likeness.NONE:
        return None
    after = _AFTER_COLON.match(window, colon.end())
    end = after.end() if after else colon.end()
    return label, is_timed or bool(after and after["time"]), end, True


def _find_question(window: str, at: int) -> _Named | None:
    """Gives the label of a line such as `Q. Why?` or `A) Price.`, which has a mark but no colon."""
    question = _QUESTION.match(window, at)
    return (question[1], False, question.end(), True) if question else None


def _find_column(window: str, at: int) -> _Named | None:
    """Gives the label of a row whose columns are time, label and words."""
    gap = _TAB.search(window, at, at + _MAX_LABEL)
    if gap is None or likeness_of(window[at : gap.start()]) < Likeness.NAME:
        return None
    return window[at : gap.start()].strip(BLANK), True, gap.end(), True


def _find_whole_line(window: str, at: int) -> _Named | None:
    """Gives the label of a line that holds a label and perhaps a time, and no words."""
    label, is_timed = _without_time(window[at:])
    if likeness_of(label) == Likeness.NONE:
        return None
    return label, is_timed, len(window), False


@lru_cache(maxsize=4096)  # a call has few labels and many turns
def likeness_of(label: str) -> Likeness:
    """Says how much a label looks like one.

    Args:
        label: What stands before the colon, or a whole line, without its time.
    """
    lists, label = get_label_words(), without_placeholder(label)
    plain = " ".join((_ASIDE.sub(" ", label).strip(BLANK) or label.strip("()[]<>")).split())
    key = plain.casefold().strip("*_#:. ")
    if key in lists.known or _NUMBERED.fullmatch(key):
        return Likeness.KNOWN
    if not key or len(label) > _MAX_LABEL or len(plain.split()) > 10 or _has_sentence_marks(plain):
        return Likeness.NONE
    words = [word.strip("'\u2019.-\"*_") for word in _PIECE.split(plain)[0].split()]
    words = [word for word in words if word]
    if key in lists.never | lists.metadata or not 0 < len(words) <= 5 or words[0].casefold() in lists.never:
        return Likeness.NONE
    return _likeness_of_words(words)


def _likeness_of_words(words: Sequence[str]) -> Likeness:
    """Says how much the words look like a person's name."""
    lists = get_label_words()
    plain = [word.casefold() for word in words]
    if not any(char.isalpha() for char in words[0]):
        return Likeness.NONE
    are_capitals = all(not word.islower() or word in lists.particles for word in words)
    if are_capitals and not lists.function_words.issuperset(plain):
        return Likeness.NAME
    if len(words) > 3 or not lists.function_words.isdisjoint(plain):
        return Likeness.NONE
    return Likeness.SHORT


def without_placeholder(label: str) -> str:
    """Gives a label in which a redacted name, such as `[person 1]`, reads as one word."""
    return _PLACEHOLDER.sub(r"Person\1", label)


def is_metadata(key: str) -> bool:
    """Says whether the words before a colon are the key of a header line, such as `Date`."""
    return key.casefold().strip(BLANK) in get_label_words().metadata


def _has_sentence_marks(plain: str) -> bool:
    """Says whether marks stand there that belong to sentences; a full stop after a short word may be a title or an initial."""
    if re.search(r"[?!;\u2026\"\u201c\u201d„«»=]|\.\.|https?|www\.", plain):
        return True
    return any(len(word.rstrip(".,")) > 4 for word in plain.split() if word.rstrip(",").endswith("."))


def _without_time(label: str) -> tuple[str, bool]:
    """Gives the label without a time at its end, and whether there was one."""
    found = _TIME_LAST.search(label)
    bare = label[: found.start()] if found else label
    return bare.strip(BLANK + "*_").rstrip("|,@").rstrip(BLANK), found is not None


def _is_clock(window: str, colon: re.Match[str]) -> bool:
    return window[colon.start() - 1 : colon.start()].isdigit() and window[colon.end() : colon.end() + 1].isdigit()


def _end_of(pattern: re.Pattern[str], window: str, at: int) -> int:
    found = pattern.match(window, at)
    return found.end() if found else at
