"""What tells people from companies, places and plain words: listed names, and the words beside a name."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Literal
from unicodedata import combining, normalize

from lossnlp.label_words import get_label_words
from lossnlp.rival_cues import read_list

Words = frozenset[str]
Tier = Literal["any case", "capital", "beside a cue", "surname"]


@cache
def cue_words(*tables: str) -> Words:
    """Gives the words of tables of `person_cues.yaml`."""
    return frozenset(word for table in tables for word in read_list("person_cues.yaml")[table])


@cache
def _listed_names() -> dict[str, Tier]:
    """Gives how surely each listed name names a person."""
    tiers: dict[str, Tier] = {}
    tier: Tier = "any case"
    for line in resources.files("lossnlp").joinpath("person_names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            tier = line.strip("[]")  # type: ignore[assignment]
        else:
            tiers[line] = tier
    return tiers


@cache
def everyday_words() -> Words:
    """Gives the capitalised words that never belong to a person's name: months, departments, roles, places and the like."""
    rows: dict[str, list[str]] = read_list("rivals.yaml")["never"]
    lists = get_label_words()
    spoken = lists.never | lists.function_words | lists.metadata | lists.company_suffixes
    cues = cue_words("titles", "roles", "departments", "company_words", "places", "greetings", "farewells")
    return frozenset(word for group, words in rows.items() if group != "people" for word in words) | spoken | cues


@cache
def shared_names() -> Words:
    """Gives what is a month, a place or a vendor as often as a person."""
    table = read_list("rivals.yaml")
    vendors = {row[0].casefold() for row in table["needs_cue"]}
    never = table["never"]
    return frozenset([*never["months"], *never["days"], *never["places"], *vendors]) | cue_words("places")


@cache
def _phrases(*tables: str) -> str:
    """Gives an alternation of words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(cue_words(*tables), key=lambda word: (-len(word), word)))


@cache
def cue_patterns() -> dict[str, re.Pattern[str]]:
    """Gives what stands before a name (up to its first letter) and behind it; each pattern is matched in a window of a few words."""
    roles, departments = _phrases("roles"), rf"{_phrases('departments')}|(?-i:IT)"
    before = {
        "title": rf"(?<!\w)(?:{_phrases('titles')})\.?(?: and mrs\.?| dr\.?)?\s$",
        "role": rf"(?<!\w)(?:{roles})(?: is| was|,)?(?:\s?[:=(-])?\s?$",
        "office": rf"(?<!\w)(?:{_phrases('offices')})(?:,| \()?\s?$",
        "greeting": rf"(?:^|[\n.!?,>:])\s{{0,3}}(?:{_phrases('greetings')}),?\s$",
        "farewell": rf"(?<!\w)(?:{_phrases('farewells')})[,.!]?\s{{1,3}}$",
        "reaching": rf"(?<!\w)(?:{_phrases('reaching')})\s$",
        "talking": rf"(?<!\w)(?:{_phrases('talking')})\s$",
        "letter": rf"(?<!\w)(?:{_phrases('reaching', 'talking')})\s[a-z]\.\s?(?:(?:{_phrases('particles')})\s){{0,3}}$",
        "stamp": r":\d\d\s?[\])>]\s{0,2}$|<v $",
        "dotted title": rf"(?<!\w)(?:{_phrases('titles')})\.\s$",
        "roster": rf"^\s{{0,3}}(?:{_phrases('rosters')})\s?[:=\u2013-]\s(?:[^\n.]{{0,200}}(?:[,;&]|\band))?\s?$",
        "setting": rf"(?<!\w)(?:{_phrases('settings')})\s$|\d\s?$",
    }
    behind = {
        "role": rf"\s?[(\[][^()\n]{{0,12}}?\b(?:{roles}|{departments}|head of)\b"
        rf"|(?:,| [-\u2013])\s?(?:our |their |the |my |a |his |her )?(?:(?:{roles})\b|head of)"
        rf"|,? (?:from|in|of|at) (?:{departments})\b|, (?:{departments})\b",
        "human": rf" (?:{_phrases('human_acts')})\b|(?:['\u2019]?s|['\u2019]) (?:{_phrases('kin')})\b|[- ](?:{_phrases('honorifics')})\b"
        r"| ?[<(]\s?[\w.+-]{1,64}@",
        "act": rf",? (?:{_phrases('acts')})\b|: |, ?who\b",
        "surname act": rf" (?:{_phrases('surname_acts')})\b|[.,;:]? s?he\b",
        "speech": rf" (?:{_phrases('speech')})\b",
        "product": rf" (?:{_phrases('product_words')})\b|(?-i: by [A-Z])",
        "end": r"\s*(?:$|[.,!\n])",
        "colon": r" ?:|>",
        "label": r" ?\([^()\n]{2,30}\) ?:",
    }
    found = {f"before {name}": re.compile(words, re.IGNORECASE) for name, words in before.items()}
    return found | {f"behind {name}": re.compile(words, re.IGNORECASE) for name, words in behind.items()}


def tier_of(key: str) -> Tier | None:
    """Gives how surely a word is a given name; a double name is as sure as its surest part."""
    names, plain = _listed_names(), _plain(key)
    if plain in names or "-" not in plain:
        return names.get(plain)
    parts = {names.get(part) for part in plain.split("-")}
    return "capital" if parts & {"any case", "capital", "surname"} else None


def _plain(key: str) -> str:
    """Gives a word without accents, as names are listed."""
    return key if key.isascii() else "".join(char for char in normalize("NFKD", key) if not combining(char))
