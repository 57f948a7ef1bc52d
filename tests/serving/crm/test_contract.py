"""What every connector must do, whichever CRM it is for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from lossnlp.deal import Deal
from serving.crm.deal_fields import DealField
from serving.crm.protocol import Choice, FieldChange, FieldKind, FieldSpec, FieldValue, fetch_all_lost
from serving.writeback import decide_undo
from tests.serving.crm.worlds import SeenDeal, World

NOTE = "Lost on price, they took Rostera. Come back in February."
DAY, LONG_AGO = timedelta(days=1), date(2020, 1, 1)
TOLD: dict[DealField, str] = {"team": "North", "region": "Graz", "product": "Fleet planner", "segment": "Mid-market"}
AWKWARD: dict[FieldKind, FieldValue] = {
    "text": "  Rostera,\r\nof Graz \n",
    "moment": "2026-11-20T23:30:00+02:00",
    "flag": False,
}


def deal(name: str = "Nordwind fleet", **changes: object) -> SeenDeal:
    return SeenDeal(name, note=NOTE, **changes)  # type: ignore[arg-type]


@pytest.fixture
def choice(world: World) -> str:
    """The name of a field with the choices price and budget, made by the connector."""
    if not world.keeps_fields:
        pytest.skip("this CRM holds no fields of ours")
    world.crm.set_up(world.specs)
    return world.specs[0].name


def test_only_lost_deals_are_found(world: World) -> None:
    world.add_open("open")
    world.add_won("won")
    lost = world.add_lost(deal())
    assert world.crm.find_lost().deal_ids == (lost,)


def test_deals_lost_before_the_moment_are_left_out(world: World) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)  # a deal that is added now counts as changed now
    old, recent = (world.add_lost(deal(f"of {day}", closed_on=day)) for day in (LONG_AGO, (tomorrow + DAY).date()))
    assert set(world.crm.find_lost().deal_ids) == {old, recent}
    assert world.crm.find_lost(tomorrow).deal_ids == (recent,)


def test_a_deal_lost_since_the_moment_is_found(world: World) -> None:
    recent = world.add_lost(deal("recent"))
    assert world.crm.find_lost(datetime(2026, 10, 1, tzinfo=UTC)).deal_ids == (recent,)


def test_every_deal_comes_once_over_many_pages(world: World) -> None:
    added = [world.add_lost(deal(f"deal {number}")) for number in range(23)]
    requests = list(fetch_all_lost(world.crm))
    assert sorted(request["deal"]["id"] for request in requests) == sorted(added)


def test_a_page_is_found_again_by_its_cursor(world: World) -> None:
    for number in range(23):
        world.add_lost(deal(f"deal {number}"))
    first = world.crm.find_lost()
    if first.cursor is None:
        pytest.skip("all deals fit one page")
    again, same = (world.crm.find_lost(cursor=first.cursor) for _ in range(2))
    assert again == same
    assert not set(again.deal_ids) & set(first.deal_ids)


def test_a_deal_that_is_not_lost_gives_no_request(world: World) -> None:
    lost = world.add_lost(deal())
    others = [world.add_open("open"), world.add_won("won")]
    assert list(world.crm.fetch_requests([*others, lost])) == [lost]


def test_a_deal_comes_with_all_that_was_said(world: World) -> None:
    said = ("They asked twice for a business case.", "Call: their CFO never joined.", "Mail: we go with Rostera.")
    added = world.add_lost(deal(notes=said[:1], calls=said[1:2], mails=said[2:]))
    request = world.crm.fetch_requests([added])[added]
    read = Deal.from_request(request)
    text = "\n".join(document.text or "" for document in read.documents)
    assert all(part in text for part in (NOTE, *said))
    assert (read.id, read.closed_at) == (added, date(2026, 11, 2))
    assert read.amount == pytest.approx(42_000)


def test_what_the_seller_wrote_is_the_rep_note(world: World) -> None:
    added = world.add_lost(deal())
    [note] = world.crm.fetch_requests([added])[added]["documents"]
    assert (note["kind"], note["text"]) == ("rep_note", NOTE)


def test_a_deal_without_text_has_no_documents(world: World) -> None:
    added = world.add_lost(SeenDeal("silent"))
    assert world.crm.fetch_requests([added])[added]["documents"] == []


def test_an_unknown_deal_is_left_out(world: World) -> None:
    added = world.add_lost(deal())
    gone = world.add_lost(deal("gone"))
    world.delete(gone)
    assert set(world.crm.fetch_requests([added, gone])) == {added}
    assert set(world.crm.fetch_fields([added, gone])) == {added}


def test_fields_that_the_company_names_come_along(world: World) -> None:
    told = {ours: TOLD[ours] for ours in world.deal_fields}
    added = world.add_lost(deal(told=told))
    read = world.reading(world.deal_fields).fetch_requests([added])[added]["deal"]
    assert read.items() >= told.items()
    assert read["closed_at"] == "2026-11-02"


def test_a_field_the_crm_lacks_is_named_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    added = world.add_lost(deal(told=TOLD))
    crm = world.reading({**world.deal_fields, "team": "no_such_field"})
    reads = [crm.fetch_requests([added])[added] for _ in range(2)]
    assert [read["documents"][0]["text"] for read in reads] == [NOTE] * 2
    assert all(read["deal"].items() >= {name: TOLD[name] for name in TOLD if name != "team"}.items() for read in reads)
    assert not any("team" in read["deal"] for read in reads)
    [told] = [line for line in capsys.readouterr().out.splitlines() if "crm_lacks_deal_field" in line]
    assert all(word in told for word in ("no_such_field", "deal_fields.team", "LOSSNLP_CRM_WORDS"))


def test_setup_plan_changes_nothing(world: World) -> None:
    if not world.keeps_fields:
        pytest.skip("this CRM holds no fields of ours")
    planned = world.crm.plan_setup(world.specs)
    assert {step.act for step in planned} == {"create"}
    assert world.crm.plan_setup(world.specs) == planned


@pytest.mark.usefixtures("choice")
def test_setup_run_twice_does_nothing_more(world: World) -> None:
    assert {step.act for step in world.crm.plan_setup(world.specs)} == {"stands"}
    assert {step.act for step in world.crm.set_up(world.specs)} == {"stands"}


def test_a_missing_choice_is_added_and_others_stay(world: World, choice: str) -> None:
    first = world.specs[0]
    wider = FieldSpec(choice, first.label, first.kind, (Choice("timing", "Timing"),))
    [step] = world.crm.set_up([wider])
    assert (step.act, "timing" in step.detail) == ("add choices", True)
    added = world.add_lost(deal())
    results = [world.crm.send_fields([FieldChange(added, {choice: code})])[0] for code in ("timing", "price")]
    assert [result.error for result in results] == [None, None]


def test_written_values_are_read_back(world: World, choice: str) -> None:
    ids = [world.add_lost(deal(f"deal {number}")) for number in range(3)]
    results = world.crm.send_fields([FieldChange(deal_id, {choice: "price"}) for deal_id in ids])
    assert [(result.deal_id, result.error) for result in results] == [(deal_id, None) for deal_id in ids]
    found = world.crm.fetch_fields(ids)
    assert [found[deal_id].get(choice) for deal_id in ids] == ["price"] * 3
    assert world.get_fields(ids[0])[choice] == "price"


@pytest.mark.usefixtures("choice")
@pytest.mark.parametrize("kind", AWKWARD)
def test_value_is_known_as_ours_in_any_form(world: World, kind: FieldKind) -> None:
    name = next((spec.name for spec in world.specs if spec.kind == kind), None)
    if name is None:
        pytest.skip(f"this CRM holds no {kind}")
    added, sent = world.add_lost(deal()), {name: AWKWARD[kind]}
    assert world.crm.send_fields([FieldChange(added, sent)])[0].error is None
    undone = decide_undo(sent, before={name: None}, current=world.crm.fetch_fields([added])[added])
    assert (undone.write, undone.kept) == ({name: None}, {})


def test_none_empties_a_field(world: World, choice: str) -> None:
    added = world.add_lost(deal())
    world.crm.send_fields([FieldChange(added, {choice: "price"})])
    assert world.crm.send_fields([FieldChange(added, {choice: None})])[0].error is None
    assert not world.crm.fetch_fields([added])[added].get(choice)


def test_a_value_outside_the_picklist_is_refused_alone(world: World, choice: str) -> None:
    bad, good = world.add_lost(deal("bad")), world.add_lost(deal("good"))
    results = world.crm.send_fields([FieldChange(bad, {choice: "moonlight"}), FieldChange(good, {choice: "budget"})])
    assert [result.outcome for result in results] == ["refused", "sent"]
    assert results[0].is_retryable is False
    assert not world.get_fields(bad).get(choice)
    assert world.get_fields(good)[choice] == "budget"


def test_a_deleted_deal_is_refused_alone(world: World, choice: str) -> None:
    gone, there = world.add_lost(deal("gone")), world.add_lost(deal("there"))
    world.delete(gone)
    results = world.crm.send_fields([FieldChange(gone, {choice: "price"}), FieldChange(there, {choice: "price"})])
    assert [result.outcome for result in results] == ["refused", "sent"]


def test_a_persons_value_is_read_as_it_stands(world: World, choice: str) -> None:
    added = world.add_lost(deal())
    world.set_by_person(added, {choice: "budget"})
    assert world.crm.fetch_fields([added])[added][choice] == "budget"


def test_other_fields_of_the_deal_stay(world: World, choice: str) -> None:
    added = world.add_lost(deal())
    before = world.crm.fetch_requests([added])[added]
    world.crm.send_fields([FieldChange(added, {choice: "price"})])
    assert world.crm.fetch_requests([added])[added] == before
