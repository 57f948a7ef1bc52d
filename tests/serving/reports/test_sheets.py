from __future__ import annotations

import csv
import io

import pytest

from serving.reports.intervals import Estimate, Share
from serving.reports.sheets import Column, Held, Row, Sheet, csv_of, safe_text


def read(sheet: Sheet) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_of(sheet))))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1"])  # noqa: RUF001
def test_formula_is_text_in_spreadsheet(text: str) -> None:
    assert safe_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Price", "a=b", "10k-50k", "(not set)"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text


def test_interval_takes_three_columns() -> None:
    columns = (Column("team", "Team"), Column("share", "Share", "share"), Column("deals", "Deals", "deals"))
    rows = (Row(("North", Share(0.5, 0.4, 0.612345), 12)),)
    assert read(Sheet("s", "S", columns, rows)) == [
        ["team", "share", "share_low", "share_high", "deals"],
        ["North", "0.5", "0.4", "0.6123", "12"],
    ]


def test_held_figure_says_so_in_file() -> None:
    columns = (Column("team", "Team"), Column("n", "N", "estimate"), Column("deals", "Deals", "deals"))
    rows = (Row(("North", Held("fewer than 10 deals"), None)), Row(("South", Estimate(1.0, 0.0, 2.5), 3)))
    assert read(Sheet("s", "S", columns, rows))[1:] == [
        ["North", "held back: fewer than 10 deals", "", "", ""],
        ["South", "1.0", "0.0", "2.5", "3"],
    ]


def test_names_of_columns_are_safe_too() -> None:
    assert read(Sheet("s", "S", (Column("=team", "Team"),))) == [["'=team"]]


def test_separators_and_quotes_open_no_cell() -> None:
    row = Row(('a";=1+1', "b,=1+1\n=2"))
    sheet = Sheet("s", "S", (Column("a", "A"), Column("b", "B")), (row,))
    assert read(sheet)[1] == ['a";=1+1', "b,=1+1\n=2"]
    assert '"a"";=1+1"' in csv_of(sheet)


def test_head_says_how_many_rows_more() -> None:
    sheet = Sheet("s", "S", (Column("a", "A"),), tuple(Row((number,)) for number in range(5)))
    assert sheet.head(5) == sheet
    assert sheet.head(3).notes == ("The CSV file holds 2 rows more.",)
    assert len(sheet.head(3).rows) == 3
