"""The win-back list: who is on it, when they are due, what it says of them, and how it is taken away."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from icalendar import Calendar, Event

from lossnlp.assessment import Evidence
from lossnlp.deal import Deal
from serving.app import create_app
from serving.crm.demo import DemoCrm
from serving.errors import ConfigurationError
from serving.intake import Assessor
from serving.people.access import Viewer, sees_loss
from serving.reports import winback_pages
from serving.reports.winback_entries import Winback, find_contract_end
from serving.reports.winback_exports import write_calendar, write_csv
from serving.reports.winback_windows import last_loss_due_by, read_windows
from serving.reports.winbacks import Wanted, drop_reopened
from serving.review.said import Said
from serving.review.verdict import VerdictLabels
from serving.review.verdicts import Bench
from serving.settings import Settings
from serving.store import Database
from serving.tables import LossRow, PersonRow, ReopenedRow
from tests.serving.reports.winback_world import TAXONOMY, TODAY, Losses, browser, in_days, open_list

YEAR_AGO = in_days(-365)


@pytest.fixture
def lost(database: Database, assessor: Assessor) -> Losses:
    return Losses(database, assessor)


@pytest.fixture
def app(settings: Settings, assessor: Assessor) -> Iterator[FastAPI]:
    made = create_app(settings, assessor=assessor)
    with TestClient(made):
        yield made


@pytest.fixture
def shown(app: FastAPI, assessor: Assessor) -> Losses:
    """Deals that the application shows."""
    return Losses(app.state.database, assessor)


def entry(lost: Losses, deal_id: str) -> Winback:
    with lost.database.reading() as session:
        return next(one for one in open_list().find(session) if one.loss.deal_id == deal_id)


def events(calendar: bytes) -> list[Event]:
    parsed = Calendar.from_ical(calendar)
    assert isinstance(parsed, Calendar)
    return [one for one in parsed.events if isinstance(one, Event)]


# Who is due when


def test_stated_date_is_the_due_date(lost: Losses) -> None:
    lost.add("a", revisit_on=in_days(30))
    assert (entry(lost, "a").due_on, entry(lost, "a").because) == (in_days(30), None)


def test_reason_gives_the_date_otherwise(lost: Losses) -> None:
    lost.add("a", lost_on=date(2026, 8, 31), primary_reason="price")
    assert entry(lost, "a").due_on == date(2027, 2, 28)
    assert "6 months after the loss" in (entry(lost, "a").because or "")


def test_list_is_sorted_by_due_date(lost: Losses) -> None:
    lost.add("late", lost_on=TODAY, primary_reason="vendor_trust")
    lost.add("stated", revisit_on=in_days(200))
    lost.add("soon", lost_on=TODAY, primary_reason="unresponsive")
    lost.add("overdue", lost_on=YEAR_AGO, primary_reason="price")
    lost.add("middle", lost_on=TODAY, primary_reason="timing")
    assert lost.ids() == ["overdue", "soon", "middle", "stated", "late"]


def test_pages_of_the_list_join(lost: Losses) -> None:
    for number in range(6):
        reason = ("price", "timing", "unresponsive")[number % 3]
        lost.add(f"d{number}", lost_on=in_days(-30 * number), primary_reason=reason)
    assert lost.ids(page=slice(0, 4)) + lost.ids(page=slice(4, 8)) == lost.ids()


def test_closed_way_back_is_left_out(lost: Losses) -> None:
    lost.add("open"), lost.add("unclear", winback="unclear"), lost.add("closed", winback="closed")
    assert set(lost.ids()) == {"open", "unclear"}
    assert entry(lost, "unclear").is_unclear


def test_no_loss_is_never_called_back(lost: Losses) -> None:
    lost.add("a", primary_reason="administrative", revisit_on=in_days(3))
    assert lost.ids() == []


def test_reopened_deal_leaves_the_list(lost: Losses) -> None:
    lost.add("a"), lost.add("b")
    with lost.database.writing() as session:
        session.add(ReopenedRow(deal_id="a", reopened_at=datetime.now(UTC)))
        session.commit()
    assert lost.ids() == ["b"]


def test_unknown_reason_waits_nine_months(lost: Losses) -> None:
    lost.add("a", lost_on=date(2026, 1, 10), primary_reason="own_code")
    assert entry(lost, "a").due_on == date(2026, 10, 10)


@pytest.mark.parametrize("days", [0, 29, 30])
def test_due_within_thirty_days_is_found(lost: Losses, days: int) -> None:
    lost.add("a", revisit_on=in_days(days))
    assert lost.ids(Wanted(due_from=TODAY, due_until=in_days(30))) == ["a"]


def test_count_is_that_of_the_list(lost: Losses) -> None:
    for number in range(5):
        lost.add(f"d{number}", lost_on=in_days(-60 * number), primary_reason="price")
    wanted = Wanted(due_until=in_days(90))
    with lost.database.reading() as session:
        assert open_list().count(session, wanted) == len(lost.ids(wanted)) == 3


@pytest.mark.parametrize("months", [1, 3, 6, 12])
def test_last_due_loss_is_the_last(months: int) -> None:
    window = read_windows(None, TAXONOMY.codes).otherwise.model_copy(update={"months": months})
    for day in (date(2026, 12, 31) + timedelta(days=number) for number in range(400)):
        last = last_loss_due_by(day, months)
        after = window.due_on(last + timedelta(days=1))
        assert (window.due_on(last) or day) <= day < (after or day)


def test_every_reason_has_a_window() -> None:
    assert read_windows(None, TAXONOMY.codes).by_reason.keys() == set(TAXONOMY.codes)


# Windows of a company's own


def test_own_window_replaces_only_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "windows.yaml"
    file.write_text("reasons: {price: 2}", encoding="utf-8")
    windows = read_windows(file, TAXONOMY.codes)
    assert (windows.get("price").months, windows.get("timing").months) == (2, 4)


@pytest.mark.parametrize("text", ["reasons: {prise: 2}", "reasons: {price: 0}", "reasons: {price: soon}", "[]", "a: ["])
def test_wrong_window_names_the_setting(tmp_path: Path, text: str) -> None:
    file = tmp_path / "windows.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="LOSSNLP_WINBACK_WINDOWS"):
        read_windows(file, TAXONOMY.codes)


# Who sees what


def test_manager_sees_their_teams_alone(lost: Losses) -> None:
    lost.add("a", team="North"), lost.add("b", team="South")
    viewer = Viewer(1, "Mo", "manager", ("North",))
    assert lost.ids(visible=sees_loss(viewer)) == ["a"]


def test_rep_sees_their_own_alone(lost: Losses) -> None:
    lost.add("a", owner="Riley"), lost.add("b", owner="Sam")
    viewer = Viewer(1, "Riley", "rep", owner="Riley")
    assert lost.ids(visible=sees_loss(viewer)) == ["a"]


# What an entry says


def test_objection_names_reason_and_gaps(lost: Losses) -> None:
    lost.add("a", gaps=["economic_buyer", "metrics"])
    assert (entry(lost, "a").reason, entry(lost, "a").gaps) == ("Price", ("Metrics", "Economic buyer"))


def test_last_words_show_the_primary_reason(lost: Losses) -> None:
    lost.add("a", "timing was bad")
    words = entry(lost, "a").words
    assert words is not None
    assert (words.text, words.role) == ("timing", "rep")


def test_verdict_gives_the_words(lost: Losses) -> None:
    lost.add("a", "timing was bad, the budget too")
    quote = Evidence(document_id="n", start=20, end=26, text="budget", role="buyer")
    labels = VerdictLabels(reasons=("budget",), winback="open", evidence={"budget": (quote,)})
    with lost.database.writing() as session:
        person = PersonRow(email="a@example.com", name="Ana", role="ops", teams=[], created_at=datetime.now(UTC))
        session.add(person)
        session.flush()
        assessment_id = session.get_one(LossRow, "a").assessment_id
        Bench(TAXONOMY).give(session, assessment_id, person, Said("change", labels))
        session.commit()
    words = entry(lost, "a").words
    assert (entry(lost, "a").reason, words and words.text) == ("Budget", "budget")


def test_opener_names_rival_and_month(lost: Losses) -> None:
    lost.add("a", primary_reason="competitor", rival="Rostera", lost_on=date(2026, 5, 4))
    assert "Rostera" in entry(lost, "a").opener
    assert "May 2026" in entry(lost, "a").opener


@pytest.mark.parametrize("code", [code for code in TAXONOMY.codes if code != "administrative"])
def test_every_reason_has_an_opener(lost: Losses, code: str) -> None:
    lost.add("a", primary_reason=code)
    opener = entry(lost, "a").opener
    assert opener.count("?") >= 1
    assert "{" not in opener


@pytest.mark.parametrize(
    ("text", "ends_on"),
    [
        ("their contract with Rostera runs until end of March 2028", date(2028, 3, 31)),
        ("locked in until 1 July 2028", date(2028, 7, 1)),
        ("the renewal is in autumn, they said", None),
    ],
)
def test_stated_contract_end_is_shown(lost: Losses, text: str, ends_on: date | None) -> None:
    lost.add("a", revisit_text=text, revisit_on=ends_on)
    contract = entry(lost, "a").contract
    assert contract is not None
    assert (contract.text, contract.ends_on) == (text, ends_on)


def test_other_words_are_no_contract_end(lost: Losses, assessor: Assessor) -> None:
    lost.add("a", revisit_text="call again in March")
    document = {"id": "n", "kind": "rep_note", "text": "the price was it"}
    reading = assessor.assess(Deal.from_request({"deal": {"id": "a"}, "documents": [document]}))
    assert find_contract_end(reading, entry(lost, "a").loss) is None


# Deals that are open again


def demo_of(*deal_ids: str) -> DemoCrm:
    documents = [{"id": "n", "kind": "rep_note", "text": "price"}]
    return DemoCrm(deals=[{"deal": {"id": one, "closed_at": str(TODAY)}, "documents": documents} for one in deal_ids])


def test_deal_no_longer_lost_is_dropped(lost: Losses) -> None:
    for deal_id in "ab":
        lost.add(deal_id, revisit_on=in_days(9))
    lost.told_by("demo", "a", "b")
    assert drop_reopened(demo_of("b"), lost.database, open_list()) == (1, 0)
    assert lost.reopened() == {"a"}
    assert lost.ids() == ["b"]


def test_deal_lost_again_comes_back(lost: Losses) -> None:
    lost.add("a", revisit_on=in_days(9))
    lost.told_by("demo", "a")
    drop_reopened(demo_of(), lost.database, open_list())
    assert drop_reopened(demo_of("a"), lost.database, open_list()) == (0, 1)
    assert lost.ids() == ["a"]


def test_deal_from_elsewhere_is_not_dropped(lost: Losses) -> None:
    lost.add("a", revisit_on=in_days(9))
    assert drop_reopened(demo_of(), lost.database, open_list()) == (0, 0)


# Taken away


def test_calendar_holds_one_event_a_deal(lost: Losses) -> None:
    lost.add("a", revisit_on=date(2028, 2, 3)), lost.add("b", revisit_on=date(2028, 2, 4))
    with lost.database.reading() as session:
        found = events(write_calendar(open_list().find(session), at=datetime.now(UTC)))
    assert [event.start for event in found] == [date(2028, 2, 3), date(2028, 2, 4)]
    assert [event.end for event in found] == [date(2028, 2, 4), date(2028, 2, 5)]
    assert [len(event.alarms.times) for event in found] == [1, 1]


def test_calendar_entry_keeps_its_id(lost: Losses) -> None:
    lost.add("a", revisit_on=date(2028, 2, 3))
    at = datetime.now(UTC)
    with lost.database.reading() as session:
        first = write_calendar(open_list().find(session), at=at)
        second = write_calendar(open_list().find(session), at=at + timedelta(hours=1))
    assert [event.uid for event in events(first)] == [event.uid for event in events(second)]
    assert events(first)[0].sequence < events(second)[0].sequence


def test_calendar_keeps_odd_words(lost: Losses) -> None:
    lost.add("a;b,c", account="Löwe; Söhne, \\ GmbH\nBEGIN:VALARM")
    with lost.database.reading() as session:
        (event,) = events(write_calendar(open_list().find(session), at=datetime.now(UTC)))
    assert "Löwe; Söhne, \\ GmbH" in str(event.summary)


def test_table_holds_no_formula(lost: Losses) -> None:
    lost.add("a", account=" ＝HYPERLINK(1)", revisit_text="+49 in May", owner="Jo\n@x")  # noqa: RUF001
    with lost.database.reading() as session:
        (row,) = csv.DictReader(io.StringIO("".join(write_csv(open_list().find(session)))))
    assert (row["account"], row["when_in_their_words"]) == ("' ＝HYPERLINK(1)", "'+49 in May")  # noqa: RUF001


# Pages


def test_page_shows_what_is_due(app: FastAPI, shown: Losses) -> None:
    shown.add("a", revisit_on=in_days(-3), team="North", gaps=["champion"])
    shown.add("b", revisit_on=in_days(10), account="<b>Bold</b>", winback="unclear")
    page = browser(app, winback_pages.router).get("/winbacks").text
    assert "overdue" in page
    assert "Champion" in page
    assert "way back unclear" in page
    assert "&lt;b&gt;Bold&lt;/b&gt;" in page
    assert len(page) < 300_000


@pytest.mark.parametrize(
    ("query", "held"), [("due=overdue", "a"), ("due=30", "b"), ("team=South", "b"), ("reason=timing", "a")]
)
def test_filters_choose_deals(app: FastAPI, shown: Losses, query: str, held: str) -> None:
    shown.add("a", revisit_on=in_days(-3), team="North", primary_reason="timing")
    shown.add("b", revisit_on=in_days(10), team="South")
    lines = browser(app, winback_pages.router).get(f"/winbacks.csv?{query}").text.splitlines()
    assert lines[0].startswith('\ufeff"due_on"')
    assert [line.split(",")[2] for line in lines[1:]] == [f'"{held}"']


def test_wrong_filter_is_told_at_its_field(app: FastAPI, shown: Losses) -> None:
    shown.add("a", team="North")
    answer = browser(app, winback_pages.router).get("/winbacks?due=soon&team=North")
    assert answer.status_code == 422
    assert 'id="due-fault"' in answer.text
    assert "Account a" in answer.text


def test_wrong_filter_stops_a_download(app: FastAPI) -> None:
    assert browser(app, winback_pages.router).get("/winbacks.ics?due=soon").status_code == 422


def test_downloads_keep_to_what_one_sees(app: FastAPI, shown: Losses) -> None:
    shown.add("a", owner="Riley"), shown.add("b", owner="Sam")
    rep = browser(app, winback_pages.router, role="rep", owner="Riley")
    assert "Account b" not in rep.get("/winbacks.csv").text + rep.get("/winbacks").text
    assert len(events(rep.get("/winbacks.ics").content)) == 1


def test_long_list_has_pages(app: FastAPI, shown: Losses) -> None:
    for number in range(27):
        shown.add(f"d{number:02}", revisit_on=in_days(number))
    pages = browser(app, winback_pages.router)
    assert "page 1 of 2" in pages.get("/winbacks").text
    assert "Account d26" in pages.get("/winbacks?page=2").text
