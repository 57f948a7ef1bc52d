"""Rival names: which words beside a cue are a vendor's name, and which names stand in one enumeration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING

from lossnlp.rival_cues import NEEDS_CUE, Cue, read_list, span_of

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

_MAX_NAME_TOKENS = 5
_MAX_FILLERS = 4
_UPPER_SHARE = "upper_share"
_SHOUTED_SHARE = 0.7
_MIN_FLAT_CHARS = 3
# Groups of words that end a name; the others ("Group", "Australia") may be its later part.
_ENDING_GROUPS = ("months", "days", "departments", "roles", "regulations")
_JOINTS = frozenset({"&", "+", "-", ".", "/", "'", "\u2019"})
_OPENING_WORD = re.compile(r"\w+(?:ly|ing|ed|tion|ment|ness|ity|ance|ence|ies|body|one|thing)$", re.IGNORECASE)
_CAMEL = re.compile(r"(?!.*(?:aaS|PoC|GmbH|PhD|Ops|^Mc|^iP(?:hone|ad)|^e[A-Z])).*(?:[a-z][A-Z]|[a-z]\d|\d[A-Z][a-z])")


@cache
def _words(table: str, *groups: str) -> frozenset[str]:
    """Gives the words of some groups of a shipped table, of all its groups where none is named."""
    rows: dict[str, list[str]] = read_list("rivals.yaml")[table]
    return frozenset(word for group in groups or rows for word in rows[group])


def find_name(doc: Doc, cue: Cue) -> Span | None:
    """Gives the name that a cue speaks of: the known one next to it or, if the cue reveals names, what is written like one."""
    step = 1 if cue.is_before_name else -1
    first = cue.end if cue.is_before_name else cue.start - 1
    fillers = _words("beside", "before_name" if cue.is_before_name else "after_name")
    for distance in range(_MAX_FILLERS + 1):
        at = first + step * distance
        if not 0 <= at < len(doc) or doc[at if cue.is_before_name else at + 1].is_sent_start:
            return None
        if name := _name_at(doc, at, cue):
            return name
        if doc[at].lower_ not in fillers:
            return _flat_name(doc[at]) if cue.is_revealing and distance == 0 else None
    return None


def _name_at(doc: Doc, at: int, cue: Cue) -> Span | None:
    if doc[at].ent_type_:
        entity = _entity_at(doc, at)
        is_sure = entity.label_ != NEEDS_CUE or (
            cue.group != "setting" and _is_written_as_name(entity, is_revealed=cue.is_revealing)
        )
        return entity if is_sure else None
    run = _run_from(doc, at) if cue.is_before_name else _run_to(doc, at)
    return run if run and (cue.is_revealing or any(_CAMEL.match(token.text) for token in run)) else None


def enumerated(name: Span) -> Iterator[Span]:
    """Gives the other names of the enumeration that a name stands in ("X, Y and Z")."""
    doc, at = name.doc, name.end
    while at + 1 < len(doc) and doc[at].lower_ in _words("beside", "links"):
        at += 2 if doc[at + 1].lower_ in _words("beside", "links") else 1
        following = _listed(doc, at, is_forward=True)
        if following is None:
            break
        yield following
        at = following.end
    at = name.start - 1
    while at > 0 and doc[at].lower_ in _words("beside", "links"):
        at -= 2 if doc[at - 1].lower_ in _words("beside", "links") else 1
        preceding = _listed(doc, at, is_forward=False)
        if preceding is None:
            break
        yield preceding
        at = preceding.start - 1


def _listed(doc: Doc, at: int, *, is_forward: bool) -> Span | None:
    if not 0 <= at < len(doc):
        return None
    if doc[at].ent_type_:
        return _entity_at(doc, at)
    return _run_from(doc, at) if is_forward else _run_to(doc, at)


def _entity_at(doc: Doc, at: int) -> Span:
    start, end = at, at + 1
    while doc[start].ent_iob_ == "I":
        start -= 1
    while end < len(doc) and doc[end].ent_iob_ == "I":
        end += 1
    return span_of(doc, start, end, label=doc[at].ent_type_, head=doc[at].ent_id_)


def _is_written_as_name(entity: Span, *, is_revealed: bool) -> bool:
    """Says whether capitals, or strong words beside it, make a name of an everyday word."""
    if is_flat(entity.doc):
        return is_revealed
    return entity.text[0].isupper() and (is_revealed or not entity[0].is_sent_start)


def _run_from(doc: Doc, start: int) -> Span | None:
    """Gives the run of capitalised words that begins at a token, or None where it cannot name a vendor."""
    inside = takewhile(lambda at: _continues(doc, at, start), range(start, min(start + _MAX_NAME_TOKENS, len(doc))))
    return _checked(doc[start : start + sum(1 for _ in inside)])


def _run_to(doc: Doc, last: int) -> Span | None:
    """Gives the run of capitalised words that ends at a token, or None where it cannot name a vendor."""
    earliest = last
    while earliest > max(last + 1 - _MAX_NAME_TOKENS, 0) and not doc[earliest].is_sent_start:
        earliest -= 1
    for start in range(earliest, last + 1):
        run = (
            _checked(doc[start : last + 1])
            if all(_continues(doc, at, start) for at in range(start, last + 1))
            else None
        )
        if run:
            is_opening = doc[start].is_sent_start and len(run) == 1 and _OPENING_WORD.match(run.text)
            return None if is_opening else run
    return None


def _continues(doc: Doc, at: int, start: int) -> bool:
    """Says whether a token can belong to a name that begins at `start`."""
    token = doc[at]
    if token.ent_type_ or token.is_space:
        return False
    if token.text in _JOINTS:
        is_tight = at > start and not doc[at - 1].whitespace_ and not token.whitespace_
        return at > start and at + 1 < len(doc) and (is_tight or (token.text == "&" and _is_capital(doc[at + 1])))
    if at == start:
        return _is_capital(token) and not _is_common(token)
    return _is_capital(token) and token.lower_ not in _words("never", *_ENDING_GROUPS)


def _is_capital(token: Token) -> bool:
    return any(char.isupper() for char in token.text)


def _is_common(token: Token) -> bool:
    return token.is_stop or token.lower_ in _words("never") or token.like_num or token.is_punct


def _checked(span: Span) -> Span | None:
    """Gives a run of words as a name, unless it is too short, shouted, a person's or an everyday word."""
    while len(span) and span[-1].text in _JOINTS:
        span = span[:-1]
    if sum(char.isalnum() for char in span.text) < 2 or is_shouted(span.doc) or span.text.casefold() in _words("never"):
        return None
    before = span.doc[span.start - 1].lower_ if span.start else ""
    return None if before in _words("beside", "titles") else span


def is_shouted(doc: Doc) -> bool:
    """Says whether a text is written in capitals throughout."""
    return _upper_share(doc) > _SHOUTED_SHARE


def is_flat(doc: Doc) -> bool:
    """Says whether a text is written without difference of case, so that capitals tell nothing."""
    return _upper_share(doc) == 0 or is_shouted(doc)


def _upper_share(doc: Doc) -> float:
    """Gives the share of capitals among a text's letters, counted once; texts of a few letters count as mixed."""
    if _UPPER_SHARE not in doc.user_data:
        letters = [char for char in doc.text if char.isalpha()]
        is_long = len(letters) > _MIN_FLAT_CHARS
        doc.user_data[_UPPER_SHARE] = sum(char.isupper() for char in letters) / len(letters) if is_long else 0.5
    return float(doc.user_data[_UPPER_SHARE])


def _flat_name(token: Token) -> Span | None:
    """Gives the single word beside a cue in a text without case, unless it is an everyday word."""
    if not token.is_alpha or len(token) < _MIN_FLAT_CHARS or _is_common(token) or not is_flat(token.doc):
        return None
    return token.doc[token.i : token.i + 1]
