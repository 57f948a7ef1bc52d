"""The words of a text as names are read in them, and which of them begin a name, tell a person or belong to a company."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from lossnlp.person_cues import Words, cue_words, everyday_words, shared_names, tier_of
from lossnlp.rival_cues import read_list

Stretch = tuple[int, int]
FEWEST_LETTERS = 3
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_POSSESSIVE = re.compile(r"['\u2019]s?$", re.IGNORECASE)


class NameWord(NamedTuple):
    """A word of the text, without a genitive's ending."""

    start: int
    end: int
    text: str
    is_taken: bool

    @property
    def key(self) -> str:
        """The word in lower case."""
        return self.text.casefold()

    @property
    def is_capital(self) -> bool:
        """Whether it begins with a capital and is not all in capitals."""
        return self.text[0].isupper() and (len(self.text) == 1 or not self.text.isupper())

    @property
    def is_initial(self) -> bool:
        """Whether it is a single letter."""
        return len(self.text) == 1


def begins_name(text: str, start: int, end: int) -> bool:
    """Says whether a word that is a product's name is a person's here, as the first of `Miro Kovač`."""
    following = _WORD.match(text, end + 1) if text[end : end + 1] == " " else None
    if following is None or tier_of(text[start:end].casefold()) is None or not following[0][0].isupper():
        return False
    key = _POSSESSIVE.sub("", following[0]).casefold()
    return tier_of(key) is not None and key not in everyday_words()


def is_first_name(word: str, texts: Iterable[str]) -> bool:
    """Says whether a sure given name that is read as a rival's stands before a family name in one of a deal's texts."""
    if tier_of(word.casefold()) != "any case":
        return False
    return any(begins_name(text, *found.span()) for text in texts for found in re.finditer(re.escape(word), text))


def telling_words(names: Iterable[Words]) -> Words:
    """Gives those words of names that tell a person wherever they stand with a capital: no plain words, months or places."""
    words = frozenset(word for name in names for word in name if len(word) >= FEWEST_LETTERS)
    plain = everyday_words() | shared_names() | cue_words("particles", "titles")
    return frozenset(word for word in words - plain if tier_of(word) != "beside a cue")


def find_companies(text: str) -> Iterator[Stretch]:
    """Gives where companies stand whose names look like people's."""
    by_first = _companies_by_first()
    words = list(split_words(text, ()))
    for at, word in enumerate(words):
        for parts in by_first.get(word.key, ()):
            here = words[at : at + len(parts)]
            if tuple(one.key for one in here) == parts and here[-1].end - here[0].start <= len(" ".join(parts)) + 4:
                yield (here[0].start, here[-1].end)
                break


@cache
def _companies_by_first() -> dict[str, list[tuple[str, ...]]]:
    rows: dict[str, list[tuple[str, ...]]] = {}
    table = read_list("rivals.yaml")
    vendors = {name.casefold() for row in table["vendors"] for name in row}
    tools = {name.casefold() for row in table["needs_cue"] for name in row}
    vendors |= {name for name in tools if tier_of(name) is None}
    for name in sorted(cue_words("companies") | vendors, key=lambda name: (-len(name), name)):
        parts = tuple(word.key for word in split_words(name, ()))
        if parts:
            rows.setdefault(parts[0], []).append(parts)
    return rows


def split_words(text: str, taken: Sequence[Stretch]) -> Iterator[NameWord]:
    """Gives the words of a text; those in a taken stretch are marked."""
    starts = [start for start, _ in taken]
    for found in _WORD.finditer(text):
        bare = _POSSESSIVE.sub("", found[0]) if len(found[0]) > 2 else found[0]
        nearest = bisect_right(starts, found.end() - 1) - 1
        is_taken = nearest >= 0 and found.start() < taken[nearest][1]
        yield NameWord(found.start(), found.start() + len(bare), bare, is_taken)
