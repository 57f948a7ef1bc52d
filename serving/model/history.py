"""The history of the model in service: what was chosen by whom, and which process served what when."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from serving.store import Database, now
from serving.tables import ModelChoiceRow, ModelServiceRow, cut_error

_MOST_CHARS = {"chosen_by": 200, "reason": 500}


@dataclass(frozen=True, slots=True)
class Choice:
    """A bundle that is put in service.

    Args:
        reference: Its name at the source.
        model_version: The version of its model.
        kind: `use`, `rollback` or `followed`.
        chosen_by: Who did it: an account of the machine, or a process.
        reason: Why, in their words.
    """

    reference: str
    model_version: str
    kind: str
    chosen_by: str
    reason: str = ""


def this_process() -> str:
    """Gives the name of this process: its machine and number."""
    return f"{socket.gethostname()}:{os.getpid()}"[:200]


def add_choice(session: Session, source: str, choice: Choice, *, at: datetime) -> ModelChoiceRow:
    """Gives the new row; the caller commits.

    Args:
        session: An open unit of work.
        source: What LOSSNLP_MODEL says.
        choice: What was chosen.
        at: The moment.
    """
    cut = {name: getattr(choice, name)[:most] for name, most in _MOST_CHARS.items()}
    row = ModelChoiceRow(
        source=source[:500],
        reference=choice.reference,
        model_version=choice.model_version,
        kind=choice.kind,
        created_at=at,
        **cut,
    )
    session.add(row)
    session.flush()
    return row


def find_choices(session: Session, source: str) -> list[ModelChoiceRow]:
    """Gives what was chosen of a source, oldest first."""
    return list(session.scalars(select(ModelChoiceRow).filter_by(source=source[:500]).order_by(ModelChoiceRow.id)))


def find_before(choices: Iterable[ModelChoiceRow], reference: str) -> ModelChoiceRow | None:
    """Gives the choice that a rollback goes to, None where nothing served before.

    A rollback is itself a choice, and what it left is not gone back to: of A, B, C and a rollback to B, the next one goes to A.

    Args:
        choices: Oldest first.
        reference: What the source names now.
    """
    stack: list[ModelChoiceRow] = []
    for row in choices:
        known = [place for place, other in enumerate(stack) if other.reference == row.reference]
        if row.kind == "rollback" and known:
            del stack[known[-1] + 1 :]
        elif not stack or stack[-1].reference != row.reference:
            stack.append(row)
    if stack and stack[-1].reference == reference:
        stack.pop()
    return stack[-1] if stack else None


def find_services(session: Session, *, most: int) -> list[ModelServiceRow]:
    """Gives which process served or refused which model when, newest first, `most` at most."""
    query = select(ModelServiceRow).order_by(ModelServiceRow.began_at.desc(), ModelServiceRow.id.desc())
    return list(session.scalars(query.limit(most)))


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """Writes down what one process serves.

    Args:
        database: Where it stands.
        source: What LOSSNLP_MODEL says.
        role: `web` or `worker`.
        process: Name of the process.
    """

    database: Database
    source: str
    role: str
    process: str = field(default_factory=this_process)

    def begin(self, reference: str, model_version: str) -> None:
        """Notes that the process serves this model from now on, and no other any more."""
        at = now()
        with self.database.writing() as session:
            self._end(session, at)
            session.add(self._row(reference, at, model_version=model_version))
            choices = find_choices(session, self.source)
            if not choices or choices[-1].reference != reference:
                followed = Choice(reference, model_version, "followed", self.process)
                add_choice(session, self.source, followed, at=at)
            session.commit()

    def refuse(self, reference: str, cause: str) -> None:
        """Notes that the process did not take a bundle."""
        at = now()
        with self.database.writing() as session:
            row = self._row(reference, at)
            row.refused, row.ended_at = cut_error(cause), at
            session.add(row)
            session.commit()

    def end(self) -> None:
        """Notes that the process serves no model any more."""
        with self.database.writing() as session:
            self._end(session, now())
            session.commit()

    def _end(self, session: Session, at: datetime) -> None:
        own = update(ModelServiceRow).where(ModelServiceRow.process == self.process, ModelServiceRow.role == self.role)
        session.execute(own.where(ModelServiceRow.ended_at.is_(None)).values(ended_at=at))

    def _row(self, reference: str, at: datetime, *, model_version: str | None = None) -> ModelServiceRow:
        return ModelServiceRow(
            process=self.process,
            role=self.role,
            reference=reference[:500],
            model_version=model_version,
            began_at=at,
        )
