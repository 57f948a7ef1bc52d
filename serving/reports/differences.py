"""Where two sides tell a loss differently: the rep's note and the buyer's words, the CRM's stated reason and what its texts say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from serving.reports.dimensions import DIMENSIONS
from serving.reports.scope import Scope
from serving.tables import LossRow

_MOST_STATED = 200


@dataclass(frozen=True, slots=True)
class Told:
    """Deals that two sides speak of, and of those the ones where they differ."""

    deals: int
    differ: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in the deals of one primary reason.

    Args:
        note: Deals with a rep's note and a buyer's words; they differ where the note's primary is none of the buyer's reasons.
        stated: Deals with a stated reason in the CRM; they differ where it is none of the reasons that hold.
    """

    note: Told
    stated: Told


@dataclass(frozen=True, slots=True)
class Stated:
    """What a stated reason of the CRM turns out to be.

    Args:
        told: Deals with this stated reason that can be compared, and those that differ.
        read: Primary reasons of those that differ, the most frequent first.
    """

    told: Told
    read: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExternalOnly:
    """How the notes of a team hold others responsible.

    Args:
        notes: Deals with a note that can be read for it.
        external_only: Of those, how many name nothing on our side.
        reps: How many owners the deals have, 0 where the CRM gives none; a figure about one alone is theirs, not the team's.
    """

    notes: int
    external_only: int
    reps: int


def read_differences(session: Session, scope: Scope) -> dict[str, Difference]:
    """Gives what differs by primary reason."""
    note, stated = LossRow.rep_buyer_conflict, LossRow.stated_reason_conflict
    counts = (func.count(note), _count(note.is_(True)), func.count(stated), _count(stated.is_(True)))
    query = select(LossRow.primary_reason, *counts).where(*scope.where).group_by(LossRow.primary_reason)
    return {
        code: Difference(Told(notes, notes_differ), Told(known, known_differ))
        for code, notes, notes_differ, known, known_differ in session.execute(query)
    }


def read_stated(session: Session, scope: Scope) -> dict[str, Stated]:
    """Gives what each stated reason turns out to be, the most frequent first."""
    conflict = LossRow.stated_reason_conflict
    query = select(LossRow.stated_reason, LossRow.primary_reason, func.count(conflict), _count(conflict.is_(True)))
    query = query.where(*scope.where, LossRow.stated_reason.is_not(None), conflict.is_not(None))
    told: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for stated, code, deals, differ in session.execute(query.group_by(LossRow.stated_reason, LossRow.primary_reason)):
        told[str(stated)].append((code, deals, differ))
    found = {stated: _stated(rows) for stated, rows in told.items()}
    by_size = sorted(found.items(), key=lambda item: (-item[1].told.deals, item[0]))
    return dict(by_size[:_MOST_STATED])


def _stated(rows: list[tuple[str, int, int]]) -> Stated:
    told = Told(sum(deals for _, deals, _ in rows), sum(differ for _, _, differ in rows))
    other = sorted(((code, differ) for code, _, differ in rows if differ), key=lambda item: (-item[1], item[0]))
    return Stated(told, dict(other))


def read_external_only(session: Session, scope: Scope) -> dict[str, ExternalOnly]:
    """Gives by team how its notes hold others responsible; by rep this is never told."""
    flag = LossRow.external_only
    owner = case((flag.is_not(None), LossRow.owner))
    counts = (func.count(flag), _count(flag.is_(True)), func.count(owner.distinct()))
    team = DIMENSIONS["team"].column().label("axis_0")
    query = select(team, *counts).where(*scope.where).group_by("axis_0").order_by("axis_0")
    return {team: ExternalOnly(*found) for team, *found in session.execute(query) if found[0]}


def count_reps(session: Session, scope: Scope) -> int:
    """Gives how many owners the deals of a scope have, 0 where the CRM gives none."""
    return session.scalar(select(func.count(LossRow.owner.distinct())).where(*scope.where)) or 0


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))
