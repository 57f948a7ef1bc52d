"""Who brought whom to a talk: people who introduce somebody as theirs sit on the same side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_NAME = re.compile(r"\b[^\W\d_a-z][^\W\d_]+")
_REACH = 60

# What stands right before the name, and what stands right behind it.
_BEFORE = re.compile(
    r"(?:\bI(?:['\u2019]ve| have)(?: also)?(?: got| brought)?(?: also)?|\bI(?: also)? brought|\bmy colleagues?|"
    r"\bjoined by(?: my colleague)?|\bwith me(?: today)?,? (?:is|are|I have)\b[^.?!\n]{0,30}|\b(?:bring in|introduce)|\bhere with)"
    r"[,:]?(?: here)?\s+$",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"(?:\s[^\W\d_a-z][^\W\d_]+)?(?:"
    r"(?:['\u2019]s| is)?(?: also)?(?: here| on| joining)?(?: with (?:me|us))? from our\b|"
    r"(?: from [^\W\d_]+)?(?:['\u2019]s| is)(?: also)?(?: here)? with me\b|"
    r"(?:['\u2019]s| is) (?:on|here|joining) (?:if|in case|to help|to answer)\b|"
    r", (?:who(?: is|['\u2019]s) |s?he(?: is|['\u2019]s) )?our [a-z]|"
    r", (?:who|s?he) (?:runs|leads|owns|does|handles|looks after)\b[^.?!]{0,40}\b(?:for us|on our (?:side|end))\b)",
    re.IGNORECASE,
)
_ROLL_CALL = re.compile(r", [^\W\d_a-z]")  # `I have Dana, Mark, and who is the third?` counts those present
_THEIRS = re.compile(
    r"\b(?:our|my) (?:champion|sponsor|contact|buyer|coach|customer|prospect|client|guy there)s? (?:\w+ )?$",
    re.IGNORECASE,
)
_OURS = re.compile(
    r"\b(?:our|my) (?:own )?(?:[A-Z]{2,4}|[a-z]+ engineer|colleague|boss|manager|director|team lead|exec|specialist|architect) $"
)


def find_introduced(words: str, names: Mapping[str, int]) -> Iterator[int]:
    """Gives the people whom a speaker introduces as their own.

    Args:
        words: What the speaker says in one turn.
        names: The words of the names of those present, with the number of the person.
    """
    for found in _NAME.finditer(words):
        person = names.get(found[0].casefold())
        if person is None:
            continue
        before = words[max(0, found.start() - _REACH) : found.start()]
        if _BEHIND.match(words, found.end()) or (_BEFORE.search(before) and not _ROLL_CALL.match(words, found.end())):
            yield person


def find_colleagues(note: str, names: Mapping[str, int]) -> Iterator[int]:
    """Gives the people whom a rep's note counts among the selling team, as in `brought Marguerite from our delivery team`."""
    for found in _NAME.finditer(note):
        person = names.get(found[0].casefold())
        if person is None:
            continue
        before = note[max(0, found.start() - _REACH) : found.start()]
        if not _THEIRS.search(before) and (_OURS.search(before) or _BEHIND.match(note, found.end())):
            yield person
