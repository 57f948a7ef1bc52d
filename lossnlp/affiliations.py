"""Which company a person belongs to, from the parts of a document that nobody speaks: mail addresses and lists of attendees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from lossnlp.deal import Document
from lossnlp.labels import is_metadata
from lossnlp.speaker_names import company_of_domain, words_of_name
from lossnlp.turns import BLANK, SpokenTurn

_MAX_FRAME = 6_000
_MAX_ADDRESSES = 2_000
_NAMED_ADDRESS = re.compile(r"([^<>()\n:;@]{2,60})[<(]\s?(?:mailto:)?[\w.+'-]{1,64}@([\w.-]{3,90})")
_NAMED_COMPANY = re.compile(r"([^\W\d_a-z][\w .'\u2019-]{1,50}?)\s?\(([^()\n]{2,60})\)")
_BULLETED = re.compile(r"^[-\u2013•*]\s{0,3}([^,\n]{2,50}),(?:[^,\n]{1,60},)?\s?([^,\n]{2,60})$", re.MULTILINE)
_LIST = re.compile(r"^[-\u2013•*\t ]{0,4}([^\W\d_][^:\n\[\]]{1,39}):([^\n]{2,400})", re.MULTILINE)


def read_affiliations(document: Document, turns: Sequence[SpokenTurn]) -> Iterator[tuple[frozenset[str], str]]:
    """Gives the words of a person's name with a company, as often as the document shows one.

    Args:
        document: A document that came as text; one that came as turns has no such parts.
        turns: Its turns; what stands before the first one is read as a list of attendees.
    """
    text = document.text or ""
    for count, found in enumerate(_NAMED_ADDRESS.finditer(text)):
        company = company_of_domain(found[2])
        if company and count < _MAX_ADDRESSES:
            yield words_of_name(found[1]), company
    frame = text[: min(_MAX_FRAME, turns[0].start)] if turns and document.kind != "email_thread" else ""
    for found in chain(_NAMED_COMPANY.finditer(frame), _BULLETED.finditer(frame)):
        yield words_of_name(found[1]), found[2]
    for found in _LIST.finditer(frame):
        key = found[1].strip(BLANK)
        if not is_metadata(key):
            yield from ((words_of_name(name), key) for name in re.split(r"[,;&]|\band\b", found[2]))
