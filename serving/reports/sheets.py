"""A table of a report: the same rows on the page, beside its chart, and as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from serving.reports.intervals import Estimate, Share

_STARTS_A_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 (spreadsheets read the full-width ones too)
_ENDS = ("_low", "_high")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in a CSV file, its heading for people, and what stands in it."""

    name: str
    label: str
    kind: Literal["text", "deals", "money", "share", "estimate"] = "text"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the CSV file: a value with an interval takes three."""
        return (self.name, *(self.name + end for end in _ENDS)) if self.kind in ("share", "estimate") else (self.name,)


@dataclass(frozen=True, slots=True)
class Held:
    """A figure that is not shown, and why."""

    because: str

    def __str__(self) -> str:
        """Gives what stands in its place."""
        return f"held back: {self.because}"


Cell = str | int | float | date | Share | Estimate | Held | None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of cells, one a column; the first names it and may lead to a page of its own."""

    cells: tuple[Cell, ...]
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table.

    Args:
        name: Of its CSV file.
        caption: What it shows, in one line.
        columns: From left to right.
        rows: From top to bottom.
        notes: What a reader must know to read it right.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    def head(self, most: int) -> Sheet:
        """Gives the first rows, and says how many more the CSV file has."""
        rest = len(self.rows) - most
        if rest <= 0:
            return self
        return replace(self, rows=self.rows[:most], notes=(*self.notes, f"The CSV file holds {rest} rows more."))


def csv_of(sheet: Sheet) -> str:
    """Gives a table as CSV: shares between 0 and 1, intervals in columns of their own, and no cell that runs as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([safe_text(name) for column in sheet.columns for name in column.names])
    for row in sheet.rows:
        pairs = zip(sheet.columns, row.cells, strict=True)
        writer.writerow([value for column, cell in pairs for value in _values(column, cell)])
    return text.getvalue()


def safe_text(text: str) -> str:
    """Gives text that a spreadsheet shows and never runs.

    Source: OWASP, CSV Injection; quoted throughout, a separator in it starts no cell either.
    """
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS_A_FORMULA) else text


def safe_cell(cell: object) -> object:
    """Gives a cell that a spreadsheet shows and never runs; numbers stay numbers."""
    return safe_text(cell) if isinstance(cell, str) else cell


def _values(column: Column, cell: Cell) -> Iterator[str | int | float]:
    if isinstance(cell, Share | Estimate):
        digits = 4 if isinstance(cell, Share) else 1
        yield from (round(cell.value, digits), round(cell.low, digits), round(cell.high, digits))
        return
    yield round(cell, 2) if isinstance(cell, int | float) else safe_text("" if cell is None else str(cell))
    yield from ("" for _ in column.names[1:])
