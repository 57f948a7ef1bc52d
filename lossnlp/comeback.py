"""Come-back: the phrase of a deal's documents that says when to return, and the date it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lossnlp.assessment import Evidence
from lossnlp.encoder import TokenTags
from lossnlp.quotes import quote_of, stretches
from lossnlp.revisit import find_revisit_phrases, resolve_revisit
from lossnlp.segments import Segment

_RULE_PROBABILITY = 0.35
_TAG_FLOOR = 0.15


@dataclass(frozen=True)
class Comeback:
    """When to return, in the text's words and as a date.

    Args:
        quote: The phrase.
        revisit_on: First day that fits, or None where the phrase names no date.
        probability: How sure it is that the phrase means a return, 0 to 1.
    """

    quote: Evidence
    revisit_on: date | None
    probability: float


def find_comeback(
    segments: Sequence[Segment],
    tokens: TokenTags,
    *,
    closed_on: date | None,
    fiscal_year_starts: int,
    cut: float,
) -> Comeback | None:
    """Gives the likeliest come-back phrase of a deal, or None.

    The network proposes stretches; one that the rules too hold for a come-back phrase gains by it.

    Args:
        segments: The deal's segments.
        tokens: The network's tags.
        closed_on: Day the deal was closed; without it no date is given.
        fiscal_year_starts: Month in which the buyer's fiscal year starts, 1 to 12.
        cut: Probability from which a phrase counts.
    """
    best: Comeback | None = None
    for first, last in stretches(tokens.revisit, tokens, floor=_TAG_FLOOR):
        segment = segments[int(tokens.segments[first])]
        start, end = int(tokens.spans[first, 0]), int(tokens.spans[last, 1])
        ruled = any(low < end and high > start for low, high in find_revisit_phrases(segment.text))
        quote = quote_of(segment, start, end)
        probability = float(tokens.revisit[first : last + 1].max())
        probability = 1 - (1 - probability) * (1 - _RULE_PROBABILITY) if ruled else probability
        if quote is None or probability < cut or (best is not None and probability <= best.probability):
            continue
        when = resolve_revisit(quote.text, closed_on, fiscal_year_starts=fiscal_year_starts) if closed_on else None
        best = Comeback(quote=quote, revisit_on=when, probability=probability)
    return best
