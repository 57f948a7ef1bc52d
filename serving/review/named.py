"""Who a deal names: its speakers, senders, attendees, owner and account, and where their names stand in a text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from lossnlp.affiliations import read_affiliations
from lossnlp.deal import Deal, Document
from lossnlp.label_words import get_label_words
from lossnlp.people import Reading, read_people
from lossnlp.speaker_names import is_same_company, read_name
from lossnlp.transcripts import read_turns
from lossnlp.turns import SpokenTurn

ACCOUNT = "Account_A"
_TOKEN = re.compile(r"[^\W_]+")
_JOINT = re.compile(r"[ \-'\u2019&]{1,3}")
_INITIAL_JOINT = re.compile(r"\. ?")
_FEWEST_LETTERS, _FEWEST_COMPANY_LETTERS, _MOST_WORDS, _MOST_LISTED = 3, 4, 5, 100
Words = frozenset[str]


@dataclass(frozen=True, slots=True)
class Party:
    """A person or a company that is named.

    Args:
        placeholder: What stands instead of the name.
        words: The words of the name, in lower case.
        telling: Those of them that name it alone where they begin with a capital.
        plain: Those that name it alone in lower case too: labels of transcripts without capitals.
    """

    placeholder: str
    words: Words
    telling: Words
    plain: Words = frozenset()


@dataclass(frozen=True, slots=True)
class Named:
    """A stretch of a text that names a party."""

    start: int
    end: int
    party: Party


def find_parties(deal: Deal) -> tuple[Party, ...]:
    """Gives the account and the people whom a deal shows by name, each with a placeholder of its own."""
    readings: list[Reading] = [(document, read_turns(document)) for document in deal.documents]
    people = read_people(readings)
    labels = [voice.label for person in people for voice in person.voices]
    plain = frozenset(word for label in labels if label == label.lower() for word in tokens_of(label))
    names = [person.words for person in people]
    names += [words for document, turns in readings for words in _attending(document, turns)]
    if deal.owner and not any(char.isdigit() for char in deal.owner):
        names.append(read_name(deal.owner).words)
    companies = [company for person in people for company in sorted(person.companies)]
    return (*_companies(deal.account, companies), *_people(names, plain))


def _attending(document: Document, turns: Sequence[SpokenTurn]) -> Iterator[Words]:
    """Gives the names in mail headers and attendee lists that stand in the text as names do: such lists hold more than names."""
    listed = dict.fromkeys(words for words, _ in read_affiliations(document, turns) if 1 < len(words) <= _MOST_WORDS)
    yield from (words for words in islice(listed, _MOST_LISTED) if _has_capitals(document.text or "", words))


def tokens_of(name: str) -> list[str]:
    """Gives the words of a name in lower case, without marks."""
    return [token.casefold() for token in _TOKEN.findall(name)]


def letter(number: int) -> str:
    """Gives the letters that count placeholders: A to Z, AA, AB and so on; 0 is A."""
    return (letter(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


def _companies(account: str | None, companies: Iterable[str]) -> Iterator[Party]:
    """Gives the account under each of the names that the deal has for it."""
    if account is None:
        return
    for name in dict.fromkeys((account, *(one for one in companies if is_same_company(one, account)))):
        words = [word for word in tokens_of(name) if word not in get_label_words().company_suffixes] or tokens_of(name)
        own = [word for word in words if word not in _common_words() and len(word) >= _FEWEST_COMPANY_LETTERS]
        if words:
            yield Party(ACCOUNT, frozenset(words), frozenset(own[:1] if len(words) > 1 else words))


def _people(names: Iterable[Words], plain: Words) -> Iterator[Party]:
    """Gives one party for each person: `Dana` is `Dana Ortiz` where only one Dana is there."""
    known: list[Words] = []
    spelled = {frozenset(token for word in words for token in tokens_of(word)) for words in names}
    for words in sorted(spelled, key=lambda one: (-len(one), sorted(one))):
        if words and sum(words <= other for other in known) != 1:
            known.append(words)
    for number, words in enumerate(known):
        telling = frozenset(word for word in words - _common_words() if len(word) >= _FEWEST_LETTERS)
        yield Party(f"Name_{letter(number)}", words, telling, telling & plain)


def _common_words() -> Words:
    lists = get_label_words()
    return lists.function_words | lists.particles | lists.titles | lists.never


def _has_capitals(text: str, words: Words) -> bool:
    """Says whether the words stand somewhere in a row, each with a capital."""
    first = "|".join(re.escape(word) for word in sorted(words))
    for found in re.finditer(rf"\b(?:{first})\b", text, re.IGNORECASE):
        row = _TOKEN.findall(text[found.start() : found.start() + 120])[: len(words)]
        if {token.casefold() for token in row} == words and not any(token[0].islower() for token in row):
            return True
    return False


class NameFinder:
    """Finds where parties are named.

    Args:
        parties: Whom to find.
    """

    def __init__(self, parties: Sequence[Party]) -> None:
        self._by_word: dict[str, list[Party]] = defaultdict(list)
        for party in parties:
            for word in party.words:
                self._by_word[word].append(party)

    def find(self, text: str, start: int = 0, end: int | None = None) -> Iterator[Named]:
        """Gives the stretches that name a party, in order; words in a row that belong to one party are one stretch."""
        run: list[re.Match[str]] = []
        shared: list[Party] = []
        for token in _TOKEN.finditer(text, start, len(text) if end is None else end):
            owners = self._by_word.get(token[0].casefold(), [])
            both = [party for party in shared if party in owners] if run and self._joins(text, run[-1], token) else []
            if both:
                run, shared = [*run, token], both
                continue
            yield from self._named(run, shared)
            run, shared = [token] if owners else [], owners
        yield from self._named(run, shared)

    def find_by_words(self, words: Iterable[str]) -> Party | None:
        """Gives the party that telling words name, as in the name part of a mail address."""
        found = [party for word in words for party in self._by_word.get(word, ()) if word in party.telling]
        return found[0] if found else None

    @staticmethod
    def _joins(text: str, before: re.Match[str], token: re.Match[str]) -> bool:
        place = (text, before.end(), token.start())
        is_initial = len(before[0]) < _FEWEST_LETTERS
        return bool(_JOINT.fullmatch(*place) or (is_initial and _INITIAL_JOINT.fullmatch(*place)))

    @staticmethod
    def _named(run: Sequence[re.Match[str]], shared: Sequence[Party]) -> Iterator[Named]:
        """Gives the run as a name, without the small words at its ends; nothing where it names nobody."""
        for party in shared:
            strong = [token for token in run if _is_strong(token[0], party)]
            words = {token[0].casefold() for token in run}
            alone = [token for token in run if _names_alone(token[0], party)]
            if strong and (alone or (len(words) > 1 and words & party.telling)):
                yield Named(strong[0].start(), strong[-1].end(), party)
                return


def _is_strong(word: str, party: Party) -> bool:
    return word.casefold() in party.telling or (len(word) >= _FEWEST_LETTERS and not word[0].islower())


def _names_alone(word: str, party: Party) -> bool:
    key = word.casefold()
    return key in party.plain or (key in party.telling and not word[0].islower())
