"""Every row that belongs to a deal, found by the references between the tables, so that a new table is reached too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, RowMapping, Select, delete, false, or_, select, tuple_
from sqlalchemy import Table as SqlTable
from sqlalchemy.orm import Session

from serving.errors import UnknownIdError
from serving.tables import DealRow, Table

DealRows = Mapping[SqlTable, Sequence[RowMapping]]
_DEALS = DealRow.__table__


def find_deal_rows(session: Session, deal_id: str) -> DealRows:
    """Gives the rows of a deal by table, a table before those that refer to it; tables without any are left out."""
    found: dict[SqlTable, Sequence[RowMapping]] = {}
    for table in Table.metadata.sorted_tables:
        rows = session.execute(_query(table, deal_id, found)).mappings().all()
        if rows:
            found[table] = rows
    return found


def get_deal_rows(session: Session, deal_id: str) -> DealRows:
    """Gives the same of a deal that has any.

    Raises:
        UnknownIdError: Nothing here belongs to such a deal.
    """
    rows = find_deal_rows(session, deal_id)
    if not rows:
        raise UnknownIdError("No row belongs to a deal with this id; give the CRM's id of the deal.")
    return rows


def delete_rows(session: Session, rows: DealRows) -> None:
    """Deletes rows, those that refer to others first."""
    for table in reversed([*rows]):
        keys = tuple_(*table.primary_key.columns)
        session.execute(delete(table).where(keys.in_([key_of(table, row) for row in rows[table]])))


def key_of(table: SqlTable, row: RowMapping) -> tuple[Any, ...]:
    """Gives the primary key of a row."""
    return tuple(row[column.name] for column in table.primary_key.columns)


def _query(table: SqlTable, deal_id: str, found: DealRows) -> Select[Any]:
    if table is _DEALS:
        return select(table).where(table.c.id == deal_id)
    conditions = [_refers(column, found) for column in table.columns]
    if "deal_id" in table.columns:  # the inbox names deals that may not be here yet
        conditions.append(table.c.deal_id == deal_id)
    return select(table).where(or_(false(), *conditions))


def _refers(column: Column[Any], found: DealRows) -> ColumnElement[bool]:
    """Gives the condition that a column refers to a row that was found."""
    values = {
        row[reference.column.name] for reference in column.foreign_keys for row in found.get(reference.column.table, ())
    }
    return column.in_(values) if values else false()
