"""The chain of the audit log: one writer after the other hangs a row on the last, and anybody can prove it whole.

Source: decision record 24.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lossnlp.errors import LossNlpError
from serving.audit.entries import GENESIS, Entry, digest_row
from serving.store import Database, now
from serving.tables import AuditRow

_LOCK = 5_706_224  # any number that only this chain takes
_PORTION = 1000
_HEAD = re.compile(r"([0-9]{1,9}):([0-9a-f]{64})")


class BrokenChainError(LossNlpError):
    """Says which row of the audit log is not the one that was written."""

    code = "broken_chain"


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of a log; kept elsewhere, it shows whether rows were cut off or all were written anew.

    Args:
        sequence: Its number, 0 of an empty log.
        sha256: Its digest, in hex.
    """

    sequence: int = 0
    sha256: str = GENESIS

    def __str__(self) -> str:
        """Gives it as it is kept: `SEQUENCE:SHA256`."""
        return f"{self.sequence}:{self.sha256}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Gives the head that is written like this.

        Raises:
            BrokenChainError: None is.
        """
        read = _HEAD.fullmatch(text.strip())
        if read is None:
            raise BrokenChainError(
                "A head is written SEQUENCE:SHA256, as `lossnlp-serve audit head` prints it.", field="head"
            )
        return cls(int(read[1]), read[2])


def add_entry(session: Session, entry: Entry, *, at: datetime | None = None) -> AuditRow:
    """Gives the new last row. The caller commits, at once: until then every other writer of the log waits.

    Args:
        session: A unit of work with the act itself, so that either both are there or neither.
        entry: What is written down.
        at: The moment; None is this one.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    # A unit of work on SQLite has had the write lock from its start.
    last = find_head(session)
    row = AuditRow(
        sequence=last.sequence + 1,
        at=at or now(),
        who=entry.text("who"),
        act=entry.act,
        object=entry.text("object"),
        outcome=entry.outcome,
        request_id=entry.request_id,
        dropped=entry.dropped,
    )
    row.sha256 = digest_row(row, last.sha256)
    session.add(row)
    session.flush()
    return row


def write_entry(database: Database, entry: Entry) -> None:
    """Writes a row in a unit of work of its own."""
    with database.writing() as session:
        add_entry(session, entry)
        session.commit()


def find_head(session: Session) -> Head:
    """Gives the last row; of an empty log the beginning."""
    query = select(AuditRow.sequence, AuditRow.sha256).order_by(AuditRow.sequence.desc()).limit(1)
    last = session.execute(query).first()
    return Head(*last) if last else Head()


def find_entries(session: Session, *, since: datetime | None = None, act: str | None = None) -> Iterator[AuditRow]:
    """Gives rows, oldest first.

    Args:
        session: An open session.
        since: Only those from this moment on; None gives all.
        act: Only this act; None gives all.
    """
    query = select(AuditRow).order_by(AuditRow.sequence)
    if since is not None:
        query = query.where(AuditRow.at >= since)
    if act is not None:
        query = query.where(AuditRow.act == act)
    with closing(session.scalars(query.execution_options(yield_per=_PORTION))) as rows:
        yield from rows


def verify_chain(session: Session, *, first: int = 1, kept: Head | None = None) -> Head:
    """Gives the last row after every row from the first one on was found to follow from the one before.

    Args:
        session: An open session.
        first: Where to begin; the row before it is believed. Of a log whose old rows were cut off, 1 is the first row that is left, and
            a later row has to say that it was cut there.
        kept: A head of earlier; its row has to be there still, and the same.

    Raises:
        BrokenChainError: Names the first row that is missing, changed, put in or in another's place.
    """
    head = _start(session, first)
    begun_at = head.sequence + 1
    is_there = kept in (None, Head(), head)
    query = select(AuditRow).order_by(AuditRow.sequence)
    if first > 1:
        query = query.where(AuditRow.sequence >= first)
    with closing(session.scalars(query.execution_options(yield_per=_PORTION))) as rows:
        for row in rows:
            head = _follow(head, row)
            is_there = is_there or head == kept
    if kept is not None and not is_there:
        raise _not_the_kept(kept, head, first=begun_at)
    return head


def _start(session: Session, first: int) -> Head:
    if first == 1:
        return _find_cut(session) or Head()
    before = session.get(AuditRow, first - 1)
    if before is None:
        raise BrokenChainError(f"Row {first - 1} is missing.")
    return Head(before.sequence, before.sha256)


def _find_cut(session: Session) -> Head | None:
    """Gives the last row that was cut off, where a row of the log says so of the one before its first; None where nothing was."""
    oldest = session.scalar(select(func.min(AuditRow.sequence))) or 1
    said = select(AuditRow.object).where(AuditRow.act == "audit_cut", AuditRow.object.startswith(f"{oldest - 1}:"))
    told = session.scalar(said) if oldest > 1 else None
    return Head.parse(told) if told else None


def _follow(head: Head, row: AuditRow) -> Head:
    wanted = head.sequence + 1
    if row.sequence > wanted:
        raise BrokenChainError(f"Row {wanted} is missing.")
    if row.sequence < wanted or row.sha256 != digest_row(row, head.sha256):
        raise BrokenChainError(
            f"Row {row.sequence} does not follow from the one before: it was changed, put in, or stands in another's place."
        )
    return Head(row.sequence, row.sha256)


def _not_the_kept(kept: Head, head: Head, *, first: int) -> BrokenChainError:
    if kept.sequence > head.sequence:
        return BrokenChainError(f"Row {head.sequence + 1} is missing: the log ends before the head that was kept.")
    if kept.sequence < first:
        return BrokenChainError(
            f"The kept head is row {kept.sequence}, before row {first}; begin there or earlier.", field="head"
        )
    return BrokenChainError(f"Row {kept.sequence} is not the one that was kept: the log was written anew.")
