"""Rival cues: the words beside a vendor's name, as token patterns, and the pipeline that finds them and the known names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import yaml

from lossnlp.assessment import RivalRole
from lossnlp.deal import MAX_DOCUMENT_CHARS
from lossnlp.english import blank_english, get_spacy

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.matcher import Matcher, PhraseMatcher
    from spacy.tokens import Doc, Span
    from spacy.vocab import Vocab

Group = Literal["beaten", "incumbent", "won", "named", "setting"]

KNOWN = "KNOWN"
NEEDS_CUE = "NEEDS_CUE"
_GAPS: dict[str, dict[str, Any]] = {"_": {"IS_PUNCT": False, "IS_SPACE": False, "OP": "?"}, "#": {"LIKE_NUM": True}}
# From the group that outweighs the others to the weakest; what only belongs to the setting is no rival.
ROLES: dict[Group, RivalRole | None] = {
    "beaten": "mentioned",
    "incumbent": "incumbent",
    "won": "won",
    "named": "mentioned",
    "setting": None,
}


class Cue(NamedTuple):
    """Words that say something of the name beside them.

    Args:
        start: First token of the words.
        end: Token after the last one.
        group: What they say.
        is_before_name: Whether the name follows them; else it precedes.
        is_revealing: Whether they make a name of a word that no list knows.
    """

    start: int
    end: int
    group: Group
    is_before_name: bool
    is_revealing: bool


class RivalWords(NamedTuple):
    """What is looked for in a text; all of one vocabulary.

    Args:
        plain: The cues without gaps, which cost next to nothing.
        gapped: The few with gaps.
        names: The known names, in any case.
        heads: For each key of `names` the label and the head name of its spellings.
    """

    plain: PhraseMatcher
    gapped: Matcher
    names: PhraseMatcher
    heads: dict[int, tuple[str, str]]


@cache
def read_list(name: str) -> dict[str, Any]:
    """Gives a YAML table that ships with lossnlp."""
    table: dict[str, Any] = yaml.safe_load(resources.files("lossnlp").joinpath(name).read_text(encoding="utf-8"))
    return table


def _spelled_out(notation: str) -> Iterator[list[str]]:
    """Gives every sequence of tokens that a cue without gaps stands for."""
    choices = (part.removesuffix("?").split("|") + [""] * part.endswith("?") for part in notation.split())
    for words in product(*choices):
        yield [word for word in words if word]


def _token_pattern(notation: str) -> list[dict[str, Any]]:
    """Gives the token pattern of a cue with gaps."""
    pattern = [_GAPS.get(part) or {"LOWER": {"IN": part.removesuffix("?").split("|")}} for part in notation.split()]
    return [
        {**token, "OP": "?"} if part.endswith("?") else token
        for token, part in zip(pattern, notation.split(), strict=True)
    ]


def build_words(extra_names: Iterable[str]) -> tuple[Language, RivalWords]:
    """Gives a pipeline that splits words and sentences, and what is looked for in its texts.

    Args:
        extra_names: Rivals to know besides the shipped list.
    """
    language = blank_english()
    language.max_length = MAX_DOCUMENT_CHARS
    language.add_pipe("sentencizer", config={"punct_chars": [".", "!", "?", ";", "\n", "\n\n", "\r\n"]})
    names: PhraseMatcher = get_spacy().matcher.PhraseMatcher(language.vocab, attr="LOWER")
    heads = {}
    for label, head, name in _names(extra_names):
        key = f"{label} {head}"
        names.add(key, [language.make_doc(name)])
        heads[language.vocab.strings[key]] = label, head
    plain, gapped = _cue_matchers(language.vocab)
    return language, RivalWords(plain, gapped, names, heads)


def _names(extra_names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Gives label, head name and spelling of every known name; a name given by hand needs no cue."""
    table = read_list("rivals.yaml")
    extra = {name.casefold() for name in extra_names}
    rows: list[tuple[str, list[str]]] = [(KNOWN, [name]) for name in extra_names]
    rows += [(NEEDS_CUE, row) for row in table["needs_cue"]] + [(KNOWN, row) for row in table["vendors"]]
    for label, row in rows:
        yield from ((label, row[0], name) for name in row if label == KNOWN or name.casefold() not in extra)


def _cue_matchers(vocab: Vocab) -> tuple[PhraseMatcher, Matcher]:
    spacy = get_spacy()
    plain, gapped = spacy.matcher.PhraseMatcher(vocab, attr="LOWER"), spacy.matcher.Matcher(vocab)
    for group, sides in read_list("rival_cues.yaml").items():
        for side, notations in sides.items():
            key = f"{group} {side}"
            for notation in notations:
                if _GAPS.keys().isdisjoint(notation.split()):
                    plain.add(key, [spacy.tokens.Doc(vocab, words=words) for words in _spelled_out(notation)])
                else:
                    gapped.add(key, [_token_pattern(notation)])
    return plain, gapped


def mark_names(doc: Doc, words: RivalWords) -> Doc:
    """Gives the text with its known names marked as entities; of those that overlap the longest counts, then the earliest."""
    found = sorted(set(words.names(doc)), key=lambda match: (match[2] - match[1], -match[1]), reverse=True)
    marked: list[Span] = []
    taken: set[int] = set()
    for key, start, end in found:
        if start not in taken and end - 1 not in taken:
            label, head = words.heads[key]
            marked.append(span_of(doc, start, end, label=label, head=head))
            taken.update(range(start, end))
    doc.ents = marked
    return doc


def span_of(doc: Doc, start: int, end: int, *, label: str, head: str) -> Span:
    """Gives the tokens `start` to `end` as a known name."""
    span: Span = get_spacy().tokens.Span(doc, start, end, label=label, span_id=head)
    return span


def find_cues(doc: Doc, words: RivalWords) -> Iterator[Cue]:
    """Gives the cues of a text."""
    for matcher in (words.plain, words.gapped):
        for key, start, end in matcher(doc):
            group, side = doc.vocab.strings[key].split()
            yield Cue(start, end, cast("Group", group), side.endswith("after"), not side.startswith("known"))
