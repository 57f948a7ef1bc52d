"""Acts of who runs a command: the audit log names the account of the machine, whatever name they give themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy.orm import Session

from serving.audit.chain import add_entry, write_entry
from serving.audit.entries import Act, Entry
from serving.store import Database
from serving.terminal import account_name


def record_in(session: Session, act: Act, target: str) -> None:
    """Writes an act down in its own unit of work. The caller commits, at once."""
    add_entry(session, Entry(_who(), act, target))


@contextmanager
def recorded(database: Database, act: Act, target: str) -> Iterator[None]:
    """Writes down that an act of several units of work has begun, and afterwards whether it was done or failed."""
    entry = Entry(_who(), act, target, "begun")
    write_entry(database, entry)
    try:
        yield
    except BaseException:
        write_entry(database, replace(entry, outcome="failed"))
        raise
    write_entry(database, replace(entry, outcome="done"))


def _who() -> str:
    return f"account {account_name()}"
