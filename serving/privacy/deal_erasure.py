"""Erases one deal: every row of it, in one unit of work, and looks for it afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, select

from serving import inbox, outbox
from serving.audit.by_command import record_in
from serving.privacy.deal_rows import DealRows, delete_rows, get_deal_rows
from serving.privacy.proof import ErasureError, Proof, clear_traces, keyed_digest
from serving.privacy.words import find_rows, text_columns
from serving.store import Database, now
from serving.tables import AssessmentRow, DealRow, InboxRow, Table, WriteBackRow

_FEWEST_CHARS = 20  # of a quote that is looked for: shorter ones stand in other deals too
_HELD = {WriteBackRow.__tablename__: outbox.OPEN[1], InboxRow.__tablename__: inbox.OPEN[1]}


def erase_deal(database: Database, var_dir: Path, deal_id: str, *, apply: bool) -> Proof:
    """Gives what was erased, or without `apply` what would be.

    Args:
        database: Where the deal is kept.
        var_dir: Where the key of digests lies.
        deal_id: The CRM's id of the deal.
        apply: Whether to do it.

    Raises:
        UnknownIdError: Nothing here belongs to such a deal.
        ErasureError: A worker has it in hand at this moment.
    """
    about = f"deal {keyed_digest(var_dir, deal_id)}"
    with database.writing() as session:
        session.execute(select(DealRow.id).where(DealRow.id == deal_id).with_for_update())
        rows = get_deal_rows(session, deal_id)
        counts = Counter({table.name: len(found) for table, found in rows.items()})
        if not apply:
            return Proof(about, now(), is_done=False, deleted=counts)
        _require_idle(rows)
        is_meant = _needles(deal_id, rows)
        delete_rows(session, rows)
        record_in(session, "erase", about)
        session.commit()
    beyond = clear_traces(database, counts)
    with database.reading() as session:
        left = Counter(table.name for table, _ in find_rows(session, is_meant))
    return Proof(about, now(), is_done=True, deleted=counts, left=left, searched=count_columns(), out_of_reach=beyond)


def count_columns() -> int:
    """Gives how many text columns there are."""
    return sum(len(text_columns(table)) for table in Table.metadata.sorted_tables)


def _require_idle(rows: DealRows) -> None:
    for name, state in _HELD.items():
        if any(row["state"] == state for row in _rows_of(rows, name)):
            raise ErasureError("A worker has this deal in hand; try again when it is done, or in a quarter of an hour.")


def _rows_of(rows: DealRows, name: str) -> Sequence[RowMapping]:
    return next((found for table, found in rows.items() if table.name == name), ())


def _needles(deal_id: str, rows: DealRows) -> Callable[[str], bool]:
    """Gives what says whether a string is of the deal: one of its ids, or holds one of its quotes."""
    assessments = _rows_of(rows, AssessmentRow.__tablename__)
    ids = {deal_id, *(row["id"] for row in assessments)}
    quotes = {quote for row in assessments for quote in _quotes(row["assessment"]) if len(quote) >= _FEWEST_CHARS}
    return lambda text: text in ids or any(quote in text for quote in quotes)


def _quotes(value: Any) -> set[str]:  # noqa: ANN401 (decoded JSON)
    """Gives the quotes in a stored assessment."""
    if isinstance(value, list):
        return {quote for one in value for quote in _quotes(one)}
    if not isinstance(value, dict):
        return set()
    own = {value["text"]} if isinstance(value.get("text"), str) else set()
    return own | {quote for one in value.values() for quote in _quotes(one)}
