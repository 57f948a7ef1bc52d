from __future__ import annotations

import csv
import io
import re

import pytest

from serving.people.access import Viewer
from tests.serving.reports.loss_world import LEADER, MANAGER, REP, WINDOW, AddLosses, Browse

PAGES = ["/losses", "/losses/gaps", "/losses/differences", "/losses/corrected", "/losses/reasons/price"]
TABLES = [
    "applying",
    "corrected",
    "differences",
    "endings",
    "external-only",
    "gap-reasons",
    "gaps",
    "groups",
    "reasons",
]
PARTS = ["/losses/charts/reasons", "/losses/tables/reasons.csv", "/losses/reasons/price/charts/trend", "/losses/values"]


@pytest.mark.parametrize("path", PAGES)
def test_empty_database_says_it_holds_back(browse: Browse, path: str) -> None:
    answer = browse(LEADER).get(path)
    assert answer.status_code == 200
    assert "Held back: fewer than 10 deals" in answer.text
    assert "<tbody>" not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_page_shows_its_tables(browse: Browse, losses: AddLosses, path: str) -> None:
    losses(300)
    answer = browse(LEADER).get(f"{path}?{WINDOW}")
    assert answer.status_code == 200
    assert answer.text.count("<tbody>") >= 2
    assert answer.text.count("<h1>") == 1
    assert len(answer.content) < 300_000


@pytest.mark.parametrize("path", PAGES)
def test_page_loads_from_nowhere_else(browse: Browse, losses: AddLosses, path: str) -> None:
    losses(60)
    text = browse(LEADER).get(f"{path}?{WINDOW}").text
    loaded = re.findall(r'(?:src|href|hx-get|action)="([^"]*)"', text)
    assert loaded
    assert all(address.startswith(("/", "#", "?")) for address in loaded)
    assert "<script>" not in text


def test_page_tells_what_its_money_leaves_out(browse: Browse, losses: AddLosses) -> None:
    losses(20, amount=1000.0, currency="EUR")
    losses(5, amount=1000.0, currency="USD")
    losses(3, amount=None, currency="EUR")
    text = " ".join(browse(LEADER).get(f"/losses?{WINDOW}").text.split())
    assert "Money counts 20 of them, in EUR; 3 without an amount and 5 in another currency are left out of it." in text


def test_small_cut_is_held_back_as_a_whole(browse: Browse, losses: AddLosses) -> None:
    losses(40, region="EMEA")
    losses(9, region="APAC")
    browser = browse(LEADER)
    answer = browser.get(f"/losses?{WINDOW}&region=APAC")
    assert "Held back: fewer than 10 deals" in answer.text
    assert "9 deals" not in answer.text
    assert "held back" in browser.get(f"/losses/tables/reasons.csv?{WINDOW}&region=APAC").text


def test_wrong_window_keeps_what_was_filled_in(browse: Browse) -> None:
    answer = browse(LEADER).get("/losses?since=soon&team=North")
    assert answer.status_code == 422
    assert "&#39;since&#39; is not a day" in answer.text
    assert 'value="soon" aria-invalid="true" aria-describedby="since-fault"' in answer.text
    assert 'value="North"' in answer.text


def test_unknown_parameter_is_named(browse: Browse) -> None:
    answer = browse(LEADER).get("/losses?owner=Riley")
    assert answer.status_code == 422
    assert "There is no &#39;owner&#39; to cut by" in answer.text


@pytest.mark.parametrize("path", [*PARTS[:3], "/losses/tables/gaps.csv"])
def test_part_refuses_what_is_no_cut(browse: Browse, path: str) -> None:
    answer = browse(LEADER).get(f"{path}?minimum=1")
    assert answer.status_code == 422
    assert "minimum" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    ["/losses/reasons/nonsense", "/losses/charts/pie", "/losses/tables/people.csv", "/losses/reasons/price/charts/x"],
)
def test_unknown_part_is_not_found(browse: Browse, path: str) -> None:
    assert browse(LEADER).get(path).status_code == 404


def test_rep_is_led_to_own_deals(browse: Browse, losses: AddLosses) -> None:
    losses(80)
    browser = browse(REP)
    assert browser.get("/losses").headers["location"] == "/losses/mine"
    text = browser.get("/losses/mine").text
    assert {"D1", "D41"} == set(re.findall(r"Deal (D\d+)", text))
    assert "%" not in text


@pytest.mark.parametrize("path", [*PAGES[1:], *PARTS, "/losses/tables/external-only.csv"])
def test_rep_sees_no_comparison(browse: Browse, path: str) -> None:
    assert browse(REP).get(path).status_code == 403


def test_who_sees_reports_has_no_own_deals(browse: Browse) -> None:
    assert browse(LEADER).get("/losses/mine").headers["location"] == "/losses"


def test_manager_sees_own_teams_alone(browse: Browse, losses: AddLosses) -> None:
    losses(30, team="North")
    losses(30, team="South", segment="Secret segment")
    browser = browse(MANAGER)
    assert "30 deals lost" in browser.get(f"/losses?{WINDOW}").text
    assert "Held back" in browser.get(f"/losses?{WINDOW}&team=South").text
    assert "South" not in browser.get(f"/losses/tables/external-only.csv?{WINDOW}").text
    assert "Secret" not in browser.get("/losses/values").text


def test_manager_without_team_sees_nothing(browse: Browse, losses: AddLosses) -> None:
    losses(30)
    assert "Held back" in browse(Viewer(7, "New", "manager")).get(f"/losses?{WINDOW}").text


def test_group_leads_to_its_cut(browse: Browse, losses: AddLosses) -> None:
    losses(60, team="North & East", amount=1.0, currency="EUR")
    browser = browse(LEADER)
    text = browser.get(f"/losses?{WINDOW}&by=team").text
    [href] = re.findall(r'<th scope="row"><a href="([^"]*team=[^"]*)"', text)
    assert "60 deals lost" in browser.get(href.replace("&amp;", "&")).text


@pytest.mark.parametrize("name", TABLES)
def test_table_comes_as_file(browse: Browse, losses: AddLosses, name: str) -> None:
    losses(120)
    answer = browse(LEADER).get(f"/losses/tables/{name}.csv?{WINDOW}")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="losses-{name}.csv"'
    head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert rows
    assert {len(row) for row in rows} == {len(head)}


def test_values_of_crm_run_in_no_spreadsheet(browse: Browse, losses: AddLosses) -> None:
    losses(20, segment='=HYPERLINK("http://x")')
    text = browse(LEADER).get(f"/losses/tables/groups.csv?{WINDOW}&by=segment").text
    assert '"\'=HYPERLINK(""http://x"")"' in text


def test_values_of_crm_are_escaped(browse: Browse, losses: AddLosses) -> None:
    losses(20, team="<script>x</script>", stage="<b>", stated_reason="<i>")
    for path in (
        f"/losses?{WINDOW}&by=team",
        f"/losses/gaps?{WINDOW}",
        f"/losses/differences?{WINDOW}",
        "/losses/values",
    ):
        assert not re.search("<script>x|<b>|<i>", browse(LEADER).get(path).text)


@pytest.mark.parametrize("name", ["charts/reasons", "charts/trend", "charts/gaps", "reasons/price/charts/groups"])
def test_chart_is_part_of_page(browse: Browse, losses: AddLosses, name: str) -> None:
    losses(200, segment="Mid")
    text = browse(LEADER).get(f"/losses/{name}?{WINDOW}").text
    assert text.startswith("<svg")
    assert "<desc>" in text


def test_chart_of_few_deals_is_not_drawn(browse: Browse, losses: AddLosses) -> None:
    losses(9)
    assert "<svg" not in browse(LEADER).get(f"/losses/charts/reasons?{WINDOW}").text


def test_corrected_counts_come_as_part(browse: Browse, losses: AddLosses) -> None:
    losses(100)
    text = browse(LEADER).get(f"/losses/corrected?{WINDOW}", headers={"hx-request": "true"}).text
    assert "<html" not in text
    assert "Corrected for errors of the model" in text


def test_page_says_what_still_counts_in_an_older_list(browse: Browse, losses: AddLosses) -> None:
    losses(20, open_version="1")
    losses(300, seed=2)
    text = browse(LEADER).get(f"/losses?{WINDOW}").text
    assert re.findall(r'<p role="note">(.*)</p>', text) == [
        "Deals that count under a reason of version 1 of the list, because only a person can say which one it is now: 20."
    ]


def test_page_of_one_list_says_nothing_of_lists(browse: Browse, losses: AddLosses) -> None:
    losses(60)
    assert 'role="note"' not in browse(LEADER).get(f"/losses?{WINDOW}").text
