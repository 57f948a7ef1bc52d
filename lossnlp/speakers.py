"""Who is the buyer, who is the rep and who is neither: from names, companies and mail domains, else from what they say."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lossnlp.assessment import Speaker
from lossnlp.deal import Deal, Document, Role
from lossnlp.introductions import find_colleagues
from lossnlp.people import Person, Voice, people_by_word, read_people
from lossnlp.sides import chance_of, settle
from lossnlp.speaker_names import company_key, is_same_company, words_of_name
from lossnlp.turns import SpokenTurn

# Log-odds that one finding adds: towards the buyer, or towards the rep where the code takes them away.
_GIVEN = 8.0
_PART = 5.0
_OWNER = 6.0
_ACCOUNT = 5.0
_COLLEAGUE = 4.0
_OTHER_COMPANY = 1.0
_NOT_OWNER = 1.0
_IN_NOTE = 1.0
_INTERVIEWED = 3.0
_MAX_SPEECH = 3.5
_KNOWN_REP = -2.0  # below this an interviewer is one of the selling team and no third party
_MOST = 0.99
_ONE_SIDED = {"call_transcript": 0.05, "email_thread": 0.3}  # how likely a talk of one side is, against every mixed one
_MIN_NAME = 3
_ACCOUNT_PARTY = "account"
_CAPITALISED = re.compile(r"\b[^\W\d_a-z][\w'\u2019-]+")


def read_speakers(deal: Deal, readings: Sequence[tuple[Document, Sequence[SpokenTurn]]]) -> tuple[Speaker, ...]:
    """Gives every speaker label of every document with the role read for it.

    A given role is taken over. Else the names of owner and account, companies in labels and attendee lists, mail domains and
    parts such as `Interviewer` decide; where they are silent, what the person says in the whole deal. People of one company,
    and people who introduce one another as colleagues, share a role, and a talk of several parties has two sides.

    Args:
        deal: The deal, for its owner, its account and its rep notes.
        readings: Documents with their turns, as `read_turns` gives them.

    Returns:
        One speaker for each label of each document, in order of appearance, with the probability of the role.
    """
    people = read_people(readings)
    interviewers = _find_interviewers(people)
    facts = _Facts(deal, people)
    parties = _parties_of(people, facts)
    odds: dict[str, float] = defaultdict(float)
    talks: dict[str, set[str]] = defaultdict(set)
    for party, person in zip(parties, people, strict=True):
        odds[party] += facts.odds_of(person, interviewers)
        for voice in person.voices:
            if voice.document.kind in _ONE_SIDED and "other" not in {voice.given, *person.parts}:
                talks[voice.document.id].add(party)
    kinds = {document.id: document.kind for document, _ in readings}
    settled = settle(odds, [(frozenset(talk), _ONE_SIDED[kinds[key]]) for key, talk in talks.items()])
    order = {document.id: number for number, (document, _) in enumerate(readings)}
    voices = sorted(_voices_of(people), key=lambda voice: (order[voice.document.id], voice.position))
    return tuple(_speaker_of(voice, settled[parties[voice.person]], interviewers) for voice in voices)


def with_roles(document_id: str, turns: Sequence[SpokenTurn], speakers: Sequence[Speaker]) -> tuple[SpokenTurn, ...]:
    """Gives the turns of a document with the roles read for their speakers; given roles and unnamed turns stay as they are."""
    roles = {speaker.speaker: speaker.role for speaker in speakers if speaker.document_id == document_id}
    return tuple(
        turn if turn.role or turn.speaker is None else replace(turn, role=roles.get(turn.speaker)) for turn in turns
    )


class _Facts:
    """What the deal itself tells: its owner, its account, and whom the rep's notes name."""

    def __init__(self, deal: Deal, people: Sequence[Person]) -> None:
        self._account = deal.account
        self._owner = words_of_name(deal.owner or "")
        notes = [document.text or "" for document in deal.documents if document.kind == "rep_note"]
        self._noted = {word.casefold() for note in notes for word in _CAPITALISED.findall(note)}
        names = people_by_word(people)
        self._colleagues = {number for note in notes for number in find_colleagues(note, names)}
        self._has_owner = any(self._is_owner(person) for person in people)

    def party_of(self, number: int, person: Person) -> str:
        """Gives the party that the person speaks for: the company, or the person alone."""
        if any(map(self._is_account, person.companies)):
            return _ACCOUNT_PARTY
        keys = sorted(filter(None, map(company_key, person.companies)))
        return f"company {keys[0]}" if keys else f"person {number}"

    def odds_of(self, person: Person, interviewers: Mapping[int, float]) -> float:
        """Gives the log-odds that the person is a buyer, from all that is known but the talk of others."""
        voices = [voice for voice in person.voices if id(voice) not in interviewers]
        odds = max(-_MAX_SPEECH, min(_MAX_SPEECH, sum(voice.speech for voice in voices)))
        for role, sign in (("buyer", 1), ("rep", -1)):
            odds += sign * _GIVEN * any(voice.given == role for voice in voices)
            odds += sign * _PART * (role in person.parts)
        odds += _INTERVIEWED * any(voice.document.kind == "buyer_interview" for voice in voices)
        return odds + self._odds_of_name(person)

    def _odds_of_name(self, person: Person) -> float:
        if self._is_owner(person):
            return -_OWNER
        if person.voices[0].person in self._colleagues:
            return -_COLLEAGUE
        is_noted = any(word in self._noted for word in person.words if len(word) >= _MIN_NAME)
        odds = _NOT_OWNER * (self._has_owner and bool(person.words)) + _IN_NOTE * is_noted
        if self._account and person.companies:
            odds += _ACCOUNT if any(map(self._is_account, person.companies)) else -_OTHER_COMPANY
        return odds

    def _is_owner(self, person: Person) -> bool:
        shared = person.words & self._owner
        return bool(shared) and (shared == person.words or len(shared) > 1)

    def _is_account(self, company: str) -> bool:
        return self._account is not None and is_same_company(company, self._account)


def _parties_of(people: Sequence[Person], facts: _Facts) -> list[str]:
    """Gives each person's party; who was introduced as a colleague sits with the host, unless the two are known to differ."""
    parties = [facts.party_of(number, person) for number, person in enumerate(people)]
    joined: dict[str, str] = {}
    for number, person in enumerate(people):
        guest = _root(joined, parties[number])
        host = _root(joined, parties[min(person.brought_by)]) if person.brought_by else guest
        if guest not in {host, _ACCOUNT_PARTY} and not (host == _ACCOUNT_PARTY and person.companies):
            joined[guest] = host
    return [_root(joined, party) for party in parties]


def _root(joined: dict[str, str], party: str) -> str:
    """Gives the party that a party was joined to in the end, and shortens the way there."""
    trail = []
    while party in joined:
        trail.append(party)
        party = joined[party]
    joined.update(dict.fromkeys(trail, party))
    return party


def _find_interviewers(people: Sequence[Person]) -> dict[int, float]:
    """Gives the log-odds of being the interviewer, by identity of the voice, for those who ask in a buyer interview."""
    talks: dict[str, list[Voice]] = defaultdict(list)
    for voice in _voices_of(people):
        if voice.document.kind == "buyer_interview":
            talks[voice.document.id].append(voice)
    found = {id(voice): _PART for person in people for voice in person.voices if "other" in person.parts}
    for talk in talks.values():
        unnamed = sorted((voice for voice in talk if not people[voice.person].parts), key=lambda voice: voice.speech)
        if len(unnamed) > 1 and not any(id(voice) in found for voice in talk):
            found[id(unnamed[0])] = unnamed[1].speech - unnamed[0].speech
    return found


def _voices_of(people: Sequence[Person]) -> Iterator[Voice]:
    for person in people:
        yield from person.voices


def _speaker_of(voice: Voice, odds: float, interviewers: Mapping[int, float]) -> Speaker:
    """Gives the role read for a voice."""
    role: Role = "buyer" if odds > 0 else "rep"
    sure = min(_MOST, chance_of(abs(odds)))
    if voice.given:
        role, sure = voice.given, 1.0
    elif interviewers.get(id(voice)) == _PART or (id(voice) in interviewers and odds > _KNOWN_REP):
        role, sure = "other", min(_MOST, chance_of(interviewers[id(voice)]))
    return Speaker(document_id=voice.document.id, speaker=voice.label, role=role, confidence=sure)
