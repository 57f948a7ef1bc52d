"""A person as texts name them: whole names and mail addresses anywhere, single words of the name in the deals that name them whole."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lossnlp.name_words import telling_words

_BETWEEN = r"(?:[\s,.'_+-]|%20){1,3}"
_MAIL_BEHIND = r"(?:@[\w-]{1,60}(?:\.[\w-]{1,60}){1,4})?"
_FEWEST_LETTERS = 3
_NOTHING = re.compile(r"(?!)")


class PersonName:
    """Finds a person in a text.

    Args:
        named: Names and mail addresses; a name of two words is found in either order.
    """

    def __init__(self, named: Iterable[str]) -> None:
        self.named = tuple(dict.fromkeys(one.strip() for one in named if len(one.strip()) >= _FEWEST_LETTERS))
        words = {word for one in self.named if "@" not in one for word in re.findall(r"[^\W\d_]{3,}", one)}
        telling = telling_words([frozenset(word.casefold() for word in words)])
        self._whole = _one_of(_whole(one, telling) for one in self.named)
        # A name that is a plain word too is meant only where it has its capital.
        parts = (
            rf"(?i:{re.escape(word)})" if word.casefold() in telling else re.escape(word.title()) for word in words
        )
        self._parts = _one_of(rf"(?<!\w){part}(?!\w){_MAIL_BEHIND}" for part in parts)

    def is_in(self, text: str) -> bool:
        """Says whether a text names the person whole."""
        return self._whole.search(text) is not None

    def is_near(self, text: str) -> bool:
        """Says whether a text of a deal that names them whole names them at all."""
        return self.is_in(text) or self._parts.search(text) is not None

    def cover(self, text: str) -> str:
        """Gives a text with asterisks over the whole name, as many as it has letters: places of quotes stay."""
        return self._whole.sub(_stars, text)

    def cover_near(self, text: str) -> str:
        """Gives the same with single words of the name covered too."""
        return self._parts.sub(_stars, self.cover(text))


def _stars(found: re.Match[str]) -> str:
    return "*" * len(found[0])


def _whole(named: str, telling: frozenset[str]) -> str:
    """Gives the pattern of a whole name; one of plain words alone, such as `Mark Will`, is meant where it has its capitals."""
    if "@" in named:
        return rf"(?<![\w.+-])(?i:{re.escape(named)})(?![\w-])"
    is_telling = not telling.isdisjoint(re.findall(r"[^\W\d_]+", named.casefold()))
    words = [re.escape(word if is_telling else word.title()) for word in named.split()]
    orders = "|".join(sorted({_BETWEEN.join(words), _BETWEEN.join([words[-1], *words[:-1]])}))
    return rf"(?<!\w)(?{'i' if is_telling else ''}:{orders})(?!\w){_MAIL_BEHIND}"


def _one_of(patterns: Iterable[str]) -> re.Pattern[str]:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(joined) if joined else _NOTHING
