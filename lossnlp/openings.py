"""Which lines of a call export open a turn: decided over the whole document, never by one line alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from lossnlp.labels import Likeness, Opening, find_opening, likeness_of
from lossnlp.turns import Line

_MIN_LABELLED = 0.3  # share of timed lines that must carry a believed label before any label beside a time is believed
_MIN_HEADED = 0.5  # share of paragraphs that must begin with a name before a name alone on its line is a label
_MAX_SINGLE = 3  # so many speakers may have one turn each in a text where nobody has two
_HABIT = 2  # so often a turn of phrase may stand before a colon
_WORD = re.compile(r"[^\W\d_]+")


def find_openings(text: str, lines: Sequence[Line]) -> list[Opening]:
    """Gives the lines that open a turn, in order; none where the text marks neither speakers nor times."""
    found = [opening for index, line in enumerate(lines) if (opening := find_opening(text, index, line))]
    found = _join_names_with_times(found, lines)
    judge = _Judge(text, found)
    openings = judge.find_set_apart()
    return openings if openings and not _is_form(openings, lines) else judge.find_alone(lines)


class _Judge:
    """Decides which candidates are speakers, from how often and how they stand in the whole document."""

    def __init__(self, text: str, found: Sequence[Opening]) -> None:
        self._alone = [opening for opening in found if not opening.is_marked and not opening.is_timed]
        self._set_apart = [opening for opening in found if opening.is_marked or opening.is_timed]
        self._counts = Counter(key_of(opening) for opening in self._set_apart if opening.label)
        self._lower = Counter(word for word in _WORD.findall(text) if word.islower())
        self._lower.subtract(word for opening in self._set_apart for word in _WORD.findall(opening.label or ""))
        self._has_names = any(
            self._counts[key_of(opening)] > 1 and likeness_of(opening.label or "") >= Likeness.NAME
            for opening in self._set_apart
            if opening.label
        )

    def find_set_apart(self) -> list[Opening]:
        """Gives the believed openings among those with a colon, a voice tag, a column or a time."""
        timed = [opening for opening in self._set_apart if opening.is_timed]
        believed = {key_of(opening) for opening in self._set_apart if self._is_speaker(opening)}
        steady = sum(not opening.is_timed and self._counts[key_of(opening)] > 1 for opening in self._set_apart)
        if len(timed) < max(_HABIT, steady):
            return [opening for opening in self._set_apart if key_of(opening) in believed]
        # Where every turn carries its time, a colon without one stands inside speech.
        believed &= {key_of(opening) for opening in timed}
        if sum(key_of(opening) in believed for opening in timed) < _MIN_LABELLED * len(timed):
            believed = set()
        openings = (opening if key_of(opening) in believed else _unlabelled(opening) for opening in self._set_apart)
        return [opening for opening in openings if opening.label or opening.is_timed]

    def find_alone(self, lines: Sequence[Line]) -> list[Opening]:
        """Gives the openings of a text in which each speaker's name stands alone on the line above the words."""
        heads = {
            index for index, line in enumerate(lines) if index == 0 or line.paragraph != lines[index - 1].paragraph
        }
        alone = [opening for opening in self._alone if opening.line in heads and opening.line + 1 not in heads]
        alone = [opening for opening in alone if likeness_of(opening.label or "") >= Likeness.NAME]
        alone = [opening for opening in alone if not self._is_common(opening)]
        repeated = len(alone) - len({key_of(opening) for opening in alone})
        return alone if repeated and len(alone) >= _MIN_HEADED * len(heads) else []

    def _is_speaker(self, opening: Opening) -> bool:
        """Says whether a label that is set apart is believed."""
        count, likeness = self._counts[key_of(opening)], likeness_of(opening.label or "")
        if likeness == Likeness.SHORT:
            return count > 1 and not self._has_names
        if likeness == Likeness.KNOWN:
            return count > 1 or not self._has_names or not self._is_common(opening)
        return likeness == Likeness.NAME and (count > _HABIT or not self._is_common(opening))

    def _is_common(self, opening: Opening) -> bool:
        """Says whether all words of the label also stand in lower case somewhere, as names hardly do."""
        words = _WORD.findall(opening.label or "")
        return bool(words) and all(self._lower[word.lower()] > 0 for word in words)


def _is_form(openings: Sequence[Opening], lines: Sequence[Line]) -> bool:
    """Says whether these are headings of notes rather than speakers: none comes back, and they are many or stand far apart."""
    if any(opening.is_timed for opening in openings) or len({key_of(opening) for opening in openings}) < len(openings):
        return False
    return len(openings) > _MAX_SINGLE or len(openings) < _MIN_HEADED * len(lines)


def _unlabelled(opening: Opening) -> Opening:
    return opening._replace(label=None, words_start=opening.plain_start)


def key_of(opening: Opening) -> str:
    """Gives the label in the form that is compared; `Q1` and `Q2` are one."""
    key = " ".join((opening.label or "").casefold().split())
    return key[0] if key[:1] in {"q", "a"} and key[1:].isdigit() else key


def _join_names_with_times(found: Sequence[Opening], lines: Sequence[Line]) -> list[Opening]:
    """Gives the candidates, with each name that stands alone on a line and its time on the next, or before it, made one."""
    alone = {opening.line: opening for opening in found if not opening.is_marked and not opening.is_timed}
    times = [
        opening.line for opening in found if opening.label is None and opening.words_start == lines[opening.line].end
    ]
    above = {line - 1: line for line in times if line - 1 in alone}
    below = {line + 1: line for line in times if line + 1 in alone}
    pairs = max(above, below, key=lambda side: len(side) - len({key_of(alone[name]) for name in side}))
    joined = {min(name, time): _joined(alone[name], name, time, lines) for name, time in pairs.items()}
    gone = {max(name, time) for name, time in pairs.items()}
    return [joined.get(opening.line, opening) for opening in found if opening.line not in gone]


def _joined(opening: Opening, name: int, time: int, lines: Sequence[Line]) -> Opening:
    end = lines[max(name, time)].end
    return opening._replace(line=min(name, time), is_timed=True, words_start=end, plain_start=end)
