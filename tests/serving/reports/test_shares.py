"""Each figure equals that of a plain query over the same data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from serving.reports import loss_sheets
from serving.reports.dimensions import NOT_SET
from serving.reports.report import Report
from serving.reports.shares import read_applying, read_groups
from serving.reports.sheets import Held
from tests.serving.reports.loss_world import LEADER, MANAGER, REP, AddLosses

MakeReport = Callable[..., Report]


@pytest.fixture(autouse=True)
def _many_losses(losses: AddLosses) -> None:
    losses(400)


def rows(session: Session, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.execute(text(query))]


def test_deals_and_money_by_reason_equal_plain_query(session: Session, report: MakeReport) -> None:
    query = (
        "SELECT primary_reason, count(*), coalesce(sum(CASE WHEN currency = 'EUR' THEN amount END), 0) FROM losses "
        "WHERE lost_on BETWEEN '2026-04-01' AND '2026-09-30' GROUP BY primary_reason"
    )
    found = report().losses.by_reason
    assert sorted((code, tally.deals, tally.amount) for code, tally in found.items()) == sorted(rows(session, query))


def test_window_counts_both_its_ends(session: Session, report: MakeReport) -> None:
    [(deals,)] = rows(session, "SELECT count(*) FROM losses WHERE lost_on >= '2026-05-10' AND lost_on <= '2026-06-10'")
    assert report(since="2026-05-10", until="2026-06-10").scope.deals == deals


def test_deals_by_month_equal_plain_query(session: Session, report: MakeReport) -> None:
    query = (
        "SELECT count(*) FROM losses WHERE primary_reason = 'price' AND lost_on BETWEEN '2026-06-01' AND '2026-06-30'"
    )
    trend = {f"{period:%Y-%m}": tally.deals for period, tally in report().losses.of_reason("price").items()}
    assert list(trend) == ["2026-04", "2026-05", "2026-06", "2026-07", "2026-08", "2026-09"]
    assert [(trend["2026-06"],)] == rows(session, query)


def test_reasons_beside_equal_plain_query(session: Session, report: MakeReport) -> None:
    query = (
        "SELECT r.code, count(*) FROM loss_reasons r, losses l WHERE l.deal_id = r.deal_id AND l.team = 'North' "
        "GROUP BY r.code"
    )
    assert read_applying(session, report(team="North").scope) == dict(rows(session, query))


@pytest.mark.parametrize("name", ["segment", "product", "team", "region", "stage", "rival"])
def test_groups_equal_plain_query(session: Session, report: MakeReport, name: str) -> None:
    query = f"SELECT {name}, primary_reason, count(*) FROM losses GROUP BY {name}, primary_reason"  # noqa: S608
    expected = {(value or NOT_SET, code): deals for value, code, deals in rows(session, query)}
    groups = read_groups(session, report().scope, name)
    assert {(value, code): tally.deals for value, codes in groups.items() for code, tally in codes.items()} == expected


def test_filter_finds_what_group_counts(session: Session, report: MakeReport) -> None:
    groups = read_groups(session, report().scope, "segment")
    counted = {value: report(segment=value).scope.deals for value in groups}
    assert counted == {value: sum(tally.deals for tally in codes.values()) for value, codes in groups.items()}
    assert NOT_SET in counted


def test_bands_of_amount_keep_to_one_currency(session: Session, report: MakeReport) -> None:
    query = "SELECT count(*) FROM losses WHERE currency = 'EUR' AND amount >= 10000 AND amount < 50000"
    [(dollars,)] = rows(session, "SELECT count(*) FROM losses WHERE currency = 'USD' AND amount IS NOT NULL")
    scope = report(amount="10k-50k").scope
    assert [(scope.deals,)] == rows(session, query)
    assert (scope.currency, scope.left_out) == ("EUR", dollars)


def test_money_left_out_is_told(session: Session, report: MakeReport) -> None:
    query = "SELECT count(*) - count(amount), count(CASE WHEN currency = 'USD' THEN amount END) FROM losses"
    scope = report().scope
    assert [(scope.without_amount, scope.other_currency)] == rows(session, query)
    assert scope.priced + scope.without_amount + scope.other_currency == scope.deals == 400


def test_endings_equal_plain_query(session: Session, report: MakeReport) -> None:
    won = "deal_id IN (SELECT deal_id FROM loss_rivals WHERE role = 'won')"
    dead = "'no_decision', 'unresponsive', 'timing', 'unqualified', 'administrative'"
    query = f"SELECT primary_reason = 'no_decision', count(*) FROM losses WHERE NOT {won} AND primary_reason IN ({dead}) GROUP BY 1"  # noqa: S608
    found = report().losses.by_ending
    assert {bool(is_none): deals for is_none, deals in rows(session, query)} == {
        True: found["no_decision"].deals,
        False: found["other_dead"].deals,
    }


def test_rival_that_won_makes_loss_competitive(report: MakeReport) -> None:
    found = report(ending="competitive", by="ending")
    whole = report().losses.by_ending
    assert found.scope.deals == whole["competitive"].deals
    assert "no_decision" in found.losses.by_reason  # of these, those that a rival won


def test_lost_and_dead_add_up(report: MakeReport) -> None:
    deals = {row.cells[0]: row.cells[1] for row in loss_sheets.endings_sheet(report()).rows}
    assert deals["Lost, in all"] + deals["Dead, in all"] + deals["Not known"] == 400
    assert deals["Dead: no decision"] + deals["Dead: other ends without a winner"] == deals["Dead, in all"]


def test_small_group_is_held_back(losses: AddLosses, report: MakeReport) -> None:
    losses(9, seed=5, team="Tiny")
    losses(10, seed=6, team="Small")
    groups = {row.cells[0]: row for row in loss_sheets.groups_sheet(report(), by="team").rows}
    assert set(groups["Tiny"].cells[1:]) == {Held("fewer than 10 deals")}
    assert groups["Tiny"].href is None
    assert groups["Small"].cells[1] == 10


def test_small_month_is_held_back(report: MakeReport) -> None:
    sheet = loss_sheets.trend_sheet(report(since="2026-04-28", until="2026-05-31"))
    assert isinstance(sheet.rows[0].cells[2], Held)
    assert not isinstance(sheet.rows[1].cells[2], Held)


@pytest.mark.parametrize(
    ("viewer", "condition"), [(MANAGER, "team = 'North'"), (REP, "owner = 'Owner 1'"), (LEADER, "1=1")]
)
def test_viewer_counts_only_what_they_see(session: Session, report: MakeReport, viewer: Any, condition: str) -> None:
    [(deals,)] = rows(session, f"SELECT count(*) FROM losses WHERE {condition}")  # noqa: S608
    found = report(viewer, minimum="5")
    assert found.scope.deals == deals > 0
    assert sum(read_applying(session, found.scope).values()) >= deals
    assert (
        sum(t.deals for codes in read_groups(session, found.scope, "region").values() for t in codes.values()) == deals
    )
