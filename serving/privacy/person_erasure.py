"""Erases one person: covers their name wherever it is kept, closes their account, and looks for them afterwards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, RowMapping, delete, update
from sqlalchemy import Table as SqlTable
from sqlalchemy.orm import Session

from serving import outbox
from serving.audit.by_command import record_in
from serving.privacy.deal_erasure import count_columns
from serving.privacy.kinds import drop_write_backs
from serving.privacy.person_name import PersonName
from serving.privacy.person_search import Place, Traces, find_traces, get_traces
from serving.privacy.proof import ErasureError, Proof, clear_traces, keyed_digest
from serving.privacy.words import covered, text_columns
from serving.review.seal import Seal
from serving.store import Database, now
from serving.tables import (
    AttemptRow,
    AuditRow,
    LossRivalRow,
    PersonRow,
    SavedFilterRow,
    SealedTextRow,
    SessionRow,
    WriteBackRow,
)

_GONE = "erased"
_WRITTEN = (WriteBackRow.__table__, AttemptRow.__table__)
_APART = (*_WRITTEN, AuditRow.__table__, PersonRow.__table__, SavedFilterRow.__table__, LossRivalRow.__table__)


def erase_person(database: Database, var_dir: Path, named: list[str], *, seal: Seal | None, apply: bool) -> Proof:
    """Gives what was erased, or without `apply` what would be.

    Args:
        database: Where the person is named.
        var_dir: Where the key of digests lies.
        named: Their name, mail address, or both; the first is what the digest is of.
        seal: Opens encrypted texts; None where no key is at hand.
        apply: Whether to do it.

    Raises:
        UnknownIdError: Nothing here names them.
        ErasureError: A value that names them waits to be sent to the CRM.
    """
    about = f"person {keyed_digest(var_dir, named[0])}"
    with database.writing() as session:
        traces = get_traces(session, named, seal)
        deleted, changed = _counts(traces)
        if not apply:
            return Proof(about, now(), is_done=False, deleted=deleted, changed=changed, unsearched=traces.unsearched)
        _require_settled(traces)
        _erase(session, traces)
        record_in(session, "erase", about)
        session.commit()
    beyond = clear_traces(database, [*deleted, *changed])
    with database.reading() as session:
        again = find_traces(session, [*traces.name.named], seal, within=traces.deals)
    left = Counter(table.name for table, _ in again.places) + Counter({"sealed_texts": len(again.sealed)})
    counts: dict[str, Any] = {"deleted": deleted, "changed": changed, "left": left, "out_of_reach": beyond}
    return Proof(about, now(), is_done=True, **counts, searched=count_columns(), unsearched=again.unsearched)


def _counts(traces: Traces) -> tuple[Counter[str], Counter[str]]:
    """Gives how many rows are deleted and how many are changed, by table."""
    rows = Counter(table.name for table, _ in traces.places if table is not AuditRow.__table__)
    rows.pop(PersonRow.__tablename__, None)
    deleted = Counter({name: rows.pop(name) for name in ("loss_rivals", "saved_filters") if name in rows})
    if traces.sealed:
        deleted["sealed_texts"] = len(traces.sealed)
    if traces.accounts:
        rows["people"] = len(traces.accounts)
    return deleted, rows


def _require_settled(traces: Traces) -> None:
    if any(table is WriteBackRow.__table__ and row["state"] in outbox.OPEN for table, row in traces.places):
        raise ErasureError(
            "A value that names this person waits to be sent to the CRM; run `lossnlp-serve worker --once` first."
        )


def _erase(session: Session, traces: Traces) -> None:
    for table, row in traces.places:
        if table not in _APART:
            _cover(session, (table, row), traces.name)
    drop_write_backs(session, sorted(_written(traces)))
    for table, row in traces.places:
        if table.name in (SavedFilterRow.__tablename__, LossRivalRow.__tablename__):
            session.execute(delete(table).where(*_is_row(table, row)))
    session.execute(delete(SealedTextRow).where(SealedTextRow.assessment_id.in_(traces.sealed)))
    for account in traces.accounts:
        _close(session, account)


def _written(traces: Traces) -> set[int]:
    """Gives the write-backs that name the person; a value with asterisks in it must never be put back into the CRM."""
    return {row["id" if table is _WRITTEN[0] else "write_back_id"] for table, row in traces.places if table in _WRITTEN}


def _cover(session: Session, place: Place, name: PersonName) -> None:
    table, row = place
    keys = {column.name for column in table.primary_key.columns}
    values = {c.name: _value(c, row, name) for c in text_columns(table) if c.name not in keys and not c.foreign_keys}
    values = {column: value for column, value in values.items() if value != row[column]}
    if values:
        session.execute(update(table).where(*_is_row(table, row)).values(values))


def _is_row(table: SqlTable, row: RowMapping) -> list[Any]:
    return [column == row[column.name] for column in table.primary_key.columns]


def _value(column: Column[Any], row: RowMapping, name: PersonName) -> Any:  # noqa: ANN401 (decoded JSON)
    """Gives a column's value without the person; a field that holds nothing else is emptied, so that nobody is counted under it."""
    value = row[column.name]
    told = covered(value, name.cover_near)
    if isinstance(column.type, JSON) or told == value or told.strip("* ,.<>()"):
        return told
    return None if column.nullable else _GONE


def _close(session: Session, account: PersonRow) -> None:
    """Leaves of an account what verdicts refer to: a number."""
    for table in (SessionRow, SavedFilterRow):
        session.execute(delete(table).where(table.person_id == account.id))
    account.email, account.name = f"{_GONE}-{account.id}@localhost", f"Person {account.id}"
    account.owner = account.password_hash = account.subject = None
    account.disabled_at = account.disabled_at or now()
