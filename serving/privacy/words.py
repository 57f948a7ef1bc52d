"""Words in every text column of every table: looked for, and covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import JSON, Column, RowMapping, String, select
from sqlalchemy import Table as SqlTable
from sqlalchemy.orm import Session

from serving.tables import Table

_PORTION = 500


def text_columns(table: SqlTable) -> list[Column[Any]]:
    """Gives the columns of a table that can hold words."""
    return [column for column in table.columns if isinstance(column.type, String | JSON)]


def strings_of(value: Any) -> Iterator[str]:  # noqa: ANN401 (decoded JSON)
    """Gives every string in a stored value, keys of objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from strings_of(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from strings_of(one)


def covered(value: Any, cover: Callable[[str], str]) -> Any:  # noqa: ANN401 (decoded JSON)
    """Gives a stored value with every string in it covered."""
    if isinstance(value, str):
        return cover(value)
    if isinstance(value, list):
        return [covered(one, cover) for one in value]
    if isinstance(value, dict):
        return {cover(key): covered(one, cover) for key, one in value.items()}
    return value


def find_rows(session: Session, is_meant: Callable[[str], bool]) -> Iterator[tuple[SqlTable, RowMapping]]:
    """Gives every row of every table that holds a string that is meant.

    Nothing is filtered by the database: it would compare letters beyond ASCII, and those that JSON escapes, otherwise than we do.
    """
    for table in Table.metadata.sorted_tables:
        columns = text_columns(table)
        rows = session.execute(select(table).execution_options(yield_per=_PORTION)).mappings()
        for row in rows:
            if has_meant(row, columns, is_meant):
                yield table, row


def has_meant(row: RowMapping, columns: list[Column[Any]], is_meant: Callable[[str], bool]) -> bool:
    """Says whether a row holds a string that is meant."""
    return any(is_meant(text) for column in columns for text in strings_of(row[column.name]))
