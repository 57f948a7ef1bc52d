"""The way of codes through the changes of the list that hold: carried over where that is certain, left where a person has to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile

from sqlalchemy.orm import Session

from lossnlp.taxonomy_change import Walk
from serving.tables import TaxonomyChangeRow
from serving.taxonomy_change.changes import find_changes


@dataclass(frozen=True, slots=True)
class AppliedStep:
    """A change on the way from one list to the next; `walk` is that of `lossnlp.taxonomy_change`."""

    change_id: str
    from_version: str
    to_version: str
    walk: Walk


@dataclass(frozen=True, slots=True)
class Move:
    """What one change makes of the codes of a deal: before, after, and those that stay because they are open."""

    change_id: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """Codes as they read in a newer list.

    Args:
        codes: In their order, each once; an open one as it was.
        way: What each of the codes at the beginning has become.
        open: For each open code those that it may be in the newer list; none where it has no heir.
        open_version: The list that the first open code is of; None where all is certain.
        moves: What each change made of them, oldest first; changes that leave all as it is are left out.
    """

    codes: tuple[str, ...]
    way: Mapping[str, str]
    open: Mapping[str, tuple[str, ...]]
    open_version: str | None
    moves: tuple[Move, ...]


def find_steps(session: Session, version: str, *, until: str | None = None) -> tuple[AppliedStep, ...]:
    """Gives the changes that hold after a version of the list, oldest first.

    Args:
        session: An open session.
        version: The list to begin from.
        until: The list to end with; where no changes lead to it, there are none. Without it, the newest.
    """
    every = [_step_of(row) for row in find_changes(session, only_holding=True)]
    steps = list(dropwhile(lambda step: step.from_version != version, every))
    if until is None:
        return tuple(steps)
    before = list(takewhile(lambda step: step.to_version != until, steps))
    return tuple(steps[: len(before) + 1]) if len(before) < len(steps) and version != until else ()


def find_kin(session: Session, code: str) -> set[str]:
    """Gives a code, those that it has become by the changes that hold, and those that have certainly become it.

    A code that a change keeps for one of its heirs is not followed to the others: in the newer list it means that one alone.
    """
    every = [_step_of(row) for row in find_changes(session, only_holding=True)]
    later, earlier = {code}, {code}
    for step in every:
        later |= {heir for one in later for heir in _heirs(step, one)}
    for step in reversed(every):
        earlier |= {old for old, heirs in step.walk.items() if len(heirs) == 1 and heirs[0] in earlier}
    return later | earlier


def _heirs(step: AppliedStep, code: str) -> tuple[str, ...]:
    heirs = step.walk.get(code, ())
    return () if code in heirs else heirs


def _step_of(row: TaxonomyChangeRow) -> AppliedStep:
    """Gives the step of a change as it is kept."""
    walk = {code: tuple(heirs) for code, heirs in row.walk.items()}
    return AppliedStep(row.id, row.from_version, row.to_version, walk)


def carry(codes: Iterable[str], steps: Sequence[AppliedStep]) -> Carried:
    """Gives codes as they read after some changes: a code that is open once stays as it is from then on.

    Args:
        codes: Of a deal, primary first.
        steps: The changes, oldest first.
    """
    way = {code: code for code in codes}
    stays: dict[str, tuple[str, ...]] = {}  # by the code at the beginning
    moves: list[Move] = []
    open_version = None
    for step in steps:
        before = tuple(dict.fromkeys(way.values()))
        heirs = {first: step.walk.get(code, (code,)) for first, code in way.items() if first not in stays}
        way |= {first: found[0] for first, found in heirs.items() if len(found) == 1}
        new = {first: found for first, found in heirs.items() if len(found) != 1}
        stays |= new
        opened = tuple(dict.fromkeys(way[first] for first in new))
        open_version = open_version or (step.from_version if opened else None)
        after = tuple(dict.fromkeys(way.values()))
        if opened or after != before:
            moves.append(Move(step.change_id, before, after, opened))
    is_open = {way[first]: heirs for first, heirs in stays.items()}
    return Carried(tuple(dict.fromkeys(way.values())), way, is_open, open_version, tuple(moves))
