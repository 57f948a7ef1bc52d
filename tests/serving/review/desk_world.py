"""Who sits at the desk in tests, and the kinds of its fixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi.testclient import TestClient

from serving.people.access import Viewer
from serving.tables import PersonRow, VerdictRow

SignIn = Callable[[PersonRow], TestClient]
AddReview = Callable[..., int]
Judge = Callable[..., VerdictRow]


@dataclass(frozen=True)
class People:
    """One person of each role, and of `ops` two."""

    ana: PersonRow
    ben: PersonRow
    manager: PersonRow
    leader: PersonRow
    rep: PersonRow
    admin: PersonRow


def viewer_for(person: PersonRow) -> Viewer:
    return Viewer(person.id, person.name, person.role, tuple(person.teams), person.owner)  # type: ignore[arg-type]
