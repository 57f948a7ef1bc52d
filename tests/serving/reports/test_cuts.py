from __future__ import annotations

from datetime import date

import pytest

from serving.reports.cuts import Cut, CutError, parse_cut

TODAY = date(2026, 9, 30)


def test_no_window_means_six_months() -> None:
    cut = parse_cut({}, today=TODAY)
    assert (cut.since, cut.until, cut.minimum, cut.by) == (date(2026, 3, 31), TODAY, 10, None)


def test_given_end_moves_default_start() -> None:
    assert parse_cut({"until": "2025-12-31"}, today=TODAY).since == date(2025, 7, 1)


def test_blank_fields_count_as_not_given() -> None:
    assert parse_cut({"team": " ", "by": "", "since": ""}, today=TODAY) == parse_cut({}, today=TODAY)


def test_query_reads_back_as_same_cut() -> None:
    given = {"since": "2026-01-01", "until": "2026-02-28", "team": "North & South", "by": "stage", "minimum": "30"}
    cut = parse_cut(given, today=TODAY)
    pairs = dict(pair.split("=") for pair in cut.query.split("&"))
    assert pairs["team"] == "North+%26+South"
    assert parse_cut({**pairs, "team": "North & South"}, today=TODAY) == cut


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("since", "yesterday"),
        ("since", "0001-01-01"),
        ("until", "1900-01-01"),
        ("since", "2027-01-01&until"),
        ("by", "owner"),
        ("minimum", "3"),
        ("minimum", "-10"),
        ("minimum", "²"),
        ("amount", "a lot"),
        ("ending", "won"),
        ("team", "x" * 301),
        ("team", "a\x00b"),
        ("owner", "Riley"),
    ],
)
def test_wrong_value_names_its_field(field: str, value: str) -> None:
    with pytest.raises(CutError) as caught:
        parse_cut({field: value}, today=TODAY)
    assert caught.value.field == field
    assert field in caught.value.message


def test_window_turned_round_is_refused() -> None:
    with pytest.raises(CutError, match="lies after 'until'"):
        parse_cut({"since": "2026-02-01", "until": "2026-01-01"}, today=TODAY)


@pytest.mark.parametrize(
    ("since", "periods", "second"),
    [
        (date(2026, 9, 30), 1, None),
        (date(2026, 4, 15), 6, date(2026, 5, 1)),
        (date(2020, 2, 1), 27, date(2020, 4, 1)),
        (date(2000, 7, 1), 27, date(2001, 1, 1)),
    ],
)
def test_long_windows_have_longer_periods(since: date, periods: int, second: date | None) -> None:
    found = Cut(since, TODAY, {}).periods
    assert len(found) == periods
    assert found[1:2] == ([second] if second else [])
    assert found[0] <= since
    assert found[-1] <= TODAY
