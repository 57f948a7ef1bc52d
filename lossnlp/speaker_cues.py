"""How much a speaker sounds like a seller or like a buyer: a sum of log-odds over cues that anyone can read in one file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import log
from typing import TYPE_CHECKING

import yaml

from lossnlp.deal import Frozen
from lossnlp.english import blank_english, get_spacy
from lossnlp.renewal import Renewed

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.matcher import PhraseMatcher

_MAX_CHARS = 60_000  # of one speaker; more adds nothing to the reading
_UNBROKEN = re.compile(r"\S{41,}")  # no word; the tokenizer takes quadratic time on long runs of marks
_SMOOTHING = 40  # words added to every speaker, so that few words weigh little


class CueGroup(Frozen):
    """Phrases that speak for one side.

    Args:
        name: What they have in common.
        weight: Log-odds towards the buyer for one phrase per hundred words; below zero for the rep.
        cues: The phrases, in any spelling of `we are` and `we're`.
    """

    name: str
    weight: float
    cues: tuple[str, ...]


class CueList(Frozen):
    """All cues with their weights.

    Args:
        base: Log-odds before anything is said.
        questions: Weight of the share of sentences that are questions.
        length: Weight of the log of a speaker's mean words per turn over that of the whole talk.
        longest: Limit of that log, either way.
        opens: Weight of speaking first in a call.
        groups: The phrases.
    """

    base: float
    questions: float
    length: float
    longest: float
    opens: float
    groups: tuple[CueGroup, ...]


@dataclass(frozen=True, slots=True)
class SpeechTraits:
    """What is counted in a speaker's words."""

    words: int
    turns: int
    sentences: int
    questions: int
    cues: Counter[str]

    @property
    def question_share(self) -> float:
        """Share of sentences that are questions, drawn towards zero where little is said."""
        return self.questions / (self.sentences + 2)


@cache
def get_cue_list() -> CueList:
    """Gives the cues that ship with lossnlp."""
    text = resources.files("lossnlp").joinpath("speaker_cues.yaml").read_text(encoding="utf-8")
    return CueList.model_validate(yaml.safe_load(text))


def read_traits(turns: Sequence[str]) -> SpeechTraits:
    """Gives the counts for one speaker's turns."""
    language, matcher = _CUE_FINDER.get()
    words = sentences = questions = chars = 0
    cues: Counter[str] = Counter()
    for turn in turns:
        spoken = language.make_doc(_UNBROKEN.sub(" ", turn[: max(0, _MAX_CHARS - chars)]))
        chars += len(turn)
        cues.update(language.vocab.strings[match] for match, _, _ in matcher(spoken))
        words += sum(token.is_alpha for token in spoken)
        ends = [token.text[0] for token in spoken if token.text[0] in ".?!…"]
        sentences += max(1, len(ends))
        questions += ends.count("?")
    return SpeechTraits(words, len(turns), sentences, questions, cues)


def log_odds_of(traits: SpeechTraits, usual: float, *, opens: bool) -> float:
    """Gives the log-odds that the speaker is a buyer rather than a rep.

    Args:
        traits: The speaker's counts.
        usual: Mean words per turn of all speakers of the same document.
        opens: Whether the speaker has the first word of a call.
    """
    cues = get_cue_list()
    said = sum(group.weight * traits.cues[group.name] for group in cues.groups) * 100 / (traits.words + _SMOOTHING)
    length = log((traits.words + 5) / traits.turns / (usual + 1))
    length = max(-cues.longest, min(cues.longest, length))
    return cues.base + said + cues.questions * traits.question_share + cues.length * length + cues.opens * opens


def _build_cue_finder() -> tuple[Language, PhraseMatcher]:
    """Gives a tokenizer and the matcher; both compare norms, so `we're` and `we are` are one."""
    language = blank_english()
    matcher = get_spacy().matcher.PhraseMatcher(language.vocab, attr="NORM")
    for group in get_cue_list().groups:
        matcher.add(group.name, [language.make_doc(cue) for cue in group.cues])
    return language, matcher


_CUE_FINDER = Renewed(_build_cue_finder)
