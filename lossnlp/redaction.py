"""Personal data out of texts, with placeholders in its place and every offset kept.

Names of companies, rivals and products survive, and so do amounts, days and counts: the reasons of a loss stand in them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lossnlp.competitors import RivalFinder
from lossnlp.name_words import Stretch, begins_name, find_companies, is_first_name
from lossnlp.person_cues import Words
from lossnlp.person_names import find_names
from lossnlp.redaction_kinds import Finding, Kind, find_forms

_MARKS = re.compile(r"[^\w@]+")
_PLACEHOLDER = re.compile(r"\[(?:person|mail|phone|address|id|bank|card|ip|secret|link) \d{1,5}\]")
_FINDER = RivalFinder()


@dataclass(frozen=True, slots=True)
class RedactedSpan:
    """A stretch that was replaced.

    Args:
        kind: What stood there.
        start: First code point in the raw text.
        end: Code point after the last one.
        redacted_start: First code point of the placeholder in the redacted text.
        redacted_end: Code point after its last one.
    """

    kind: Kind
    start: int
    end: int
    redacted_start: int
    redacted_end: int

    @property
    def raw(self) -> Stretch:
        """Its place in the raw text."""
        return self.start, self.end

    @property
    def redacted(self) -> Stretch:
        """The placeholder's place in the redacted text."""
        return self.redacted_start, self.redacted_end


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text with placeholders, and the way back.

    Args:
        text: What may be kept.
        spans: What was replaced, in order; they do not overlap.
    """

    text: str
    spans: tuple[RedactedSpan, ...]

    def to_raw(self, at: int, *, is_end: bool = False) -> int:
        """Gives the place in the raw text for one in the redacted text.

        Args:
            at: A code point's place, 0 to the length of the text.
            is_end: Whether it is the end of a stretch; inside a placeholder the whole of what stood there is meant.
        """
        return _carried(at, [(span.redacted, span.raw) for span in self.spans], is_end=is_end)

    def to_redacted(self, at: int, *, is_end: bool = False) -> int:
        """Gives the place in the redacted text for one in the raw text; the same the other way round."""
        return _carried(at, [(span.raw, span.redacted) for span in self.spans], is_end=is_end)

    def quote(self, start: int, end: int) -> str:
        """Gives what may be kept of a quote, by its offsets in the raw text; a name that it cuts is a placeholder as a whole."""
        return self.text[self.to_redacted(start) : self.to_redacted(end, is_end=True)]


def _carried(at: int, stretches: Sequence[tuple[Stretch, Stretch]], *, is_end: bool) -> int:
    """Gives the place in the other text, by the stretches that were replaced: here and there."""
    before = bisect_left(stretches, at, key=lambda pair: pair[0][0]) - 1
    if before < 0:
        return at
    (_, end), (other_start, other_end) = stretches[before]
    if at < end:
        return other_end if is_end else other_start
    return other_end + at - end


def redact(text: str) -> Redacted:
    """Gives one text without personal data."""
    return redact_texts([text])[0]


def redact_texts(
    texts: Sequence[str], *, kept: Iterable[str] = (), people: Iterable[Words] = ()
) -> tuple[Redacted, ...]:
    """Gives the texts of one deal without personal data; the same person, address or number has the same placeholder in all of them.

    Args:
        texts: Notes, mails, turns, labels of speakers, as written.
        kept: Names of companies and products that survive, beside the rivals that the texts themselves show.
        people: The words of the names of people whom the deal shows, in lower case; they are numbered first.
    """
    numbers = _Numbers()
    shown = list(people)
    for words in shown:
        numbers.of_person(words)
    rivals = {rival.name for text in texts for rival in _FINDER.find(text)}
    surviving = {*kept, *(name for name in rivals if not is_first_name(name, texts))}
    forms = [find_forms(text) for text in texts]
    taken = [list(_taken(text, found, surviving)) for text, found in zip(texts, forms, strict=True)]
    first = [name.words for text, busy in zip(texts, taken, strict=True) for name in find_names(text, taken=busy)]
    known = frozenset(word for words in (*first, *shown) for word in words)
    redacted = []
    for text, found, busy in zip(texts, forms, taken, strict=True):
        names = find_names(text, taken=busy, known=known)
        places = [*((one, None) for one in found), *((Finding("person", n.start, n.end), n.words) for n in names)]
        redacted.append(_replaced(text, sorted(places, key=lambda place: place[0].start), numbers))
    return tuple(redacted)


@dataclass(slots=True)
class _Numbers:
    """The numbers of placeholders in one deal.

    Args:
        people: The words of each person's names so far.
        others: The number of each other thing, by kind and spelling.
    """

    people: list[Words] = field(default_factory=list)
    others: dict[Kind, dict[str, int]] = field(default_factory=dict)

    def of_person(self, words: Words) -> int:
        """Gives the number of the person with this name; `Dana` is the first `Dana Ortiz`."""
        for number, known in enumerate(self.people):
            if words <= known or known <= words:
                self.people[number] = known | words
                return number + 1
        self.people.append(words)
        return len(self.people)

    def of_other(self, kind: Kind, spelling: str) -> int:
        """Gives the number of anything else; marks and case make no difference."""
        seen = self.others.setdefault(kind, {})
        return seen.setdefault(_MARKS.sub("", spelling).casefold(), len(seen) + 1)


def _taken(text: str, forms: Iterable[Finding], surviving: Iterable[str]) -> Iterator[Stretch]:
    """Gives the stretches where no person's name is looked for, in order and without overlap."""
    names = sorted((re.escape(name) for name in surviving if name.strip()), key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){name}(?!\w)" for name in names) or r"(?!)")
    every = [(form.start, form.end) for form in forms]
    every += [found.span() for found in pattern.finditer(text) if not begins_name(text, *found.span())]
    every += find_companies(text)
    at = 0
    for start, end in sorted(every, key=lambda one: (one[0], -one[1])):
        if start >= at:
            yield start, end
            at = end


def _replaced(text: str, places: Iterable[tuple[Finding, Words | None]], numbers: _Numbers) -> Redacted:
    """Gives the text with a placeholder at each place."""
    parts: list[str] = []
    spans: list[RedactedSpan] = []
    at = length = 0
    for (kind, start, end), words in places:
        number = numbers.of_other(kind, text[start:end]) if words is None else numbers.of_person(words)
        placeholder = f"[{kind} {number}]"
        length += start - at
        spans.append(RedactedSpan(kind, start, end, length, length + len(placeholder)))
        parts += [text[at:start], placeholder]
        at, length = end, length + len(placeholder)
    return Redacted("".join([*parts, text[at:]]), tuple(spans))


def stands_for(kept: str, raw: str) -> bool:
    """Says whether a stored quote is the raw words, with placeholders where personal data stood."""
    first, *others = _PLACEHOLDER.split(kept)
    if not others:
        return kept == raw
    if not raw.startswith(first):
        return False
    at = len(first)
    for words in others[:-1]:
        at = raw.find(words, at)
        if at < 0:
            return False
        at += len(words)
    return raw.endswith(others[-1]) and len(raw) - len(others[-1]) >= at
