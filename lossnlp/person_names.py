"""People's names in a text: from a list of given names, from the words beside a name, and from whom the deal shows already.

A name that is a plain word too (`Will`, `Mark`, `May`) needs words beside it that only a person has. What the caller marks as taken, such
as a rival's name or a mail address, is never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lossnlp.name_words import FEWEST_LETTERS, NameWord, Stretch, split_words, telling_words
from lossnlp.person_cues import Tier, Words, cue_patterns, cue_words, everyday_words, shared_names, tier_of

_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n\u2022>|\]]['\")]?\s*|^\W*)$")
_PREFIXED = re.compile(r"(?:[OD]['\u2019]|Mc|Mac(?=[A-Z])|Fitz(?=[a-z]{4}))[^\W\d_a-z]")
_ABSTRACT = re.compile(r"(?:ing|tion|ment|ness|ity|ance|ence|ory|ics|ional|ure|ed|ies|ware|soft)$")
_CONTRACTION = re.compile(r"^\w{1,4}['\u2019](?:d|m|ll|ve|re)$")
_REACH = 40
_LINE = 240
_MOST_WORDS = 6


@dataclass(frozen=True, slots=True)
class PersonName:
    """A stretch of a text that names a person.

    Args:
        start: First code point.
        end: Code point after the last one.
        words: The words of the name in lower case, without initials and particles.
    """

    start: int
    end: int
    words: Words


class _Reader:
    """One text, word by word."""

    def __init__(self, text: str, taken: Sequence[Stretch], known: Words) -> None:
        self._text, self._met, self._known = text, known, telling_words([known])
        self._words = list(split_words(text, taken))
        self._ends = self._find_ends()
        self._listed = -1  # the word behind `and`, where a name stands before it

    def _find_ends(self) -> list[int]:
        """Gives for each word the end of the run of words that may be one name; looked for once, so that long runs cost no more."""
        ends = list(range(1, len(self._words) + 1))
        for at in range(len(ends) - 2, -1, -1):
            if self._gap(at) == " " and self._may_continue(self._words[at + 1]):
                ends[at] = ends[at + 1]
        return ends

    def find(self) -> Iterator[PersonName]:
        """Gives the names in order; they do not overlap."""
        at = 0
        while at < len(self._words):
            run = self._name_at(at) if self._is_anchor(at) else None
            if run is None:
                at += 1
                continue
            words = self._words[run.start : run.stop]
            keys = (
                word.key
                for word in words
                if not word.is_initial and word.key not in cue_words("particles", "titles") | {"and"}
            )
            yield PersonName(words[0].start, words[-1].end, frozenset(keys))
            at = run.stop
            self._listed = at + 1 if at < len(self._words) and self._words[at].key in cue_words("links") else -1

    def _is_anchor(self, at: int) -> bool:
        """Says whether the word by itself and by what stands beside it names a person."""
        word = self._words[at]
        if word.is_taken or word.is_initial or self._is_of_company(at) or self._has(at, "behind", "product"):
            return False
        tier = tier_of(word.key)
        is_known = word.key in self._known or tier == "capital"
        if tier == "any case" or (is_known and word.is_capital):
            return True
        if word.text.isupper():
            return tier == "capital" and len(word.text) > FEWEST_LETTERS and self._has(at, "behind", "colon")
        if tier == "beside a cue" and word.is_capital:
            return self._is_word_a_name(at)
        if word.key in everyday_words() or _CONTRACTION.search(word.key):
            return False
        return self._is_rare_a_name(at, tier) if word.is_capital else self._is_lower_a_name(at, tier)

    def _is_rare_a_name(self, at: int, tier: Tier | None) -> bool:
        """Says whether a capitalised word that is no given name of the lists names a person."""
        is_surname = tier == "surname" and self._is_surname_a_name(at)
        return at == self._listed or is_surname or self._is_in_roster(at) or self._is_unknown_a_name(at)

    def _is_surname_a_name(self, at: int) -> bool:
        """Says whether a listed family name by itself names a person: many are companies' names too."""
        if self._has(at, "behind", "act", "surname act", "human") or self._has(at, "before", "reaching"):
            return True
        return not self._starts_sentence(self._words[at]) and not self._has(at, "before", "setting")

    def _is_in_roster(self, at: int) -> bool:
        """Says whether a word stands in a line of names, such as that of who was there."""
        start = self._words[at].start
        line = self._text[max(self._text.rfind("\n", 0, start) + 1, start - _LINE) : start]
        return cue_patterns()["before roster"].search(line) is not None

    def _is_lower_a_name(self, at: int, tier: Tier | None) -> bool:
        """Says whether a listed name in lower case that is rare, or a plain word too, names a person."""
        if self._has(at, "before", "letter", "dotted title"):
            return True
        if tier is None or len(self._words[at].text) < FEWEST_LETTERS:
            return False
        if self._has(at, "before", "greeting", "title"):
            return True
        if tier == "beside a cue":
            return self._has(at, "behind", "speech") and not self._is_determined(at)
        if self._has(at, "behind", "human"):
            return True
        is_reached = self._has(at, "before", "reaching", "talking", "role") and not self._is_mere(at)
        return is_reached or (tier == "capital" and self._has(at, "behind", "role", "act"))

    def _is_determined(self, at: int) -> bool:
        """Says whether a word like `the` stands before, as before things."""
        return at > 0 and self._words[at - 1].key in cue_words("determiners")

    def _is_word_a_name(self, at: int) -> bool:
        """Says whether a plain word with a capital names a person."""
        word = self._words[at]
        if word.key in self._met and self._has(at, "behind", "act", "surname act", "human"):
            return True
        is_shared = word.key in shared_names()
        if self._has(at, "before", "title", "greeting", "reaching", "talking") and not (
            is_shared and self._is_mere(at)
        ):
            return True
        if self._has(at, "before", "role") or self._has(at, "behind", "role", "human") or self._has_surname(at):
            return True
        if self._has(at, "before", "farewell") and self._has(at, "behind", "end"):
            return True
        if is_shared:
            return word.key in cue_words("places") and self._has(at, "behind", "act")
        is_amid = not self._starts_sentence(word) and not self._has(at, "before", "setting")
        return is_amid or self._has(at, "behind", "act")

    def _is_unknown_a_name(self, at: int) -> bool:
        """Says whether a capitalised word that no list knows names a person."""
        if _ABSTRACT.search(self._words[at].key):
            return self._has(at, "before", "title")
        if self._has(at, "before", "title", "office", "greeting", "talking") or self._has(
            at, "behind", "role", "human"
        ):
            return True
        if self._has(at, "before", "farewell") and self._has(at, "behind", "end"):
            return True
        if self._has(at, "before", "stamp") and self._has(at, "behind", "colon", "label"):
            return True
        if self._starts_sentence(self._words[at]) and self._has(at, "behind", "label"):
            return True
        before = self._words[at - 1] if at else None
        is_initialled = before is not None and self._gap(at - 1) in {". ", "."} and self._is_initial(before)
        return is_initialled or bool(_PREFIXED.match(self._words[at].text))

    def _is_mere(self, at: int) -> bool:
        """Says whether only `from` or `by` stands before the word, as before months and places too."""
        return self._words[at - 1].key in {"from", "by", "per"} if at else False

    def _is_initial(self, word: NameWord) -> bool:
        """Says whether a letter stands by itself, and behind no number as in `95k`."""
        return word.is_initial and not self._text[max(0, word.start - 1) : word.start].isalnum()

    def _has_surname(self, at: int) -> bool:
        following = self._words[at + 1] if at + 1 < len(self._words) else None
        return following is not None and self._gap(at) == " " and self._may_continue(following)

    def _may_continue(self, word: NameWord) -> bool:
        """Says whether a word may be a further part of a name."""
        is_place = word.key in shared_names() and tier_of(word.key) is not None
        is_plain = word.key in everyday_words() and not is_place
        return not (word.is_taken or is_plain or _CONTRACTION.search(word.key)) and word.is_capital

    def _is_of_company(self, at: int) -> bool:
        """Says whether the word belongs to a company's or a place's name, as in `Harper & Wells` or `Frank Recruitment`."""
        before = self._words[at - 1] if at else None
        if (
            before is not None
            and self._gap(at - 1) == " "
            and before.key in cue_words("place_words")
            and before.is_capital
        ):
            return True
        end = self._ends[at]
        gap = self._gap(end - 1)
        following = self._words[end] if end < len(self._words) else None
        if (
            following is not None
            and gap == " "
            and following.is_capital
            and following.key in cue_words("company_words")
        ):
            return True
        is_joined = gap in {" & ", "&", " + "} and following is not None and following.is_capital
        return is_joined or (before is not None and before.is_capital and self._gap(at - 1) in {" & ", "&"})

    def _name_at(self, at: int) -> range | None:
        """Gives the words of the name around an anchor."""
        start, end = at, at + 1
        while start and at - start < _MOST_WORDS and self._joins_before(start):
            start -= 1
        while end < len(self._words) and end - at < _MOST_WORDS and self._joins_behind(end):
            end += 1
        while end > at + 1 and self._words[end - 1].key in cue_words("particles"):
            end -= 1
        while start and self._is_title(start - 1):
            start -= 1
        return range(start, end)

    def _is_title(self, at: int) -> bool:
        """Says whether a word before a name is a title, as in `Frau Dr. Kessler` or `Mr and Mrs Hill`."""
        word, gap = self._words[at], self._gap(at)
        if word.is_taken or gap not in {" ", ". "}:
            return False
        is_and = word.key == "and" and at > 0 and self._words[at - 1].key in cue_words("titles")
        return is_and or (word.key in cue_words("titles") and (word.is_capital or gap == ". "))

    def _joins_before(self, start: int) -> bool:
        word, gap = self._words[start - 1], self._gap(start - 1)
        if word.is_taken:
            return False
        if word.is_initial:
            return (gap in {". ", "."} and self._is_initial(word)) or (
                gap == " " and word.text.isupper() and word.text not in {"A", "I"}
            )
        if gap != " " or self._is_of_company(start - 1):
            return False
        if word.key in cue_words("particles"):
            before = self._words[start - 2] if start > 1 and self._gap(start - 2) in {" ", ". "} else None
            return word.key in {"van", "von", "bin", "ibn"} or (
                before is not None
                and (before.is_initial or self._may_continue(before) or before.key in {"van", "von", "de"})
            )
        is_given = tier_of(word.key) is not None
        return self._may_continue(word) and (is_given or not self._starts_sentence(word))

    def _joins_behind(self, end: int) -> bool:
        word, before, gap = self._words[end], self._words[end - 1], self._gap(end - 1)
        if word.is_taken or not (gap == " " or (before.is_initial and gap in {". ", "."})):
            return False
        if word.is_initial:
            mark = self._text[word.end : word.end + 1]
            return mark == "." and word.text.isupper() == before.is_capital
        if word.key in cue_words("particles"):
            return any(self._may_continue(one) for one in self._words[end + 1 : end + 3])
        if word.key.partition("-")[0] in cue_words("particles") and word.text.partition("-")[2][:1].isupper():
            return True  # as in `Noor al-Sabah`
        if not word.is_capital:
            return not before.is_capital and tier_of(word.key) == "any case"
        return self._may_continue(word)

    def _gap(self, at: int) -> str:
        """Gives what stands between a word and the next one; a genitive's ending stands there too."""
        return self._text[self._words[at].end : self._words[at + 1].start] if at + 1 < len(self._words) else "\n"

    def _starts_sentence(self, word: NameWord) -> bool:
        return bool(_SENTENCE_START.search(self._text[max(0, word.start - 6) : word.start]))

    def _has(self, at: int, side: str, *names: str) -> bool:
        """Says whether one of the cues stands right before or behind the word and the rest of its name."""
        patterns, word = cue_patterns(), self._words[at]
        if side == "before":
            start = max(0, word.start - _REACH)
            return any(patterns[f"before {name}"].search(self._text[start : word.start]) for name in names)
        end = at
        while end + 1 < len(self._words) and end - at < 2 and self._has_surname(end):
            end += 1
        places = {word.end, self._words[end].end}
        return any(
            patterns[f"behind {name}"].match(self._text, place, place + _REACH) for name in names for place in places
        )


def find_names(text: str, *, taken: Sequence[Stretch] = (), known: Words = frozenset()) -> tuple[PersonName, ...]:
    """Gives the people's names of a text in order.

    Args:
        text: A note, a mail or a turn of speech, as written.
        taken: Stretches that are something else, in order and without overlap.
        known: Words of names of people of this deal, in lower case.
    """
    return tuple(_Reader(text, taken, known).find())
