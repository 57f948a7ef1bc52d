"""The loss review of a month: its figures, its stories, its words, and what it keeps to itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from lossnlp.deal import Deal, Document, Turn
from lossnlp.taxonomy import get_default_taxonomy
from serving.people.access import Viewer
from serving.reports.cuts import CutError
from serving.reports.intervals import Share, share_of
from serving.reports.pack import ALL_SEEING, Asked, Pack, add_documents, render_pack
from serving.reports.pack_changes import NO_CHANGE, estimate_count
from serving.reports.pack_files import PackMaker
from serving.reports.pack_month import Month, parse_month
from serving.reports.pack_names import NameRemover
from serving.reports.pack_section import Section
from serving.reports.sheets import Cell, Held, Sheet
from serving.store import Database, now
from serving.tables import LossRow, PersonRow, StoryConsentRow, VerdictRow
from tests.serving.reports.loss_world import MANAGER, AddLosses
from tests.serving.reports.pack_world import BUYER, COLLEAGUE, read_all
from tests.serving.reports.wording import find_shaming, words_of_page

MONTH, AFTER = Month(date(2026, 9, 1)), date(2026, 10, 3)
NOW, BEFORE, PAST = ("2026-09-01", "2026-09-30"), ("2026-08-01", "2026-08-31"), ("2026-03-01", "2026-08-31")
LABELS = {reason.label: reason.code for reason in get_default_taxonomy().reasons}
MakePack = Callable[..., Pack]


@pytest.fixture
def told(losses: AddLosses, database: Database) -> AddLosses:
    """Adds n losses with words."""

    def add(n: int, **fixed: Any) -> None:
        losses(n, **fixed)
        with database.writing() as session:
            read_all(session)
            session.commit()

    return add


@pytest.fixture
def make(database: Database) -> MakePack:
    """Makes the review of September."""

    def made(team: str | None = None, viewer: Viewer = ALL_SEEING, on: date = AFTER) -> Pack:
        return PackMaker(database, get_default_taxonomy()).make(Asked(MONTH, team, on), viewer=viewer)

    return made


def section_of(pack: Pack, name: str) -> Section:
    return next(section for section in pack.sections if section.name == name)


def rows_of(pack: Pack, section: str, sheet: str) -> dict[str, tuple[Cell, ...]]:
    """Gives the cells of each row after its first."""
    found: Sheet = next(one for one in section_of(pack, section).sheets if one.name == sheet)
    return {str(row.cells[0]): row.cells[1:] for row in found.rows}


def count(session: Session, condition: str = "1 = 1", days: tuple[str, str] = NOW) -> int:
    """Counts losses by plain SQL."""
    query = f"SELECT count(*) FROM losses WHERE lost_on BETWEEN '{days[0]}' AND '{days[1]}' AND {condition}"  # noqa: S608
    return session.execute(text(query)).scalar_one()


def money(session: Session, condition: str) -> float:
    """Sums euros by plain SQL."""
    days = f"lost_on BETWEEN '{NOW[0]}' AND '{NOW[1]}'"
    query = f"SELECT coalesce(sum(amount), 0) FROM losses WHERE currency = 'EUR' AND {days} AND {condition}"  # noqa: S608
    return session.execute(text(query)).scalar_one()


def test_top_five_equal_plain_sql(told: AddLosses, make: MakePack, session: Session) -> None:
    told(1200)
    found = rows_of(make(), "top-five", "top-reasons")
    whole = count(session)
    assert len(found) == 5
    for label, (deals, share, amount, _) in found.items():
        has_reason = f"primary_reason = '{LABELS[label]}'"
        assert (deals, amount) == (count(session, has_reason), pytest.approx(money(session, has_reason)))
        assert share == share_of(count(session, has_reason), whole)


def test_top_five_are_causes(told: AddLosses, make: MakePack) -> None:
    told(300, primary_reason="unknown", read_reason="unknown")
    told(100)
    pack = make()
    assert {"Unknown", "Administrative"}.isdisjoint(rows_of(pack, "top-five", "top-reasons"))
    assert any(point.startswith("Unknown, which is no cause:") for point in section_of(pack, "top-five").points)


def test_changes_equal_plain_sql(told: AddLosses, make: MakePack, session: Session) -> None:
    told(600)
    found = rows_of(make(), "changes", "changes")
    reasons = {LABELS[label]: cells for label, cells in found.items() if label in LABELS}
    assert reasons
    for code, (now_share, before, _, past, _) in reasons.items():
        shares = [
            share_of(count(session, f"primary_reason = '{code}'", days), count(session, days=days))
            for days in (NOW, BEFORE, PAST)
        ]
        assert [now_share, before, past] == shares


def test_number_of_deals_equals_plain_sql(told: AddLosses, make: MakePack, session: Session) -> None:
    told(600)
    found = rows_of(make(), "changes", "volume")
    counted = [found[name][0].value for name in ("This month", "Month before", "A month, in the 5 months before")]  # type: ignore[union-attr]
    assert counted == [count(session), count(session, days=BEFORE), count(session, days=PAST) / 5]


def test_clear_change_is_told(told: AddLosses, make: MakePack) -> None:
    told(500, read_reason="budget", is_judged=False)
    told(200, read_reason="price", is_judged=False, lost_on=date(2026, 9, 9))
    pack = make()
    found = rows_of(pack, "changes", "changes")
    assert (found["Price"][2], found["Budget"][4]) == ("more often", "less often")
    assert any(
        point.startswith("Price: more often than in the month before") for point in section_of(pack, "changes").points
    )


def test_overlap_is_no_clear_change(told: AddLosses, make: MakePack) -> None:
    told(600, read_reason="price", is_judged=False)
    assert rows_of(make(), "changes", "changes")["Price"][2::2] == (NO_CHANGE, NO_CHANGE)


def test_unfinished_month_compares_no_numbers(told: AddLosses, make: MakePack) -> None:
    told(300)
    pack = make(on=date(2026, 9, 20))
    assert rows_of(pack, "changes", "volume")["Month before"][2] == "the month is not over"
    assert "The month is not over." in render_pack(pack)


@pytest.mark.parametrize(("deals", "low", "high"), [(0, 0.0, 3.69), (10, 4.80, 18.39), (100, 81.36, 121.63)])
def test_interval_of_counts_is_that_of_poisson(deals: int, low: float, high: float) -> None:
    found = estimate_count(deals)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.1), pytest.approx(high, abs=0.1))


def test_rivals_equal_plain_sql(told: AddLosses, make: MakePack, session: Session) -> None:
    told(1200)
    found = rows_of(make(), "competitors", "rivals")
    for name in ("Rostera", "Acme"):
        named = f"deal_id IN (SELECT deal_id FROM loss_rivals WHERE name = '{name}')"  # noqa: S608
        won = "deal_id IN (SELECT deal_id FROM loss_rivals WHERE role = 'won')"
        elsewhere = "primary_reason IN ('competitor', 'existing_relationship', 'in_house')"
        took = f"rival = '{name}' AND ({elsewhere} OR {won})"
        dead = "primary_reason IN ('no_decision', 'unresponsive', 'timing', 'unqualified', 'administrative')"
        deals, share, amount, stayed, _ = found[name]
        assert (deals, share) == (count(session, named), share_of(count(session, took), count(session, named)))
        assert amount == pytest.approx(money(session, took))
        assert stayed == share_of(count(session, f"{named} AND {dead} AND NOT ({took})"), count(session, named))


def test_lead_quality_equals_plain_sql(told: AddLosses, make: MakePack, session: Session) -> None:
    told(600)
    for region, (deals, unqualified, early) in rows_of(make(), "leads", "leads-region").items():
        here = f"region = '{region}'"
        assert deals == count(session, here)
        assert unqualified == share_of(count(session, f"{here} AND primary_reason = 'unqualified'"), deals)
        staged = count(session, f"{here} AND stage IS NOT NULL")
        assert early == share_of(count(session, f"{here} AND stage = 'Discovery'"), staged)


def test_product_gaps_equal_plain_sql(told: AddLosses, make: MakePack, session: Session) -> None:
    told(1200)
    has_gap = "deal_id IN (SELECT deal_id FROM loss_reasons WHERE code = 'product_gap')"
    for product, (every, deals, share, amount, _) in rows_of(make(), "product", "gaps-by-product").items():
        here = f"product = '{product}'"
        gaps = count(session, f"{here} AND {has_gap}")
        assert (every, deals, share) == (count(session, here), gaps, share_of(gaps, count(session, here)))
        assert amount == pytest.approx(money(session, f"{here} AND {has_gap}"))


def test_shared_words_of_gaps_are_counted(told: AddLosses, make: MakePack) -> None:
    told(60, read_reason="product_gap", is_judged=False, lost_on=date(2026, 9, 9), amount=100.0, currency="EUR")
    pack = make()
    voices = section_of(pack, "product").choruses[0].voices
    assert len(voices) == 12
    deals, amount = rows_of(pack, "product", "gap-words")["payroll interface"]
    assert amount == deals * 100.0  # type: ignore[operator]


def test_objections_are_buyers_words(told: AddLosses, make: MakePack) -> None:
    told(600)
    choruses = section_of(make(), "enablement").choruses
    passages = [one for chorus in choruses for voice in chorus.voices for one in voice.passages]
    assert len(choruses) == 5
    assert {passage.who for passage in passages} == {"buyer"}
    assert all(chorus.question for chorus in choruses)


def test_few_deals_hold_all_back(told: AddLosses, make: MakePack) -> None:
    told(9, lost_on=date(2026, 9, 9))
    pack = make()
    assert [section.name for section in pack.sections] == ["winbacks", "method"]
    page = render_pack(pack)
    assert "Held back" in page
    assert "9 deals lost" not in page


def test_figure_about_few_is_held_back(told: AddLosses, make: MakePack) -> None:
    told(60, region="EMEA", lost_on=date(2026, 9, 9))
    told(9, region="APAC", lost_on=date(2026, 9, 9))
    pack = make()
    assert all(isinstance(cell, Held) for cell in rows_of(pack, "leads", "leads-region")["APAC"])
    held = sum(section.held_back for section in pack.sections[:-1])
    assert (
        f"Figures about fewer than 10 deals are held back: {held:,} in this review."
        in section_of(pack, "method").points
    )


def test_stories_differ_in_reason_and_owner(told: AddLosses, make: MakePack) -> None:
    told(600)
    stories = section_of(make(), "stories").stories
    assert len(stories) == 3
    assert len({story.told.loss.primary_reason for story in stories}) == 3
    assert len({story.told.loss.owner for story in stories}) == 3
    assert all(len(story.voice.passages) >= 2 and story.questions for story in stories)


def test_size_plays_no_part_in_stories(told: AddLosses, make: MakePack, database: Database) -> None:
    told(300)
    before = [story.told.loss.deal_id for story in section_of(make(), "stories").stories]
    with database.writing() as session:
        session.execute(update(LossRow).where(LossRow.deal_id.not_in(before)).values(amount=9e9))
        session.commit()
    assert [story.told.loss.deal_id for story in section_of(make(), "stories").stories] == before


def test_two_accounts_that_differ_are_told_first(told: AddLosses, make: MakePack) -> None:
    told(200, rep_buyer_conflict=False)
    told(20, rep_buyer_conflict=True, lost_on=date(2026, 9, 9))
    stories = section_of(make(), "stories").stories
    assert stories[0].told.loss.rep_buyer_conflict
    assert any("another reason than the buyer" in said for said in stories[0].chosen)


def test_review_names_no_person_and_no_account(told: AddLosses, make: MakePack) -> None:
    told(400, owner="Jo Abernethy", account="Tannhof Kliniken")
    told(400, owner="Hanneke Vos", account="Tannhof Kliniken")
    page = render_pack(make())
    assert "[name]" in page
    for name in {*BUYER.split(), *COLLEAGUE.split(), "Jo", "Abernethy", "Hanneke", "Vos", "Tannhof", "Talbot"}:
        assert not re.search(rf"\b{name}\b", page, re.IGNORECASE), name


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Jo said katrin wants it, BRANDL too", "[name] said [name] wants it, [name] too"),
        ("I told Will and An Li that J. Abernethy calls", "I told [name] and [name] that [name] calls"),
        ("tannhof picks Rostera", "[the buyer's company] picks Rostera"),
        ("Mail katrin.brandl@tannhof.de or +49 821 123456-7", "Mail [mail address] or [number]"),
        ("Frau Dr. Brandl and Prof. Dr. Meier met", "[name] and [name] met"),
        ("Renaud left, our champion Beatriz asked again", "[name] left, our champion [name] asked again"),
        ("Rostera said so, Procurement refused", "Rostera said so, Procurement refused"),
        ("SAP wants Outlook, Users liked ShiftNine", "SAP wants Outlook, Users liked ShiftNine"),
    ],
)
def test_names_are_taken_out_of_quotes(said: str, told: str) -> None:
    speakers = ("Dr. Katrin Brandl (Tannhof Kliniken)", "Will Price", "An Li")
    turns = tuple(Turn(speaker=speaker, text="speaks") for speaker in speakers)
    call = Document(id="c", kind="call_transcript", turns=turns)
    deal = Deal(id="d", documents=(call,), owner="Jo Abernethy", account="Tannhof Kliniken GmbH")
    assert NameRemover(deal, ["Rostera"]).remove(said) == told


def test_month_before_of_few_deals_is_held_back(told: AddLosses, make: MakePack) -> None:
    told(40, lost_on=date(2026, 9, 9))
    told(9, lost_on=date(2026, 8, 9), amount=77.0, currency="EUR")
    pack = make()
    assert isinstance(rows_of(pack, "changes", "volume")["Month before"][1], Held)
    assert section_of(pack, "changes").points[0] == "40 deals were lost."


def agree(database: Database, deal_id: str, owner: str | None) -> None:
    with database.writing() as session:
        person = PersonRow(
            email=f"{owner}@example.com", name="Riley", role="rep", teams=[], owner=owner, created_at=now()
        )
        session.add(person)
        session.flush()
        session.add(StoryConsentRow(deal_id=deal_id, person_id=person.id, given_at=now()))
        session.commit()


def test_agreed_story_names_rep_and_account(told: AddLosses, make: MakePack, database: Database) -> None:
    told(300)
    loss = section_of(make(), "stories").stories[1].told.loss
    agree(database, loss.deal_id, loss.owner)
    stories = section_of(make(), "stories").stories
    assert [story.teller for story in stories] == ["", f"{loss.account} · {loss.owner}", ""]


def test_agreement_of_former_owner_names_nobody(told: AddLosses, make: MakePack, database: Database) -> None:
    told(300)
    loss = section_of(make(), "stories").stories[0].told.loss
    agree(database, loss.deal_id, "Somebody before")
    assert not any(story.teller for story in section_of(make(), "stories").stories)


def test_deals_of_one_rep_are_not_told(told: AddLosses, make: MakePack) -> None:
    told(60, owner="Jo Abernethy", lost_on=date(2026, 9, 9))
    pack = make()
    assert section_of(pack, "stories").stories == ()
    assert "All deals here are one rep's: go through the figures with that rep." in section_of(pack, "method").points


def test_documents_add_days_and_names(told: AddLosses, make: MakePack) -> None:
    told(300, lost_on=date(2026, 9, 9))
    call = Document(
        id="c", kind="call_transcript", recorded_at="2026-08-30", text="Typed Supplements: I sign.\nJo Low: Good."
    )
    stories = section_of(add_documents(make(), lambda _: [call]), "stories").stories
    days = [(event.on, event.what, event.days_before_end) for event in stories[0].timeline]
    assert days[0] == (date(2026, 8, 30), "Call", 10)
    assert days[-1][1] == "Closed as lost"


def test_page_loads_nothing(told: AddLosses, make: MakePack) -> None:
    told(600)
    page = render_pack(make())
    assert "<svg" in page
    assert not re.search(r"<(?:script|link|img|iframe|object|embed|form)\b|\bsrc=|@import|url\((?!#)", page)
    assert all(address.startswith("#") for address in re.findall(r'href="([^"]*)"', page))
    assert "default-src 'none'" in page


def test_values_of_crm_are_escaped(told: AddLosses, make: MakePack) -> None:
    told(60, segment="<b>x</b>", rival="<i>y</i>", lost_on=date(2026, 9, 9))
    assert not re.search("<b>x|<i>y", render_pack(make("South")) + render_pack(make()))


def test_review_shames_nobody(told: AddLosses, make: MakePack) -> None:
    told(600)
    assert find_shaming(words_of_page(render_pack(make()))) == []


def test_team_has_its_own_figures(told: AddLosses, make: MakePack, session: Session) -> None:
    told(600)
    assert make("North").deals == count(session, "team = 'North'")


def test_manager_gets_own_teams_alone(told: AddLosses, make: MakePack, session: Session) -> None:
    told(600)
    assert make(viewer=MANAGER).deals == count(session, "team = 'North'")
    assert make("South", viewer=MANAGER).deals is None


def test_winbacks_due_are_listed(told: AddLosses, make: MakePack) -> None:
    told(60, lost_on=date(2026, 9, 9), revisit_on=None)
    told(5, lost_on=date(2026, 9, 9), revisit_on=date(2026, 12, 1), winback="open")
    section = section_of(make(), "winbacks")
    rows = section.sheets[0].rows
    assert [str(row.cells[0]) for row in rows] == sorted(str(row.cells[0]) for row in rows)
    assert section.points[0].endswith("are to be called back from 2026-10-03 to 2027-01-01.")
    assert not any(str(cell).startswith("D") for row in rows for cell in row.cells)


def test_method_tells_what_people_judged(told: AddLosses, make: MakePack, session: Session) -> None:
    told(600)
    judged = count(session, "verdict_id IS NOT NULL")
    held = count(session, "verdict_id IS NOT NULL AND read_reason = primary_reason")
    points = " ".join(section_of(make(), "method").points)
    assert f"People have judged {judged:,} of them" in points
    assert f"In {held:,} of the {judged:,} judged deals" in points


def test_method_counts_sample_among_judged(told: AddLosses, make: MakePack) -> None:
    in_month: dict[str, Any] = {"is_judged": True, "lost_on": date(2026, 9, 9)}
    told(20, **in_month)
    told(15, **in_month, cause="write_back_refused")
    told(5, **in_month, verdict_kind="cannot_tell")
    assert "People have judged 35 of them (87.5 %), 20 as a random sample." in section_of(make(), "method").points


def test_reading_since_a_verdict_holds_nothing(told: AddLosses, make: MakePack, database: Database) -> None:
    told(40, is_judged=True, primary_reason="price", read_reason="price", lost_on=date(2026, 9, 9))
    with database.writing() as session:
        older = update(VerdictRow).where(VerdictRow.id <= 10).values(assessment_id="39".zfill(36))
        session.execute(older)
        session.commit()
    points = section_of(make(), "method").points
    assert any(point.startswith("In 30 of the 30 judged deals that were not read anew") for point in points)


def test_money_of_few_deals_is_held_back(told: AddLosses, make: MakePack) -> None:
    told(60, read_reason="price", is_judged=False, lost_on=date(2026, 9, 9), amount=100.0, currency="EUR")
    told(9, read_reason="budget", is_judged=False, lost_on=date(2026, 9, 9), amount=77.0, currency="EUR")
    deals, _, *money_cells = rows_of(make(), "top-five", "top-reasons")["Budget"]
    assert deals == 9
    assert all(isinstance(cell, Held) for cell in money_cells)


def test_months_of_a_young_team_are_its_own(told: AddLosses, make: MakePack) -> None:
    told(200, team="South", read_reason="budget", is_judged=False, lost_on=date(2026, 4, 9))
    told(40, team="North", read_reason="budget", is_judged=False, lost_on=date(2026, 8, 9))
    told(90, team="North", read_reason="price", is_judged=False, lost_on=date(2026, 9, 9))
    pack = make("North")
    assert rows_of(pack, "changes", "volume")["A month, in the 1 month before"][0].value == 40  # type: ignore[union-attr]
    assert any(" in the 1 month before, " in point for point in section_of(pack, "changes").points[1:])
    assert "1 month before" in [column.label for column in section_of(pack, "changes").sheets[1].columns]


def test_quotes_follow_the_table_of_objections(told: AddLosses, make: MakePack) -> None:
    told(600)
    section = section_of(make(), "enablement")
    assert [chorus.title for chorus in section.choruses] == [row.cells[0] for row in section.sheets[0].rows]


def test_documents_clean_quotes_by_subject(told: AddLosses, make: MakePack) -> None:
    told(300, lost_on=date(2026, 9, 9))
    pack = make()
    assert "Augsburg" in render_pack(pack)
    call = Document(id="c", kind="call_transcript", text="Konrad Augsburg: I sign.\nJo Low: Good.")
    assert "Augsburg" not in render_pack(add_documents(pack, lambda _: [call]))


def test_same_losses_give_same_review(told: AddLosses, make: MakePack) -> None:
    told(200)
    assert render_pack(make()) == render_pack(make())


@pytest.mark.parametrize("words", ["", "2026", "2026-13", "2026-9", "0001-01", "2026-11", "Ⅻ", "2026-10-01"])
def test_unusable_month_is_refused(words: str) -> None:
    with pytest.raises(CutError) as caught:
        parse_month(words, today=AFTER)
    assert caught.value.field == "month"


def test_shares_are_shares(told: AddLosses, make: MakePack) -> None:
    told(300)
    cells = [cell for one in make().sections for sheet in one.sheets for row in sheet.rows for cell in row.cells]
    assert all(0 <= cell.low <= cell.value <= cell.high <= 1 for cell in cells if isinstance(cell, Share))
