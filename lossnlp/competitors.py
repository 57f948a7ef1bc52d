"""Competitors: the vendors and products that a text names, and whether each won, was in place and stayed, or is only mentioned.

Names come from a list of known vendors, from the words beside a name ("lost to", "undercut us") and from enumeration ("X, Y and
Z were out"). What the words beside a name say decides its role. The lists stand in `rivals.yaml` and `rival_cues.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from lossnlp.assessment import RivalRole
from lossnlp.renewal import Renewed
from lossnlp.rival_cues import KNOWN, ROLES, Cue, Group, RivalWords, build_words, find_cues, mark_names
from lossnlp.rival_names import enumerated, find_name

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

_RANK: dict[Group, int] = {group: rank for rank, group in enumerate(ROLES)}
_NEGATIONS = frozenset({"not", "n't", "nt", "never", "without", "nobody", "no"})
_NEGATION_REACH = 3
_SHORT_NOTE_TOKENS = 20
_ENDLESS = re.compile(r"\S{100,}")

# Share of such mentions that were right in notes held out from development.
_KNOWN_WITH_CUE, _KNOWN_ALONE, _REVEALED, _ENUMERATED = 0.9, 0.75, 0.75, 0.7


@dataclass(frozen=True, slots=True)
class RivalMention:
    """A rival or incumbent vendor or product in a text.

    Args:
        name: As written.
        role: What became of it.
        start: First code point of the name in the text.
        end: Code point after the last one.
        confidence: How often mentions found the same way were right, 0 to 1.
    """

    name: str
    role: RivalRole
    start: int
    end: int
    confidence: float


class _Claim(NamedTuple):
    """What the words at one place say of one name."""

    span: Span
    group: Group
    confidence: float

    @property
    def rank(self) -> tuple[int, int]:
        """The strongest group first, then the earliest place."""
        return _RANK[self.group], self.span.start


class RivalFinder:
    """Finds rivals by list and by rule; the lists are read with the first text.

    Args:
        names: Rivals to know besides the shipped list; they count wherever they stand.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = tuple(names)
        self._pipeline = Renewed(self._build)

    def find(self, text: str, *, own_names: Sequence[str] = (), account: str | None = None) -> tuple[RivalMention, ...]:
        """Gives the rivals of a text.

        Args:
            text: A note, a mail or a turn of speech, as written.
            own_names: Names of the seller and its products; they are no rivals.
            account: The buyer's name; neither it nor a part of it is a rival.

        Returns:
            One mention for each rival, where the words decide its role, in the order of the text.
        """
        known_here = [name.casefold().split() for name in (*own_names, account or "")]
        language, words = self._pipeline.get()
        claims = _strongest(_claims(mark_names(language(_without_endless_runs(text)), words), words))
        mentions = (_mention(claim) for claim in claims if not _is_part(claim.span.text, known_here))
        return tuple(sorted((mention for mention in mentions if mention), key=lambda mention: mention.start))

    def prepare(self) -> None:
        """Reads the lists, so that the first text does not wait for it."""
        self._pipeline.get()

    def _build(self) -> tuple[Language, RivalWords]:
        return build_words(self._names)


def _without_endless_runs(text: str) -> str:
    """Gives the text with a plain word of the same length for each run without a blank that no rival is named in.

    spaCy's tokenizer cuts marks off such a run one by one, and copies the rest each time.
    """
    return _ENDLESS.sub(lambda run: "x" * len(run[0]), text)


def _strongest(claims: Iterable[_Claim]) -> Iterable[_Claim]:
    """Gives the strongest claim of each name."""
    best: dict[str, _Claim] = {}
    for claim in claims:
        key = claim.span.ent_id_ or claim.span.text.casefold()
        if key not in best or claim.rank < best[key].rank:
            best[key] = claim
    return best.values()


def _is_part(name: str, others: Iterable[Sequence[str]]) -> bool:
    """Says whether every word of a name stands in one of the other names."""
    return any(all(word in other for word in name.casefold().split()) for other in others)


def _mention(claim: _Claim) -> RivalMention | None:
    role, span = ROLES[claim.group], claim.span
    return RivalMention(span.text, role, span.start_char, span.end_char, claim.confidence) if role else None


def _claims(doc: Doc, words: RivalWords) -> Iterator[_Claim]:
    """Gives what every cue says of the names beside it, then the known names that have none."""
    claimed: set[int] = set()
    for cue in find_cues(doc, words):
        name = find_name(doc, cue)
        if name is None:
            continue
        group = "named" if _is_denied(doc, cue) else cue.group
        yield _Claim(name, group, _KNOWN_WITH_CUE if name.label_ else _REVEALED)
        others = [] if cue.group == "setting" else list(enumerated(name))
        for other in others:
            yield _Claim(other, group, _KNOWN_WITH_CUE if other.label_ else _ENUMERATED)
        claimed.update(span.start for span in (name, *others))
    for entity in doc.ents:
        if entity.label_ == KNOWN and entity.start not in claimed:
            yield _Claim(entity, "won" if _stands_alone(entity) else "named", _KNOWN_ALONE)


def _is_denied(doc: Doc, cue: Cue) -> bool:
    """Says whether a negation takes back what a cue says ("did not go with")."""
    if cue.group not in {"incumbent", "won"}:
        return False
    for at in range(cue.start - 1, max(cue.start - 1 - _NEGATION_REACH, -1), -1):
        if doc[at + 1].is_sent_start:
            return False
        if doc[at].lower_ in _NEGATIONS:
            return True
    return False


def _stands_alone(entity: Span) -> bool:
    """Says whether a sentence is nothing but the name, or a short note opens with it ("Klaviyo, why unclear")."""
    doc = entity.doc
    following = doc[entity.end : entity.end + 1].text
    if entity.start == 0 and len(doc) < _SHORT_NOTE_TOKENS and following in {",", "."}:
        return True
    behind = takewhile(lambda token: not token.is_sent_start, doc[entity.end :])
    return bool(entity[0].is_sent_start) and not any(token.is_alpha for token in behind)
