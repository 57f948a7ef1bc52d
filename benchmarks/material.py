"""What speed is measured on: rep notes of the training corpus, and transcripts of any length made out of its calls."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from itertools import cycle, islice

from lossnlp.deal import Deal
from training.baseline import text_of
from training.corpus import LabelledDeal, corpus_files, is_note, read_corpus

_SEED = 7
_CLOSED_ON = "2026-11-20"
_WORDS_A_TURN = 25


@cache
def _corpus() -> tuple[LabelledDeal, ...]:
    return tuple(read_corpus(corpus_files()))


def notes(count: int) -> list[str]:
    """Gives rep notes in an order drawn once and for all; more than the corpus has get a number, so that none comes twice.

    Args:
        count: How many, at least 1.
    """
    own = [text_of(one.deal) for one in _corpus() if all(is_note(document) for document in one.deal.documents)]
    random.Random(_SEED).shuffle(own)
    return [own[place % len(own)] + (f" Ref {place}." if place >= len(own) else "") for place in range(count)]


def as_deals(texts: list[str], *, prefix: str = "note") -> list[Deal]:
    """Gives a deal for each note.

    Args:
        texts: The notes.
        prefix: What their ids begin with.
    """
    return [Deal.from_request(as_request(text, f"{prefix}-{place}")) for place, text in enumerate(texts)]


def as_request(text: str, deal_id: str) -> dict[str, str]:
    """Gives the short form of a request."""
    return {"id": deal_id, "text": text, "closed_at": _CLOSED_ON}


def transcript(words: int) -> Deal:
    """Gives a deal with one call of so many words, said by the people of the corpus' calls in turn.

    Args:
        words: Length, at least 1.
    """
    said = list(islice(_spoken(), words))
    turns = [
        {
            "speaker": "Seller" if place % 2 else "Buyer",
            "role": "rep" if place % 2 else "buyer",
            "text": " ".join(said[low : low + _WORDS_A_TURN]),
        }
        for place, low in enumerate(range(0, words, _WORDS_A_TURN))
    ]
    document = {"id": "call", "kind": "call_transcript", "turns": turns}
    return Deal.from_request({"deal": {"id": f"call-{words}", "closed_at": _CLOSED_ON}, "documents": [document]})


def _spoken() -> Iterator[str]:
    return cycle(word for one in _corpus() if one.has_calls for word in text_of(one.deal).split())
