"""Takes names out of quotes that many people will read: of everybody who speaks in a deal, of its owner and of its account."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lossnlp.deal import Deal
from lossnlp.english import stop_words
from lossnlp.label_words import get_label_words
from serving.review.named import ACCOUNT, Party, find_parties, tokens_of
from serving.review.redaction import Redactor

NAME, COMPANY = "[name]", "[the buyer's company]"
_FEWEST_LETTERS, _FEWEST_PLAIN_LETTERS, _FEWEST_COMPANY_LETTERS = 2, 4, 5
_TITLE = r"\b(?:Mr|Mrs|Ms|Dr|Prof|Herr|Frau)\b\.?"
_BEFORE = r"(?<=[a-z,;:] )"  # inside a sentence, where a common word has no capital
_NEVER = r"(?!)"
_PLACES = (
    (re.compile(r"\S+@[\w.-]+"), "[mail address]"),
    (re.compile(r"https://link\.example"), "[link]"),
    (re.compile(rf"\b{ACCOUNT}\b"), COMPANY),
    (re.compile(r"\bPhone_A\b"), "[number]"),
    (re.compile(r"\b(?:Name_[A-Z]+|Owner_A)\b"), NAME),
    (re.compile(rf"(?:{_TITLE} )+\[name\]"), NAME),
    # A title shows a name also of people who are only talked about
    (re.compile(rf"(?:{_TITLE} )+[^\W\d_a-z][\w'\u2019-]*(?: [^\W\d_a-z][\w'\u2019-]+)?"), NAME),
)
_ALIKE = (
    r"[^\W\d_a-z][^\W\d_A-Z]{2,}(?:-[^\W\d_a-z][^\W\d_A-Z]+)?"  # a capital, then none: neither an acronym nor a brand
)
# How people are talked about: as somebody with a part, who does what people do, or with what is theirs
_TALKED_ABOUT = re.compile(
    rf"(?P<part>\b(?:champion|sponsor|boss|colleague|contact|lawyer|successor|predecessor|C[EFIOT]O|CISO),? )(?P<of>{_ALIKE})\b"
    rf"|\b(?P<who>{_ALIKE}(?: {_ALIKE})?)(?= (?:said|says|told|asked|asks|wants|wanted|thinks|thought|left|leaves|signed|signs|called|"
    rf"mentioned|promised|joined|retired|agreed|refused|wrote|moved|likes|liked|loved|and (?:his|her|their))\b)"
)
_NO_PEOPLE = frozenset(
    {
        "procurement", "purchasing", "finance", "legal", "marketing", "sales", "security", "operations", "management",
        "engineering", "accounting", "controlling", "support", "leadership", "compliance", "payroll", "product",
        "production", "logistics", "customer", "customers", "users", "buyer", "buyers", "client", "clients", "vendor",
        "people", "team", "teams", "reps", "board", "council", "committee", "audit", "quality", "research",
        "headquarters", "corporate", "group", "company", "department", "plant", "champion", "sponsor", "boss",
        "manager", "director", "colleague", "colleagues", "contact", "lawyer", "successor", "account",
    }
)  # fmt: skip
_ROW = re.compile(r"(?:\b[^\W\d_a-z]\. ?)*\[name\](?:[ -]\[name\])*")


class NameRemover:
    """Takes names out of the words of one deal.

    A redaction that people work with keeps what may be a plain word; what is handed around gives up such a word rather than a name:
    short and lower-case names go too.

    Args:
        deal: The deal, with its documents as far as they are at hand.
        rivals: Names that stay.
    """

    def __init__(self, deal: Deal, rivals: Iterable[str] = ()) -> None:
        rivals = list(rivals)
        self._redactor = Redactor(deal, kept=rivals)
        parties = find_parties(deal)
        kept = {token for rival in rivals for token in tokens_of(rival)}
        people = {word for party in parties if party.placeholder != ACCOUNT for word in party.words} - kept
        companies = {word for party in parties if party.placeholder == ACCOUNT for word in _own_words(party)} - kept
        self._people = _pattern(_people_patterns(people))
        self._not_talked_about = kept | _NO_PEOPLE | stop_words()
        self._companies = re.compile(_any_of(companies), re.IGNORECASE)

    def remove(self, text: str) -> str:
        """Gives the text without names, on one line."""
        words = self._redactor.redact(" ".join(text.split())).text
        for place, said in _PLACES:
            words = place.sub(said, words)
        words = self._companies.sub(COMPANY, words)
        words = self._people.sub(NAME, words)
        return _ROW.sub(NAME, _TALKED_ABOUT.sub(self._without_talked_about, words))

    def _without_talked_about(self, found: re.Match[str]) -> str:
        """Gives what stands for somebody who only seems to be talked about; a plain noun would do as well, so the known ones stay."""
        words = tokens_of(found["of"] or found["who"])
        return found[0] if self._not_talked_about & set(words) else f"{found['part'] or ''}{NAME}"


def _own_words(party: Party) -> Iterator[str]:
    yield from (word for word in party.telling if len(word) >= _FEWEST_COMPANY_LETTERS)


def _people_patterns(words: Iterable[str]) -> Iterator[str]:
    """Gives what finds each word of a name: a telling one however it is written, a short or a common one with a capital."""
    lists = get_label_words()
    common = lists.function_words | lists.particles | lists.titles | lists.never
    for word in sorted(words, key=lambda one: (-len(one), one)):
        capital = re.escape(word[:1].upper() + word[1:])
        if len(word) < _FEWEST_LETTERS:
            continue
        if word in common:
            yield rf"{_BEFORE}{capital}|{capital}(?= \[name\])|(?<=\[name\] ){capital}"
        elif len(word) < _FEWEST_PLAIN_LETTERS:
            yield rf"{capital}|{re.escape(word.upper())}"
        else:
            yield rf"(?i:{re.escape(word)})"


def _pattern(patterns: Iterable[str]) -> re.Pattern[str]:
    every = "|".join(patterns)
    return re.compile(rf"(?<![\w\[])(?:{every})(?![\w\]])" if every else _NEVER)


def _any_of(words: Iterable[str]) -> str:
    every = "|".join(re.escape(word) for word in sorted(words, key=lambda one: (-len(one), one)))
    return rf"(?<!\w)(?:{every})(?!\w)" if every else _NEVER
