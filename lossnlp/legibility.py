"""Legibility: whether a text is one that the model can be expected to understand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import groupby

import numpy as np
import yaml
from numpy.typing import NDArray

from lossnlp.english import stop_words
from lossnlp.segments import Segment

# English notes need about 1.3 pieces a word, with jargon up to 2; languages with long compounds and noise need 2.5 and more.
MAX_PIECES_PER_WORD = 2.3
MAX_WORD_CHARS = 60
_LATIN_END = 0x250
# Parts of people's and places' names stand in English notes too.
_NAME_PARTS = frozenset(
    {"al", "da", "das", "de", "del", "den", "der", "des", "di", "do", "dos", "du", "el"}
    | {"la", "las", "le", "les", "los", "van", "von", "zu"}
)
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH, _UNCLEAR, _OTHER_SCRIPT = "en", "unclear", "other_script"


def find_obstacle(segments: Sequence[Segment], pieces: NDArray[np.int64]) -> str | None:
    """Gives why a deal's texts cannot be trusted to be understood, or None.

    One document in another language or script is enough; documents without words matter only where none has any.

    Args:
        segments: All segments of the deal.
        pieces: Number of vocabulary pieces of each segment, shape (segments,).

    Returns:
        `no_words` (nothing but marks, emoji or endless strings), `foreign_script`, or `foreign_language` (or noise).
    """
    found = []
    for _, group in groupby(range(len(segments)), key=lambda index: segments[index].document_id):
        rows = list(group)
        found.append(_obstacle_of([segments[row].text for row in rows], int(pieces[rows].sum())))
    foreign = [one for one in found if one and one != "no_words"]
    if foreign:
        return foreign[0]
    return "no_words" if all(found) else None


def _obstacle_of(texts: Sequence[str], n_pieces: int) -> str | None:
    letters = [char for text in texts for char in text if char.isalpha()]
    words = [word for text in texts for word in text.split()]
    if sum(len(word) for word in words if len(word) > MAX_WORD_CHARS) >= 0.3 * len(letters):
        return "no_words"
    if _is_other_script(letters):
        return "foreign_script"
    if n_pieces > MAX_PIECES_PER_WORD * len(words) + 4 or _language_by_words(texts) not in (_ENGLISH, _UNCLEAR):
        return "foreign_language"
    return None


def find_language(texts: Sequence[str]) -> str:
    """Gives the language of texts: an ISO 639-1 code, `other_script`, or `unclear` where no function words tell.

    Of the languages whose function words are known the one with most of them in the texts; English where it has as many.
    """
    if _is_other_script([char for text in texts for char in text if char.isalpha()]):
        return _OTHER_SCRIPT
    return _language_by_words(texts)


def _is_other_script(letters: Sequence[str]) -> bool:
    return sum(ord(char) >= _LATIN_END for char in letters) > 0.3 * len(letters)


def _language_by_words(texts: Sequence[str]) -> str:
    """Gives the language that most function words in the texts are of, whatever their script."""
    english, others = _count_function_words(texts)
    language = max(others, key=others.__getitem__)
    if others[language] >= 2 and others[language] > english:
        return language
    return _ENGLISH if english else _UNCLEAR


def _count_function_words(texts: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Gives how many function words of English stand in the texts, and of each other language."""
    english, others = _function_words()
    words = Counter(word.casefold() for text in texts for word in _WORD.findall(text))

    def count(known: frozenset[str]) -> int:
        return sum(times for word, times in words.items() if word in known)

    return count(english), {language: count(known) for language, known in others.items()}


@cache
def _function_words() -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """Gives the function words of English, and of each other language those that are no English words or parts of names."""
    english = stop_words()
    listed = yaml.safe_load(resources.files("lossnlp").joinpath("function_words.yaml").read_text(encoding="utf-8"))
    return english, {code: frozenset(words.split()) - english - _NAME_PARTS for code, words in listed.items()}
