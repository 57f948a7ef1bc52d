"""Gaps and differences equal plain queries over the same data, and small or personal figures are held back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from serving.reports.coaching_sheets import (
    compared,
    differences_sheet,
    external_only_sheet,
    gap_reasons_sheet,
    gaps_sheet,
    reason_gaps_sheet,
    stated_sheet,
)
from serving.reports.differences import read_differences, read_external_only, read_stated
from serving.reports.gaps import read_gaps
from serving.reports.intervals import Share, share_of
from serving.reports.report import Report
from serving.reports.sheets import Held, Sheet
from tests.serving.reports.loss_world import MANAGER, AddLosses

MakeReport = Callable[..., Report]


def rows(session: Session, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.execute(text(query))]


def row_of(sheet: Sheet, name: str) -> tuple[Any, ...]:
    return next(row.cells for row in sheet.rows if row.cells[0] == name)


def test_differences_equal_plain_query(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(300)
    query = (
        "SELECT primary_reason, count(rep_buyer_conflict), count(CASE WHEN rep_buyer_conflict THEN 1 END), "
        "count(stated_reason_conflict), count(CASE WHEN stated_reason_conflict THEN 1 END) FROM losses GROUP BY 1"
    )
    found = read_differences(session, report().scope)
    flat = [(code, one.note.deals, one.note.differ, one.stated.deals, one.stated.differ) for code, one in found.items()]
    assert sorted(flat) == sorted(rows(session, query))


def test_stated_reasons_equal_plain_query(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(300)
    query = (
        "SELECT stated_reason, count(*), count(CASE WHEN stated_reason_conflict THEN 1 END) FROM losses "
        "WHERE stated_reason IS NOT NULL AND stated_reason_conflict IS NOT NULL GROUP BY 1"
    )
    found = read_stated(session, report().scope)
    assert {name: (one.told.deals, one.told.differ) for name, one in found.items()} == {
        name: (deals, differ) for name, deals, differ in rows(session, query)
    }
    assert all(sum(one.read.values()) == one.told.differ for one in found.values())


def test_external_only_by_team_equals_plain_query(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(300)
    query = (
        "SELECT coalesce(team, '(not set)'), count(external_only), count(CASE WHEN external_only THEN 1 END) "
        "FROM losses GROUP BY 1"
    )
    found = read_external_only(session, report().scope)
    assert sorted((team, one.notes, one.external_only) for team, one in found.items()) == sorted(rows(session, query))


def test_figure_of_one_rep_is_never_told(losses: AddLosses, report: MakeReport) -> None:
    losses(50, team="North", owner="Riley", external_only=True)
    losses(50, team="South", external_only=True)
    sheet = external_only_sheet(report())
    assert row_of(sheet, "North")[1:] == (Held("the deals of one rep alone"),) * 2
    assert row_of(sheet, "South")[1:] == (50, share_of(50, 50))


def test_no_table_names_an_owner(losses: AddLosses, report: MakeReport) -> None:
    losses(200)
    sheets = (differences_sheet(report()), stated_sheet(report()), external_only_sheet(report()), gaps_sheet(report()))
    assert not any("Owner" in str(row.cells) for sheet in sheets for row in sheet.rows)


def test_differences_of_one_rep_are_held_back(losses: AddLosses, report: MakeReport) -> None:
    losses(50, owner="Riley", rep_buyer_conflict=True, stated_reason="Price", stated_reason_conflict=True)
    assert {cell for row in differences_sheet(report()).rows for cell in row.cells[1:]} == {
        Held("the deals of one rep alone")
    }
    assert row_of(stated_sheet(report()), "Price")[1:3] == (Held("the deals of one rep alone"),) * 2


def test_stated_reason_shows_what_it_turns_out_to_be(losses: AddLosses, report: MakeReport) -> None:
    losses(12, stated_reason="Other", stated_reason_conflict=True, primary_reason="timing", read_reason="timing")
    assert row_of(stated_sheet(report()), "Other") == ("Other", 12, share_of(12, 12), "Timing")


def test_gaps_by_stage_equal_plain_query(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(300)
    query = (
        "SELECT coalesce(stage, '(not set)'), element, count(*) FROM loss_elements e, losses l "
        "WHERE l.deal_id = e.deal_id AND state = 'gap' GROUP BY 1, 2"
    )
    sizes = "SELECT coalesce(stage, '(not set)'), count(*) FROM losses GROUP BY 1"
    found = read_gaps(session, report().scope)
    assert found.of_stage == {(stage, element): deals for stage, element, deals in rows(session, query)}
    assert found.by_stage == dict(rows(session, sizes))


def test_reasons_beside_gaps_equal_plain_query(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(300)
    query = (
        "SELECT element, primary_reason, count(*) FROM loss_elements e, losses l "
        "WHERE l.deal_id = e.deal_id AND state = 'gap' AND team = 'North' GROUP BY 1, 2"
    )
    found = read_gaps(session, report(MANAGER).scope)
    assert found.of_reason == {(code, element): deals for element, code, deals in rows(session, query)}


def test_stage_with_few_deals_is_held_back(losses: AddLosses, report: MakeReport) -> None:
    losses(30, stage="Proposal")
    losses(4, stage="Verbal")
    sheet = gaps_sheet(report())
    assert set(row_of(sheet, "Verbal")[1:]) == {Held("fewer than 10 deals")}
    assert row_of(sheet, "Proposal")[1] == 30


def test_rare_gap_is_held_back(losses: AddLosses, report: MakeReport) -> None:
    losses(12)
    sheet = gap_reasons_sheet(report())
    assert all(isinstance(row.cells[3], Held) for row in sheet.rows)


def test_gaps_of_reason_stand_beside_others(losses: AddLosses, session: Session, report: MakeReport) -> None:
    losses(300)
    query = (
        "SELECT count(CASE WHEN primary_reason = 'price' THEN 1 END), "
        "count(CASE WHEN primary_reason <> 'price' THEN 1 END) FROM losses l, loss_elements e "
        "WHERE l.deal_id = e.deal_id AND e.element = 'champion' AND e.state = 'gap'"
    )
    [(with_price, without)] = rows(session, query)
    price = report().losses.by_reason["price"].deals
    _, share, other, _ = row_of(reason_gaps_sheet(report(), "price"), "Champion")
    assert (share, other) == (share_of(with_price, price), share_of(without, 300 - price))


@pytest.mark.parametrize(
    ("share", "other", "finding"),
    [
        (Share(0.5, 0.4, 0.6), Share(0.2, 0.1, 0.3), "more often"),
        (Share(0.2, 0.1, 0.3), Share(0.5, 0.4, 0.6), "less often"),
        (Share(0.5, 0.4, 0.6), Share(0.45, 0.3, 0.5), "no clear difference"),
        (Share(0.5, 0.4, 0.6), Held("few"), None),
    ],
)
def test_shares_differ_where_intervals_lie_apart(share: Share, other: Share | Held, finding: str | None) -> None:
    assert compared(share, other) == finding
