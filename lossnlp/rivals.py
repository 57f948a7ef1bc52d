"""Rivals of a deal: names the network tags and names the rules find, joined and told apart by role."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from lossnlp.assessment import Competitor, Evidence, RivalRole, Speaker
from lossnlp.competitors import RivalFinder
from lossnlp.deal import Deal
from lossnlp.encoder import TokenTags
from lossnlp.quotes import quote_of, stretches
from lossnlp.segments import ReadDeal, Segment
from lossnlp.speaker_names import read_name

# In-house tools and bare categories are no rivals, whatever the network says of them.
_NEVER = frozenset(
    {
        "competitor",
        "competitors",
        "incumbent",
        "in-house",
        "inhouse",
        "excel",
        "spreadsheet",
        "spreadsheets",
        "vendor",
        "rival",
    }
)
_RULE_WEIGHT = 0.5
_TAG_FLOOR = 0.2
_WORD = re.compile(r"\w+")
# Lower-case words that lead to a name and are none: "to Gong", "with the Sage people".
_LEADING = re.compile(r"(?:(?:to|with|from|by|at|on|via|vs|and|over|for|the|a|an|their|his|her) +)*")
# The network's tags in their order. A deal has one outcome: where one place says that a rival won, others that merely name it
# take nothing away.
_TELLING: tuple[RivalRole, ...] = ("won", "incumbent", "mentioned")
_TELLING_CONFIDENCE = 0.5
# What the rep names again and again in a call is what the rep sells; both chosen on deals that the network had not learned from.
_OWN_MENTIONS, _OWN_SHARE = 3, 0.3


@dataclass(frozen=True)
class _Sighting:
    """A stretch that network or rules hold for a rival's name, with the role it has there."""

    quote: Evidence
    role: RivalRole
    confidence: float


@dataclass(frozen=True)
class _Mentions:
    """All places of a deal where a name stands.

    Args:
        named: Mean probability that it is a rival's name there, 0 to 1; None where the network read none of them.
        spoken: Places in calls, interviews and mails.
        by_rep: Those of them where a rep speaks.
    """

    named: float | None
    spoken: int
    by_rep: int

    @property
    def is_own(self) -> bool:
        """Says whether the name is likely the seller's own."""
        return self.by_rep >= _OWN_MENTIONS and self.by_rep >= _OWN_SHARE * self.spoken


class RivalRules:
    """What an installation knows of rivals: their names, and which names are its own.

    Args:
        configured: Names of rivals beside those that lossnlp knows; they count wherever they stand.
        own_names: Names of the seller and its products.
    """

    def __init__(self, configured: Sequence[str] = (), own_names: Sequence[str] = ()) -> None:
        self.own_names = tuple(own_names)
        self._configured = frozenset(name.casefold() for name in configured)
        self._finder = RivalFinder(configured)

    def prepare(self) -> None:
        """Reads the lists of rivals, so that the first deal does not wait for it."""
        self._finder.prepare()

    def is_configured(self, name: str) -> bool:
        """Says whether an installation named this rival itself."""
        return name in self._configured

    def sightings(self, segments: Sequence[Segment]) -> Iterator[_Sighting]:
        """Gives what the rules find in the segments."""
        for segment in segments:
            for mention in self._finder.find(segment.text):
                weight = 1.0 if mention.name.casefold() in self._configured else _RULE_WEIGHT
                quote = quote_of(segment, mention.start, mention.end)
                if quote is not None:
                    yield _Sighting(_without_possessive(quote), mention.role, weight * mention.confidence)


@dataclass(frozen=True)
class _Known:
    """Names that are no rivals: the buyer, the seller, and the people who speak."""

    companies: tuple[frozenset[str], ...]
    people: frozenset[str]

    @classmethod
    def of(cls, deal: Deal, speakers: Sequence[Speaker], own_names: Sequence[str]) -> _Known:
        labels = [read_name(who.speaker) for who in speakers]
        names = (deal.account or "", *own_names, *(company for label in labels for company in label.companies))
        people = frozenset(word for label in labels for word in label.words)
        return cls(tuple(_words(name) for name in names), people)

    def holds(self, name: str) -> bool:
        words = _words(name)
        return words <= self.people or any(words <= company for company in self.companies)


def _words(name: str) -> frozenset[str]:
    return frozenset(_WORD.findall(name.casefold()))


def find_rivals(
    deal: Deal, read: ReadDeal, tokens: TokenTags, *, rules: RivalRules, cut: float
) -> tuple[Competitor, ...]:
    """Gives each rival once, at its most telling place.

    Args:
        deal: For the buyer's own name.
        read: The deal's segments and speakers.
        tokens: The network's tags.
        rules: The rules and the names that an installation has set.
        cut: Probability from which a name counts, 0 to 1.
    """
    ruled = list(rules.sightings(read.segments))
    tagged = [_as_ruled(sighting, ruled) for sighting in _from_network(read.segments, tokens)]
    by_network, by_rules = _by_name(tagged), _by_name(ruled)
    known = _Known.of(deal, read.speakers, rules.own_names)
    found = []
    for name in dict.fromkeys((*by_network, *by_rules)):
        if name in _NEVER or known.holds(name):
            continue
        tags, ruling = by_network.get(name, []), by_rules.get(name, [])
        mentions = _find_mentions(name, read.segments, tokens)
        confidence = 1 - (1 - _tagged_confidence(tags, mentions)) * (1 - _surest(ruling))
        if confidence >= cut and not (mentions.is_own and not rules.is_configured(name)):
            found.append(_competitor(_most_telling([*tags, *ruling]), confidence))
    return tuple(found)


def _surest(sightings: Sequence[_Sighting]) -> float:
    return max((sighting.confidence for sighting in sightings), default=0.0)


def _tagged_confidence(tags: Sequence[_Sighting], mentions: _Mentions) -> float:
    """Gives the network's confidence in a name: that of its surest place, tempered by all the others where the name stands."""
    surest = _surest(tags)
    return surest if mentions.named is None else float(np.sqrt(surest * mentions.named))


def _find_mentions(name: str, segments: Sequence[Segment], tokens: TokenTags) -> _Mentions:
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    named = 1 - tokens.rivals[:, 0]
    shares: list[float] = []
    spoken = by_rep = 0
    for index, segment in enumerate(segments):
        for match in pattern.finditer(segment.text):
            low, high = np.searchsorted(tokens.segments, [index, index + 1])
            spans = tokens.spans[low:high]
            hit = (spans[:, 0] < match.end()) & (spans[:, 1] > match.start())
            shares += [float(named[low:high][hit].mean())] if hit.any() else []
            spoken += segment.kind != "rep_note"
            by_rep += segment.kind != "rep_note" and segment.role == "rep"
    return _Mentions(fmean(shares) if shares else None, spoken, by_rep)


def _as_ruled(tagged: _Sighting, ruled: Sequence[_Sighting]) -> _Sighting:
    """Gives a tagged sighting with the bounds of the rule that found the same name: rules know where a name ends."""
    quote = tagged.quote
    for other in (sighting.quote for sighting in ruled):
        is_same_text = (other.document_id, other.turn) == (quote.document_id, quote.turn)
        if is_same_text and other.start < quote.end and quote.start < other.end:
            return _Sighting(other, tagged.role, tagged.confidence)
    return tagged


def _by_name(sightings: Sequence[_Sighting]) -> dict[str, list[_Sighting]]:
    named: dict[str, list[_Sighting]] = {}
    for sighting in sightings:
        named.setdefault(sighting.quote.text.casefold(), []).append(sighting)
    return named


def _most_telling(sightings: Sequence[_Sighting]) -> _Sighting:
    """Gives the surest sighting of the most telling role that is sure enough, else the surest of all."""
    ranked = sorted(sightings, key=lambda sighting: -sighting.confidence)
    for role in _TELLING:
        for sighting in ranked:
            if sighting.role == role and sighting.confidence >= _TELLING_CONFIDENCE:
                return sighting
    return ranked[0]


def _from_network(segments: Sequence[Segment], tokens: TokenTags) -> Iterator[_Sighting]:
    named = 1 - tokens.rivals[:, 0]
    for first, last in stretches(named, tokens, floor=_TAG_FLOOR):
        segment = segments[int(tokens.segments[first])]
        start, end = int(tokens.spans[first, 0]), int(tokens.spans[last, 1])
        quote = quote_of(segment, start + len(_LEADING.match(segment.text[start:end])[0]), end)  # type: ignore[index]  # it matches the empty string too
        if quote is not None and quote.role != "other":
            roles = tokens.rivals[first : last + 1, 1:].mean(axis=0)
            role = _TELLING[int(roles.argmax())]
            yield _Sighting(_without_possessive(quote), role, float(named[first : last + 1].mean()))


def _without_possessive(quote: Evidence) -> Evidence:
    for ending in ("'s", "\u2019s"):
        if quote.text.endswith(ending):
            return quote.model_copy(update={"text": quote.text[:-2], "end": quote.end - 2})
    return quote


def _competitor(sighting: _Sighting, confidence: float) -> Competitor:
    quote = sighting.quote
    return Competitor(
        document_id=quote.document_id,
        start=quote.start,
        end=quote.end,
        text=quote.text,
        turn=quote.turn,
        name=quote.text,
        role=sighting.role,
        confidence=round(min(1.0, confidence), 6),
    )
