"""Revisit phrases: the words of a note that say when to come back, and the day they mean.

A calendar phrase alone says little ("we lost them in Q3"): it counts only beside words of return, of waiting or of a term
that ends, and not beside a past tense. A condition without a date ("when identity is clean") counts only beside words of
return. The word lists stand in `revisit.yaml`; the weights were chosen on notes for precision before recall.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

import yaml

from lossnlp.calendar_words import read_phrase, read_plain
from lossnlp.moments import find_day, find_moments
from lossnlp.periods import Clock

Span = tuple[int, int]

_READABLE_YEARS = range(2000, 2100)  # a two-digit year is read as 20xx
_ENOUGH = 4.0
_NEAR_CHARS = 55
_ADJACENT_CHARS = 12
# What a word of return is worth: before the phrase or behind it, beside it or near.
_NEARNESS = {(True, True): 5.0, (True, False): 3.0, (False, True): 3.5, (False, False): 2.5}
_MAX_SENTENCE_CHARS = 600
_MAX_CLAUSE_WORDS = 9
_MAX_CONDITION_WORDS = 14
_MAX_TAIL_WORDS = 3

_SENTENCE = re.compile(r"[^.!?;\n]*(?:[.!?;](?![\s\"']|$)[^.!?;\n]*)*")
_SPEAKS_ON = r"(?:'d|'ll| will| would| calls?| asks?| tr(?:y|ies)| comes?| looks?| listens?| is open| dust)\b"
_BREAK = re.compile(
    rf"[,;:()\"\[\]]|\s[-/]\s|[.!?](?=\s|$)|\s(?=(?:we|they|he|she|i|you|it){_SPEAKS_ON})"
    r"|\s(?=(?:we|they|he|she|i) (?:say|think|might)\w*\b)|\s(?=and (?:we|they|he|she|i)\b)"
)
_OPENER = re.compile(
    r"\b(?:(?:if/)?when(?:ever)?|once|after|if|until|as soon as|not before|before|post(?! mortem))\b(?! that\b)"
)
_ASIDE = re.compile(r"[,(]\s?(?:[^\s,()]+\s){0,3}$")
_LEAD = re.compile(
    r"(?:\b(?:not before|until|in|on|at|by|from|around|about|towards?|mid|early|late|later|end|start|beginning|middle|of|the|for"
    r"|next|this|coming|right|maybe|probably|after|before|post)[\s-]+)+$"
)
_CONSENT = re.compile(
    r",?\s(?:we|they|he|she|i)(?:(?:'d|'ll| will| would)? (?:call|ask|try|come|look|listen|talk|revisit|dust|love)"
    r"|(?: calls| asks| tries| comes| looks| listens| is open))\b"
)
# The day that opens a line of an activity log.
_LOG_DAY = re.compile(r"[a-z]+ \d{1,2}|\d{1,2} [a-z]+|\d+[./]\d+(?:[./]\d*)?")
_LINE_START = re.compile(r"[\s*•-]*(?:(?:mon|tue|wed|thu|fri|sat|sun)\w* )?")


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of plain text.

    Args:
        text: The sentence.
        offset: Its place in the plain text.
        moments: The calendar phrases in it, counted from its start.
        is_late: Whether it is one of the last two, where notes put what comes next.
        is_prompted: Whether the next one is a mere "Call me then".
    """

    text: str
    offset: int
    moments: tuple[Span, ...]
    is_late: bool
    is_prompted: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    start: int
    end: int
    score: float


def find_revisit_phrases(text: str) -> tuple[Span, ...]:
    """Gives the slices of a text that say when to come back.

    Args:
        text: A note, a mail or a turn of speech, as written.

    Returns:
        Start and end of each phrase in `text`, best first; empty where nothing speaks of coming back.
    """
    plain = read_plain(text)
    found = [candidate for sentence in _sentences(plain.text) for candidate in _candidates(sentence)]
    found.sort(key=lambda candidate: (-candidate.score, -candidate.start))
    return tuple(plain.as_written(candidate.start, candidate.end) for candidate in found)


def resolve_revisit(
    phrase: str, closed_on: date, *, fiscal_year_starts: int = 1, is_day_first: bool = False
) -> date | None:
    """Gives the first day that fits a revisit phrase.

    A phrase without a year means the next such time after `closed_on`. "Early", "mid", "late" and "end of" choose the 1st, the
    15th, the 21st and the last day of a month, and likewise within longer periods; "after Q1" is the day after it, "after the AGM
    in May" the first of May. Seasons are northern and meteorological; the first of "until March" and of "before March" is
    1 March. FY27 is the fiscal year that ends in calendar year 2027; a month named beside it ("FY27 opens in Feb") decides.
    Plain quarters and halves are those of the calendar year.

    Args:
        phrase: The words, such as "early Q2 27" or "when FY27 opens in Feb".
        closed_on: Day the deal was closed.
        fiscal_year_starts: Month (1 to 12) in which the buyer's fiscal year begins.
        is_day_first: Whether 1/3/27 is the first of March rather than the third of January.

    Returns:
        A day after `closed_on`; None where the phrase names no date or one that has passed, and for deals closed outside the years
        2000 to 2099.
    """
    if closed_on.year not in _READABLE_YEARS:
        return None
    return find_day(read_phrase(phrase), Clock(closed_on, fiscal_year_starts, is_day_first))


@cache
def _cues(group: str) -> re.Pattern[str]:
    """Gives the shipped word list of a group as one pattern."""
    table: dict[str, list[str]] = yaml.safe_load(
        resources.files("lossnlp").joinpath("revisit.yaml").read_text(encoding="utf-8")
    )
    words = "|".join(table[group])
    if group == "wait":
        return re.compile(rf"\b(?:{words})(?: \"| the| after)*\s?$")
    if group == "past":
        have = "".join(f"(?<!{word} )" for word in ("is", "are", "be", "'ve", "have", "has", "get", "gets"))
        return re.compile(rf"\b(?:{words})\b|{have}\b(?!(?:{'|'.join(table['open_past'])})\w*ed\b)\w+ed\b")
    return re.compile(rf"\b(?:{words})\b")


def _sentences(text: str) -> Iterator[_Sentence]:
    """Gives the sentences of a plain text; one without an end is cut, so that no text takes long."""
    spans = [
        (start, min(start + _MAX_SENTENCE_CHARS, match.end()))
        for match in _SENTENCE.finditer(text)
        for start in range(match.start(), match.end(), _MAX_SENTENCE_CHARS)
        if match[0].strip()
    ]
    for number, (start, end) in enumerate(spans):
        following = text[slice(*spans[number + 1])].split() if number + 1 < len(spans) else []
        yield _Sentence(
            text=text[start:end],
            offset=start,
            moments=tuple(match.span() for match in find_moments(text[start:end])),
            is_late=number >= len(spans) - 2,
            is_prompted=len(following) <= _MAX_TAIL_WORDS + 1 and bool(_cues("return").search(" ".join(following))),
        )


def _candidates(sentence: _Sentence) -> Iterator[_Candidate]:
    """Gives the phrases of a sentence that are likely enough, with their scores."""
    if _cues("regret").search(sentence.text):
        return
    dated = [(_widened(sentence.text, moment), moment) for moment in sentence.moments]
    scored = [(span, _dated_score(sentence, span, moment)) for span, moment in dated]
    scored += [(span, _condition_score(sentence, span)) for span in _conditions(sentence)]
    for (start, end), score in scored:
        if score >= _ENOUGH:
            yield _Candidate(sentence.offset + start, sentence.offset + end, score)


def _clause_end(text: str, start: int) -> int:
    stop = _BREAK.search(text, start)
    return len(text[: stop.start() if stop else len(text)].rstrip())


def _clause_start(text: str, end: int) -> int:
    start = max((match.end() for match in _BREAK.finditer(text, 0, end)), default=0)
    return end - len(text[start:end].lstrip())


def _widened(text: str, moment: Span) -> Span:
    """Gives the phrase around a calendar phrase: from its "when", its subject or its "in" to the end of a short clause."""
    start, end = moment
    clause = _clause_start(text, start)
    opener = next((match for match in _OPENER.finditer(text, 0, start) if _belongs(text[match.end() : start])), None)
    if opener:
        start = opener.start()
    elif _cues("event").search(text[clause:start]) and len(text[clause:start].split()) < _MAX_CLAUSE_WORDS:
        start = clause
    elif lead := _LEAD.search(text[:start]):
        start = lead.start()
    tail = text[end : _clause_end(text, end)]
    is_condition = bool(_OPENER.match(tail.lstrip())) and len(tail.split()) <= _MAX_CLAUSE_WORDS
    if is_condition or (len(tail.split()) <= _MAX_TAIL_WORDS and not _cues("return").search(tail)):
        end += len(tail)
    is_aside_open = text[end : end + 1] == ")" and "(" in text[start:end]
    return start, end + 1 if is_aside_open else end


def _belongs(gap: str) -> bool:
    """Says whether a gap keeps a "when" and a date in one phrase: it is a short clause, or one with an aside ("planned for")."""
    aside = _ASIDE.search(gap)
    clause = gap[: aside.start()] if aside else gap
    return len(clause.split()) <= _MAX_CLAUSE_WORDS and not _BREAK.search(clause)


def _conditions(sentence: _Sentence) -> Iterator[Span]:
    """Gives the clauses that name a condition and no date."""
    for opener in _OPENER.finditer(sentence.text):
        start, end = opener.start(), _clause_end(sentence.text, opener.end())
        clause = sentence.text[start:end]
        is_dated = any(start <= first < end for first, _ in sentence.moments)
        if 2 <= len(clause.split()) <= _MAX_CONDITION_WORDS and not is_dated and not _cues("past").search(clause):
            yield start, end


def _return_score(text: str, span: Span) -> float:
    """Gives how close a word of return stands to a phrase: 5 for right before it, 0 for none."""
    start, end = span
    best = 0.0
    for match in _cues("return").finditer(text):
        gap = start - match.end() if match.end() <= start else match.start() - end
        is_before, is_adjacent = match.end() <= start, gap <= _ADJACENT_CHARS
        if gap < 0:
            best = max(best, 2.0)
        elif gap <= _NEAR_CHARS:
            best = max(best, _NEARNESS[is_before, is_adjacent])
    return best


def _dated_score(sentence: _Sentence, span: Span, moment: Span) -> float:
    """Gives how surely a phrase with a date says when to come back; 4 is enough."""
    text, (start, end) = sentence.text, span
    is_log_entry = bool(
        _LINE_START.fullmatch(text, 0, start) and _LOG_DAY.fullmatch(text, *moment) and text[end:].strip()
    )
    if is_log_entry or _cues("past").search(text[start:end]):
        return 0
    returns = [match.end() for match in _cues("return").finditer(text, 0, start)]
    # "They asked us to come back in May" is told in the past and means what comes.
    before, behind = text[max([_clause_start(text, start), *returns]) : moment[0]], text[end : _clause_end(text, end)]
    rest = text[:start] + text[end:]
    clues = (
        (2.0, _cues("wait").search(text[: moment[0]]) or _cues("wait").search(text[:start])),
        (1.5, _cues("event").search(text[start : moment[0]])),
        (1.5, _cues("term").search(before)),
        (1.5, re.search(r"\b(?:next|new)\b", text[start:end])),
        (1.5, _OPENER.match(text, start)),
        (2.0, len(rest.split()) < _MAX_TAIL_WORDS),
        (0.5, _cues("future").search(rest)),
        (0.5, sentence.is_late),
        (-3.5, _cues("past").search(before) or _cues("past").search(behind)),
    )
    return max(_return_score(text, span), 2.0 * sentence.is_prompted) + sum(weight for weight, holds in clues if holds)


def _condition_score(sentence: _Sentence, span: Span) -> float:
    """Gives how surely a condition without a date says when to come back; 4 is enough."""
    text, (start, end) = sentence.text, span
    before = text[_clause_start(text, start) : start]
    if _cues("past").search(before) and not _cues("return").search(before):
        return 0
    is_stopped = bool(_cues("stopped").search(before)) and text.startswith(("until", "before"), start)
    is_held = is_stopped or text.startswith("not before", start)
    best = max(
        _return_score(text, span), 2.0 * sentence.is_prompted, 3.0 * is_held, 3.5 * bool(_CONSENT.match(text, end))
    )
    return best + 0.5 * sentence.is_late
