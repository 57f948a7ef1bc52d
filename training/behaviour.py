"""Behaviour: what a bundle must read right, what must change nothing, and what must move a value one way. `python -m training.behaviour`.

Source: Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList".
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml
from pydantic import Field

from lossnlp.assessment import Assessment
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal, Frozen
from lossnlp.errors import LossNlpError
from lossnlp.taxonomy import Taxonomy

_CLOSED_ON = "2026-11-20"
_SEED = 5

Assess = Callable[[str], Assessment]


class Capability(Frozen):
    """Plain notes that must be read right, by the reason they show."""

    floor: float = Field(gt=0, le=1)
    notes: dict[str, tuple[str, ...]]


class Change(Frozen):
    """A change of a note that must change nothing of what it says."""

    replace: dict[str, str] = Field(default_factory=dict)
    prepend: str = ""
    append: str = ""
    case: str = Field(default="", pattern="^(lower|upper|)$")
    typos: int = Field(default=0, ge=0)
    spaces: bool = False

    def apply(self, note: str) -> str:
        """Gives the changed note."""
        for old, new in self.replace.items():
            note = note.replace(old, new)
        note = " ".join(part for part in (self.prepend, note) if part)
        note += self.append if self.append.startswith(("\n", "!")) else f" {self.append}" if self.append else ""
        note = {"lower": note.lower(), "upper": note.upper(), "": note}[self.case]
        note = note.replace(" ", "  ") if self.spaces else note
        return _with_typos(note, self.typos)


class Invariance(Frozen):
    """Notes and the changes that must leave their primary reason and attribution as they are."""

    floor: float = Field(gt=0, le=1)
    notes: tuple[str, ...]
    changes: dict[str, Change]


class Step(Frozen):
    """A sentence that must move a value one way, and notes to add it to."""

    add: str
    raises: str = ""
    lowers: str = ""
    ends: str = ""
    opens: str = ""
    closes: str = ""
    notes: tuple[str, ...]

    def holds(self, before: Assessment, after: Assessment) -> bool:
        """Says whether the value moved as it must."""
        if self.raises or self.lowers:
            code = self.raises or self.lowers
            low, high = (before, after) if self.raises else (after, before)
            return _confidence(low, code) < _confidence(high, code)
        if self.ends:
            return not after.flags.external_only.value
        return after.winback.state == ("open" if self.opens else "closed")


class Direction(Frozen):
    """Steps, each with a name."""

    floor: float = Field(gt=0, le=1)
    cases: dict[str, Step]


class Behaviour(Frozen):
    """The whole list."""

    capability: Capability
    invariance: Invariance
    direction: Direction


@dataclass(frozen=True)
class Outcome:
    """How one group of checks went.

    Args:
        kind: capability, invariance or direction.
        name: What was checked.
        passed: Checks that held.
        total: Checks made.
        floor: Share of the kind's checks that has to hold, 0 to 1.
        failures: The notes that failed.
    """

    kind: str
    name: str
    passed: int
    total: int
    floor: float
    failures: tuple[str, ...]


def read_behaviour() -> Behaviour:
    """Gives the list that ships with the training code."""
    text = resources.files("training").joinpath("behaviour.yaml").read_text(encoding="utf-8")
    return Behaviour.model_validate(yaml.safe_load(text))


def is_checkable(taxonomy: Taxonomy) -> bool:
    """Says whether a bundle's labels are those that the checks are about."""
    return set(read_behaviour().capability.notes) <= set(taxonomy.codes)


def check_behaviour(classifier: LossClassifier, behaviour: Behaviour) -> list[Outcome]:
    """Gives the outcome of every group of checks.

    Args:
        classifier: The bundle.
        behaviour: What to check.
    """

    def assess(note: str) -> Assessment:
        return classifier.assess(Deal.from_request({"id": "check", "text": note, "closed_at": _CLOSED_ON}))

    return [
        *_capabilities(behaviour.capability, assess),
        *_invariances(behaviour.invariance, assess),
        *_directions(behaviour.direction, assess),
    ]


def rates(outcomes: list[Outcome]) -> Mapping[str, float]:
    """Gives the share of checks that held, by kind."""
    kinds = {outcome.kind: [one for one in outcomes if one.kind == outcome.kind] for outcome in outcomes}
    return {kind: sum(one.passed for one in ones) / sum(one.total for one in ones) for kind, ones in kinds.items()}


def _capabilities(capability: Capability, assess: Assess) -> Iterator[Outcome]:
    for code, notes in capability.notes.items():
        yield _outcome("capability", code, capability.floor, {n: assess(n).primary.code == code for n in notes})


def _invariances(invariance: Invariance, assess: Assess) -> Iterator[Outcome]:
    before = {note: _reading(assess(note)) for note in invariance.notes}
    for name, change in invariance.changes.items():
        changed = {note: change.apply(note) for note in invariance.notes}
        held = {new: _reading(assess(new)) == before[note] for note, new in changed.items() if new != note}
        yield _outcome("invariance", name, invariance.floor, held)


def _directions(direction: Direction, assess: Assess) -> Iterator[Outcome]:
    for name, step in direction.cases.items():
        held = {note: step.holds(assess(note), assess(f"{note} {step.add}")) for note in step.notes}
        yield _outcome("direction", name, direction.floor, held)


def _outcome(kind: str, name: str, floor: float, held: Mapping[str, bool]) -> Outcome:
    failures = tuple(note for note, good in held.items() if not good)
    return Outcome(kind, name, len(held) - len(failures), len(held), floor, failures)


def _reading(assessment: Assessment) -> tuple[str, bool | None]:
    return assessment.primary.code, assessment.flags.external_only.value


def _confidence(assessment: Assessment, code: str) -> float:
    """Gives the confidence of a reason, 0 where it does not apply."""
    return next((reason.confidence for reason in assessment.reasons if reason.code == code), 0.0)


def _with_typos(note: str, count: int) -> str:
    """Gives the note with neighbouring letters swapped inside some of its longer words."""
    words = note.split(" ")
    long = [place for place, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    for place in random.Random(_SEED).sample(long, min(count, len(long))):
        word = words[place]
        words[place] = word[:2] + word[3] + word[2] + word[4:]
    return " ".join(words)


def main() -> None:
    """Prints a table of pass rates; exits with 1 where a kind stays under its floor."""
    ask = argparse.ArgumentParser(prog="python -m training.behaviour", description=main.__doc__)
    ask.add_argument("--bundle", type=Path, help="bundle folder; default: the shipped one")
    ask.add_argument("--failures", action="store_true", help="show the notes that failed")
    asked = ask.parse_args()
    try:
        outcomes = check_behaviour(LossClassifier.load(asked.bundle), read_behaviour())
    except LossNlpError as error:
        sys.exit(f"training.behaviour: {error.message}")
    sys.stdout.write("| kind | what | held |\n| --- | --- | --- |\n")
    for one in outcomes:
        sys.stdout.write(f"| {one.kind} | {one.name} | {one.passed} of {one.total} |\n")
    if asked.failures:
        sys.stdout.writelines(f"{one.name}: {note!r}\n" for one in outcomes for note in one.failures)
    by_kind = rates(outcomes)
    floors = {one.kind: one.floor for one in outcomes}
    sys.stdout.writelines(f"{kind}: {rate:.3f} (at least {floors[kind]})\n" for kind, rate in by_kind.items())
    sys.exit(any(rate < floors[kind] for kind, rate in by_kind.items()))


if __name__ == "__main__":
    main()
