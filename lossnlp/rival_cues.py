"""Rival cues: the words beside a vendor's name, as token patterns, and the pipeline that finds them and the known names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from itertools import product
from typing import Any, Literal, NamedTuple, cast

import spacy
import yaml
from spacy.language import Language
from spacy.matcher import Matcher, PhraseMatcher
from spacy.pipeline import EntityRuler
from spacy.tokens import Doc
from spacy.vocab import Vocab

from lossnlp.assessment import RivalRole
from lossnlp.deal import MAX_DOCUMENT_CHARS

CueMatchers = tuple[PhraseMatcher, Matcher]
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


def build_pipeline(extra_names: Iterable[str]) -> Language:
    """Gives a pipeline that splits words and sentences and marks known names as entities.

    Args:
        extra_names: Rivals to know besides the shipped list.
    """
    nlp = spacy.blank("en")
    nlp.max_length = MAX_DOCUMENT_CHARS
    nlp.add_pipe("sentencizer", config={"punct_chars": [".", "!", "?", ";", "\n", "\n\n", "\r\n"]})
    ruler = cast("EntityRuler", nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"}))
    ruler.add_patterns([{"label": label, "pattern": name, "id": head} for label, head, name in _names(extra_names)])
    return nlp


def _names(extra_names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Gives label, head name and spelling of every known name; a name given by hand needs no cue."""
    table = read_list("rivals.yaml")
    extra = {name.casefold() for name in extra_names}
    rows: list[tuple[str, list[str]]] = [(KNOWN, [name]) for name in extra_names]
    rows += [(NEEDS_CUE, row) for row in table["needs_cue"]] + [(KNOWN, row) for row in table["vendors"]]
    for label, row in rows:
        yield from ((label, row[0], name) for name in row if label == KNOWN or name.casefold() not in extra)


def build_matchers(vocab: Vocab) -> CueMatchers:
    """Gives the matcher of the plain cues, which costs next to nothing, and that of the few with gaps."""
    plain, gapped = PhraseMatcher(vocab, attr="LOWER"), Matcher(vocab)
    for group, sides in read_list("rival_cues.yaml").items():
        for side, notations in sides.items():
            key = f"{group} {side}"
            for notation in notations:
                if _GAPS.keys().isdisjoint(notation.split()):
                    plain.add(key, [Doc(vocab, words=words) for words in _spelled_out(notation)])
                else:
                    gapped.add(key, [_token_pattern(notation)])
    return plain, gapped


def find_cues(doc: Doc, matchers: CueMatchers) -> Iterator[Cue]:
    """Gives the cues of a text; the matchers share its vocabulary."""
    for matcher in matchers:
        for key, start, end in matcher(doc):
            group, side = doc.vocab.strings[key].split()
            yield Cue(start, end, cast("Group", group), side.endswith("after"), not side.startswith("known"))
