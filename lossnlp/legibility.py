"""Legibility: whether a text is one that the model can be expected to understand."""

from __future__ import annotations

from collections.abc import Sequence

from lossnlp.segments import Segment

# English notes need about 1.3 pieces a word, with jargon up to 2; German, Polish or noise need 2.5 and more.
MAX_PIECES_PER_WORD = 2.3
MAX_WORD_CHARS = 60
_LATIN_END = 0x250


def find_obstacle(segments: Sequence[Segment], n_tokens: int) -> str | None:
    """Gives why a deal's text cannot be trusted to be understood, or None.

    Args:
        segments: All segments of the deal.
        n_tokens: Number of vocabulary pieces they came to.

    Returns:
        `no_words` (nothing but marks, emoji or endless strings), `foreign_script`, or `foreign_language` (another language, or noise).
    """
    letters = [char for segment in segments for char in segment.text if char.isalpha()]
    if not letters:
        return "no_words"
    if sum(ord(char) >= _LATIN_END for char in letters) > 0.3 * len(letters):
        return "foreign_script"
    words = [word for segment in segments for word in segment.text.split()]
    if n_tokens > MAX_PIECES_PER_WORD * len(words) + 4:
        return "foreign_language"
    if sum(len(word) for word in words if len(word) > MAX_WORD_CHARS) > 0.3 * len(letters):
        return "no_words"
    return None
