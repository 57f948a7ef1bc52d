"""Figures of a deal's words, so that later somebody can tell whether the words have changed: numbers alone, no word is kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache

from sqlalchemy.orm import Session

from lossnlp.bundle import find_default_bundle
from lossnlp.deal import Deal
from lossnlp.english import stop_words
from lossnlp.errors import BundleError
from lossnlp.legibility import find_language
from serving.tables import AssessmentRow, DealFiguresRow

BUCKETS = 64
_TOKENIZER = "tokenizer.json"
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class DealFigures:
    """What is kept of a deal's words.

    Args:
        words: How many there are, 0 or more; numbers and marks are none.
        content_words: How many of them are no English function words.
        unknown_share: Share of the content words that the reference vocabulary does not hold, 0 to 1; None without any.
        sources: The kinds of its documents, in alphabetical order with a plus between them.
        language: See `lossnlp.legibility.find_language`.
        sketch: Content words counted into so many buckets by their hash, with a sign that the hash gives too: on average two
            sketches, each divided by its content words, are as far apart as the words themselves. 64 of them.

    Source: Weinberger et al., Feature hashing for large scale multitask learning, ICML 2009.
    """

    words: int
    content_words: int
    unknown_share: float | None
    sources: str
    language: str
    sketch: list[int]


def read_figures(deal: Deal) -> DealFigures:
    """Gives the figures of a deal; the same words give the same."""
    texts = deal.texts
    counts = Counter(word for text in texts for word in _WORD.findall(text.casefold()))
    content = {word: count for word, count in counts.items() if word not in stop_words()}
    return DealFigures(
        words=counts.total(),
        content_words=sum(content.values()),
        unknown_share=_unknown_share(content),
        sources="+".join(sorted({document.kind for document in deal.documents})),
        language=find_language(texts),
        sketch=_sketch(content),
    )


def keep_figures(session: Session, row: AssessmentRow, figures: DealFigures) -> None:
    """Keeps the figures of the words that an assessment was read from; the caller commits."""
    session.add(DealFiguresRow(assessment_id=row.id, **asdict(figures)))


def _unknown_share(content: dict[str, int]) -> float | None:
    known, total = _known_words(), sum(content.values())
    if not known or not total:
        return None
    return sum(count for word, count in content.items() if word not in known) / total


@cache
def _known_words() -> frozenset[str]:
    """Gives the words that the vocabulary of the shipped encoder holds whole: the same reference whichever model is in use."""
    try:
        listed = json.loads((find_default_bundle() / _TOKENIZER).read_text(encoding="utf-8"))
        return frozenset(listed["model"]["vocab"])
    except (BundleError, OSError, ValueError, KeyError):  # an installation without it has this one figure less
        return frozenset()


def _sketch(content: dict[str, int]) -> list[int]:
    sketch = [0] * BUCKETS
    for word, count in content.items():
        place = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
        sketch[place[0] % BUCKETS] += count if place[1] % 2 else -count
    return sketch
