"""Rivals of a deal: names the network tags and names the rules find, joined and told apart by role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lossnlp.assessment import Competitor, Evidence, RivalRole, Speaker
from lossnlp.competitors import RivalFinder
from lossnlp.deal import Deal
from lossnlp.encoder import TokenTags
from lossnlp.quotes import quote_of, stretches
from lossnlp.segments import Segment
from lossnlp.speaker_names import is_same_company, read_name, words_of_name

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
# The network's tags in their order. A deal has one outcome: where one place says that a rival won, others that merely name it
# take nothing away.
_TELLING: tuple[RivalRole, ...] = ("won", "incumbent", "mentioned")
_TELLING_CONFIDENCE = 0.5


@dataclass(frozen=True)
class _Sighting:
    """A stretch that network or rules hold for a rival's name, with the role it has there."""

    quote: Evidence
    role: RivalRole
    confidence: float


@dataclass(frozen=True)
class _Known:
    """Names that are no rivals: the buyer, the seller, and the people who speak."""

    companies: tuple[str, ...]
    people: frozenset[str]

    @classmethod
    def of(cls, deal: Deal, speakers: Sequence[Speaker]) -> _Known:
        names = [read_name(who.speaker) for who in speakers]
        companies = [company for name in names for company in name.companies]
        people = frozenset(word for name in names for word in name.words)
        return cls((*([deal.account] if deal.account else []), *companies), people)

    def holds(self, name: str) -> bool:
        words = words_of_name(name)
        return (bool(words) and words <= self.people) or any(
            is_same_company(name, company) for company in self.companies
        )


def find_rivals(
    deal: Deal,
    segments: Sequence[Segment],
    tokens: TokenTags,
    *,
    speakers: Sequence[Speaker],
    finder: RivalFinder,
    cut: float,
) -> tuple[Competitor, ...]:
    """Gives each rival once, at its most telling place.

    Args:
        deal: For the buyer's own name.
        segments: The deal's segments.
        tokens: The network's tags.
        speakers: Who speaks, and for which company.
        finder: The rules.
        cut: Probability from which a name counts, 0 to 1.
    """
    tagged = _by_name(_from_network(segments, tokens, floor=cut / 2))
    ruled = _by_name(_from_rules(deal, segments, finder))
    known = _Known.of(deal, speakers)
    found = []
    for name in dict.fromkeys((*tagged, *ruled)):
        seen = (tagged.get(name, []), ruled.get(name, []))
        doubts = [1 - max((sighting.confidence for sighting in one), default=0.0) for one in seen]
        confidence = 1 - doubts[0] * doubts[1]
        if confidence >= cut and name not in _NEVER and not known.holds(name):
            found.append(_competitor(_most_telling([*seen[0], *seen[1]]), confidence))
    return tuple(found)


def _by_name(sightings: Iterator[_Sighting]) -> dict[str, list[_Sighting]]:
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


def _from_network(segments: Sequence[Segment], tokens: TokenTags, *, floor: float) -> Iterator[_Sighting]:
    named = 1 - tokens.rivals[:, 0]
    for first, last in stretches(named, tokens, floor=floor):
        segment = segments[int(tokens.segments[first])]
        quote = quote_of(segment, int(tokens.spans[first, 0]), int(tokens.spans[last, 1]))
        if quote is not None and quote.role != "other":
            roles = tokens.rivals[first : last + 1, 1:].mean(axis=0)
            role = _TELLING[int(roles.argmax())]
            yield _Sighting(_without_possessive(quote), role, float(named[first : last + 1].mean()))


def _from_rules(deal: Deal, segments: Sequence[Segment], finder: RivalFinder) -> Iterator[_Sighting]:
    for segment in segments:
        for mention in finder.find(segment.text, account=deal.account):
            quote = quote_of(segment, mention.start, mention.end)
            if quote is not None:
                yield _Sighting(_without_possessive(quote), mention.role, _RULE_WEIGHT * mention.confidence)


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
