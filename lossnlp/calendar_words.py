"""Calendar words brought to one spelling ("Sept." to "september", "six" to "6"), with the way back to the text as written."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import yaml

MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip

_TOKEN = re.compile(r"[^\W\d_]+|\d+|\s+|.", re.DOTALL)
_MARKS = {"\u2019": "'", "\u2018": "'", "\u2013": "-", "\u2014": "-", "\u2011": "-", "\u201c": '"', "\u201d": '"'}
_ABBREVIATION_DOT = re.compile(r"\.(?=,|\s+[\da-z(])")

# "May" and "fall" are also everyday verbs: only a calendar setting makes them a month and a season.
_BEFORE_DATE = (
    r"(?:in|until|till?|by|mid|early|late|of|after|before|from|next|last|since|through|thru|for|this|the|to|or|end|start"
    r"|\d(?:st|nd|rd|th)?)"
)
_MONTH_MAY = re.compile(
    rf"\b{_BEFORE_DATE}[\s-]+(?P<word>may)\b(?!\s+(?:be|have|not|well|also)\b)"
    r"|(?P<capital>\bMay\b)(?!\s+(?:I|we|they|he|she|it|you|be|have|not|also|want|need|come|return|try|re\w+)\b)"
    r"|\b(?P<dated>may)(?=[\s.,/-]*'?\d)",
)
_SEASON_FALL = re.compile(
    rf"(?i)\b{_BEFORE_DATE}[\s-]+(?P<word>fall)\b|\b(?P<dated>fall)(?=,?\s+(?:of\s+)?(?:20|')\d\d)"
)
_WORDY_AMOUNTS = (
    (re.compile(r"\bhalf an? year\b"), "6 month"),
    (re.compile(r"\byear and an? half\b"), "18 month"),
)
_SHORTEST_TYPO = 6
_LIKENESS = 0.84


@dataclass(frozen=True, slots=True)
class PlainText:
    """A text in one spelling.

    Args:
        text: Lower case, one spelling for each calendar word, one space between words.
        starts: Position in `text` of each token, rising.
        origins: Start and end of each token in the text as written; as many as `starts`.
    """

    text: str
    starts: tuple[int, ...]
    origins: tuple[tuple[int, int], ...]

    def as_written(self, start: int, end: int) -> tuple[int, int]:
        """Gives the slice of the text as written that a non-empty slice of `text` stands for."""
        first, last = bisect_right(self.starts, start) - 1, bisect_right(self.starts, end - 1) - 1
        return self.origins[first][0], self.origins[last][1]


def read_plain(text: str) -> PlainText:
    """Gives a text in one spelling."""
    contextual = _contextual_words(text)
    parts: list[str] = []
    starts: list[int] = []
    origins: list[tuple[int, int]] = []
    length = 0
    for match in _TOKEN.finditer(text):
        part = contextual.get(match.start()) or _spelling(match[0])
        if part == "." and parts and parts[-1] in _known() and _ABBREVIATION_DOT.match(text, match.start()):
            continue
        parts.append(part)
        starts.append(length)
        origins.append(match.span())
        length += len(part)
    return PlainText("".join(parts), tuple(starts), tuple(origins))


def read_phrase(phrase: str) -> str:
    """Gives a short phrase in one spelling, with wordy amounts ("half a year") as numbers."""
    plain = read_plain(phrase).text.strip()
    for pattern, amount in _WORDY_AMOUNTS:
        plain = pattern.sub(amount, plain)
    return plain


@cache
def read_calendar() -> dict[str, Any]:
    """Gives the shipped table of spellings, fixed spans and moving holidays."""
    text = resources.files("lossnlp").joinpath("calendar_words.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table


@cache
def _variants() -> dict[str, str]:
    spellings: dict[str, list[str]] = read_calendar()["spellings"]
    return {variant: head for head, variants in spellings.items() for variant in [*variants, head] if variant != "may"}


@cache
def _known() -> frozenset[str]:
    """Gives the head words, which swallow the dot of their abbreviation."""
    return frozenset(_variants().values()) | {"may"}


def _contextual_words(text: str) -> dict[int, str]:
    """Gives the reading of each "may" and "fall" that its setting makes a calendar word, by position."""
    found: dict[int, str] = {}
    for pattern, reading in ((_MONTH_MAY, "may"), (_SEASON_FALL, "autumn")):
        for match in pattern.finditer(text):
            found[match.start(match.lastgroup or 0)] = reading
    return found


@lru_cache(maxsize=4096)
def _spelling(token: str) -> str:
    """Gives the one spelling of a token."""
    if token.isspace():
        return "\n" if "\n" in token else " "
    word = _MARKS.get(token, token.lower())
    if word == "may":
        return "might"
    return _variants().get(word) or _mended(word)


def _mended(word: str) -> str:
    """Gives the calendar word that a long word is a typo of, or the word itself."""
    if len(word) < _SHORTEST_TYPO or not word.isalpha():
        return word
    heads = [head for head in _known() if len(head) >= _SHORTEST_TYPO and head[0] == word[0] and head not in _LOOKALIKE]
    return next(iter(difflib.get_close_matches(word, heads, n=1, cutoff=_LIKENESS)), word)


# Everyday words stand too near to these ("sprint", "summary", "though").
_LOOKALIKE = frozenset({"spring", "summer", "before", "through"})
