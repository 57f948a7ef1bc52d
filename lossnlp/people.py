"""The people of a deal: which labels of which documents are one person, whose company they belong to, who brought whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lossnlp.affiliations import read_affiliations
from lossnlp.deal import Document, Role
from lossnlp.introductions import find_introduced
from lossnlp.speaker_cues import log_odds_of, read_traits
from lossnlp.speaker_names import SpeakerName, part_of, read_name
from lossnlp.turns import SpokenTurn

Reading = tuple[Document, Sequence[SpokenTurn]]


@dataclass(slots=True)
class Voice:
    """One label in one document.

    Args:
        document: The document.
        label: The label as written.
        name: What the label tells.
        given: The role that came with most of its turns.
        speech: Log-odds that its words are a buyer's.
        position: Index of its first turn in the document.
        person: Number of the person behind it.
    """

    document: Document
    label: str
    name: SpeakerName
    given: Role | None
    speech: float
    position: int
    person: int = -1


@dataclass(slots=True)
class Person:
    """Who stands behind the labels of one name.

    Args:
        words: The words of the name; empty for a label such as `Speaker 2`, which is a person of one document.
        voices: The labels.
        parts: The roles that a label or a list of attendees gives the person, such as `Interviewer: Paulette Dean`.
        companies: What else the documents show beside the name.
        brought_by: Numbers of the people who introduced this one as theirs.
    """

    words: frozenset[str]
    voices: list[Voice] = field(default_factory=list)
    parts: set[Role] = field(default_factory=set)
    companies: set[str] = field(default_factory=set)
    brought_by: set[int] = field(default_factory=set)


def read_people(readings: Sequence[Reading]) -> list[Person]:
    """Gives the people who speak in the documents of a deal, in order of appearance."""
    people = _group(voice for document, turns in readings for voice in _read_voices(document, turns))
    _add_companies(people, readings)
    _add_introductions(people, readings)
    return people


def words_of_turn(document: Document, turn: SpokenTurn) -> str:
    """Gives what is said in a turn."""
    text = document.text if turn.turn is None else (document.turns or ())[turn.turn].text
    return (text or "")[turn.start : turn.end]


def people_by_word(people: Sequence[Person], document_id: str | None = None) -> dict[str, int]:
    """Gives the number of the person that each word names; words that two people share are left out.

    Args:
        people: All people of the deal.
        document_id: Counts only those who speak in this document; None for all.
    """
    found: dict[str, set[int]] = defaultdict(set)
    for number, person in enumerate(people):
        if document_id is None or any(voice.document.id == document_id for voice in person.voices):
            for word in person.words:
                found[word].add(number)
    return {word: min(numbers) for word, numbers in found.items() if len(numbers) == 1}


def _read_voices(document: Document, turns: Sequence[SpokenTurn]) -> Iterator[Voice]:
    """Gives the labels of a document in order of appearance."""
    spoken: dict[str, list[SpokenTurn]] = {}
    position: dict[str, int] = {}
    for number, turn in enumerate(turns):
        if turn.speaker is not None:
            spoken.setdefault(turn.speaker, []).append(turn)
            position.setdefault(turn.speaker, number)
    traits = {label: read_traits([words_of_turn(document, turn) for turn in own]) for label, own in spoken.items()}
    usual = sum(each.words for each in traits.values()) / max(1, sum(each.turns for each in traits.values()))
    opener = turns[0].speaker if turns and document.kind == "call_transcript" else None
    for label, own in spoken.items():
        given = Counter(turn.role for turn in own if turn.role).most_common(1)
        speech = log_odds_of(traits[label], usual, opens=label == opener)
        yield Voice(document, label, read_name(label), given[0][0] if given else None, speech, position[label])


def _group(voices: Iterator[Voice]) -> list[Person]:
    """Gives the people behind the labels; `Dana` is `Dana Ortiz` where only one Dana is there."""
    every = list(voices)
    with_word: dict[str, set[frozenset[str]]] = defaultdict(set)
    for voice in every:
        for word in voice.name.words if len(voice.name.words) > 1 else ():
            with_word[word].add(voice.name.words)
    people: dict[object, Person] = {}
    for voice in every:
        words = voice.name.words
        if len(words) == 1 and len(with_word[min(words)]) == 1:
            words = min(with_word[min(words)])
        person = people.setdefault(words or (voice.document.id, voice.label), Person(words))
        person.voices.append(voice)
        person.companies.update(voice.name.companies)
        person.parts.update([voice.name.part] if voice.name.part else [])
    for number, person in enumerate(people.values()):
        for voice in person.voices:
            voice.person = number
    return list(people.values())


def _add_companies(people: Sequence[Person], readings: Sequence[Reading]) -> None:
    """Adds the companies and parts that the documents show beside a person's name."""
    by_word: dict[str, list[tuple[frozenset[str], str]]] = defaultdict(list)
    for words, company in dict.fromkeys(
        found for document, turns in readings for found in read_affiliations(document, turns)
    ):
        for word in words:
            by_word[word].append((words, company))
    for person in people:
        for words, company in by_word[min(person.words)] if person.words else ():
            if person.words <= words:
                part = part_of(company)
                person.companies.update([] if part else [company])
                person.parts.update([part] if part else [])


def _add_introductions(people: Sequence[Person], readings: Sequence[Reading]) -> None:
    """Adds who introduced whom."""
    for document, turns in readings:
        speakers = {
            voice.label: number
            for number, person in enumerate(people)
            for voice in person.voices
            if voice.document is document
        }
        names = people_by_word(people, document.id)
        for turn in turns if len(speakers) > 1 else ():
            speaker = speakers.get(turn.speaker or "", -1)
            for person in find_introduced(words_of_turn(document, turn), names) if speaker >= 0 else ():
                if person != speaker:
                    people[person].brought_by.add(speaker)
