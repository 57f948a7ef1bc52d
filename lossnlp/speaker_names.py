"""What a speaker label says by itself: the person's name, the company, and the part in the talk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import combining, normalize

from lossnlp.deal import Role
from lossnlp.label_words import get_label_words
from lossnlp.labels import Likeness, likeness_of, without_placeholder
from lossnlp.turns import BLANK

_ASIDE = re.compile(r"[(\[<]([^()\[\]<>]{1,80})[)\]>]")
_PIECE = re.compile(r"\s[-\u2013\u2014/@]\s|\s?\|\s?|,\s")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_ADDRESS = re.compile(r"([\w.+'-]{1,64})@([\w-]{1,60}(?:\.[\w-]{1,30}){1,4})")
_MIN_SHARED = 4

_BOT = re.compile(
    r"note ?taker|\botter\b|fireflies|\bfathom\b|read\.ai|\bavoma\b|\btl;?dv\b|ai companion|\bbot\b|voicemail|recording",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SpeakerName:
    """What a label tells.

    Args:
        words: The words of the person's name in lower case; empty where the label is no name, such as `Speaker 2`.
        companies: What stands beside the name and may be a company, such as `Nordwind`, or the name part of a mail domain.
        part: The role that the label itself names, such as `Interviewer` or `Customer`.
    """

    words: frozenset[str]
    companies: tuple[str, ...] = ()
    part: Role | None = None


@lru_cache(maxsize=4096)
def read_name(label: str) -> SpeakerName:
    """Gives what a label says about the person."""
    label = without_placeholder(label)
    asides = [aside.strip(BLANK) for aside in _ASIDE.findall(label)]
    pieces = [piece.strip(BLANK) for piece in _PIECE.split(_ASIDE.sub(" ", label).strip(BLANK)) if piece]
    address = _ADDRESS.search(label)
    if address:
        asides = [aside for aside in asides if "@" not in aside] + list(filter(None, [company_of_domain(address[2])]))
        pieces = [piece for piece in pieces if "@" not in piece] or [re.sub(r"[._-]", " ", address[1])]
    head = pieces[0] if pieces else label
    beside = [*asides, *pieces[1:]]
    parts = [part for part in map(part_of, [head, *beside]) if part]
    part: Role | None = "other" if _BOT.search(head) else next(iter(parts), None)
    if likeness_of(head) == Likeness.KNOWN or _is_part_only(head):
        return SpeakerName(frozenset(), tuple(beside), part)
    comma = ", " in label and len(pieces) > 1 and len(pieces[0].split()) == 1 == len(pieces[1].split())
    words = words_of_name(" ".join(pieces[:2]) if comma else head)
    return SpeakerName(words, tuple(piece for piece in beside if part_of(piece) is None), part)


def words_of_name(name: str) -> frozenset[str]:
    """Gives the words of a person's name in lower case, without titles."""
    return frozenset(word.casefold() for word in _WORD.findall(name)) - get_label_words().titles


def company_of_domain(domain: str) -> str | None:
    """Gives the part of a mail domain that names the company; None for mail services that anyone may use."""
    labels = domain.casefold().strip(".").split(".")[:-1]
    long = [label for label in labels if len(label) > 3] or labels
    return long[-1] if long and long[-1] not in get_label_words().mail_services else None


def is_same_company(one: str, other: str) -> bool:
    """Says whether two names may mean the same company: `Nordwind` and `Nordwind Logistics GmbH`, `SHB` and its long form."""
    words, others = _company_words(one), _company_words(other)
    if not words or not others:
        return False
    short, long = sorted(("".join(words), "".join(others)), key=len)
    if len(short) >= _MIN_SHARED and short in long:
        return True
    acronyms = {"".join(word[0] for word in words), "".join(word[0] for word in others)}
    return (words[0] == others[0] and len(words[0]) >= _MIN_SHARED) or (len(short) > 1 and short in acronyms)


def part_of(piece: str) -> Role | None:
    """Gives the role that words such as `Interviewer` or `Account Executive` name, or None."""
    key = " ".join(piece.casefold().split()).strip(".:# 0123456789")
    return next((role for role, words in get_label_words().parts.items() if key in words), None)


def company_key(company: str) -> str:
    """Gives a company's name in the form in which equal ones are equal."""
    return "".join(_company_words(company))


def _company_words(name: str) -> list[str]:
    plain = "".join(char for char in normalize("NFKD", name.casefold()) if not combining(char))
    return [word for word in re.findall(r"\w+", plain) if word not in get_label_words().company_suffixes]


def _is_part_only(head: str) -> bool:
    """Says whether the label is nothing but a part in the talk."""
    return part_of(head) is not None and len(head.split()) <= 2
