"""Turns of a document, whatever shape it came in: structured turns, a call export, captions or a mail thread."""

from __future__ import annotations

from collections.abc import Iterator

from lossnlp.captions import is_captions, read_caption_lines
from lossnlp.deal import Document
from lossnlp.mails import read_mails
from lossnlp.speech import read_speech
from lossnlp.turns import BLANK, SpokenTurn, find_words

__all__ = ["SpokenTurn", "read_turns"]


def read_turns(document: Document) -> tuple[SpokenTurn, ...]:
    """Gives the turns of a call, an interview or a mail thread, in the order of the document.

    Args:
        document: A document of any kind; a rep note is read like a call without speakers.

    Returns:
        Turns whose offsets point into the document's text as it came in, or into the text of the turn that they name.
        Time is linear in the length of the document.
    """
    if document.turns is not None:
        return tuple(_read_structured(document))
    text = document.text or ""
    if document.kind == "email_thread":
        return read_mails(text)
    if is_captions(text):
        return read_speech(text, read_caption_lines(text))
    return read_speech(text)


def _read_structured(document: Document) -> Iterator[SpokenTurn]:
    """Gives the turns that came as turns; those without words are left out."""
    for index, turn in enumerate(document.turns or ()):
        start, end = find_words(turn.text, 0, len(turn.text))
        if start < end:
            speaker = turn.speaker if turn.speaker and turn.speaker.strip(BLANK) else None
            yield SpokenTurn(speaker=speaker, role=turn.role, start=start, end=end, turn=index)
