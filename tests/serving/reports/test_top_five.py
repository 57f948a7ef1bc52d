from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import typer
import yaml
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from lossnlp.taxonomy import get_default_taxonomy
from serving.cli_crm import crm
from serving.cli_top_five import propose_top_five
from serving.crm.fields import CrmWords, FieldMap, read_words
from serving.people.access import Viewer
from serving.reports import top_five_pages
from serving.reports.crosswalks import CROSSWALK, Crosswalk, crosswalk_files
from serving.reports.cuts import CutError
from serving.reports.merge_rules import MOST_MERGED, MergeRules, get_neighbours
from serving.reports.report import Report
from serving.reports.sheets import Sheet
from serving.reports.top_five import OTHER, Entry, TopFive, read_top_five
from serving.reports.top_five_search import MOST_ENTRIES, REDRAWS, Counts, find_list
from serving.reports.top_five_sheets import entries_sheet, lost_sheet, overlaps_sheet
from serving.reports.top_five_wishes import Wishes, parse_wishes
from serving.settings import Settings
from serving.store import Database
from tests.serving.reports.loss_world import (
    FIRST_DAY,
    LAST_DAY,
    LEADER,
    MANAGER,
    REP,
    WINDOW,
    AddLosses,
    Browse,
    add_losses,
)

PAGE = "/losses/top-five"
TAXONOMY = get_default_taxonomy()
NAMES = {"salesforce": "salesforce/objects/Opportunity/fields/lossnlp_primary_reason__c.field-meta.xml"}
MakeReport = Callable[..., Report]


def top_of(report: Report, **wishes: list[str]) -> TopFive:
    return read_top_five(report, parse_wishes(wishes.get("lock", ()), wishes.get("apart", ()), TAXONOMY))


def files_of(report: Report, words: CrmWords | None = None, crm: str | None = None) -> dict[str, str]:
    return crosswalk_files(report, Crosswalk(TAXONOMY, top_of(report), words or CrmWords(), crm))


def cells(sheet: Sheet, column: str) -> list[Any]:
    place = [found.name for found in sheet.columns].index(column)
    return [row.cells[place] for row in sheet.rows]


def count(session: Session, condition: str) -> int:
    """Counts losses with plain SQL."""
    window = f"lost_on BETWEEN '{FIRST_DAY}' AND '{LAST_DAY}'"
    return int(session.execute(text(f"SELECT COUNT(*) FROM losses l WHERE {window} AND {condition}")).scalar_one())  # noqa: S608


def quoted(entry: Entry) -> str:
    return ", ".join(f"'{code}'" for code in entry.codes)


def applies(entry: Entry) -> str:
    return f"EXISTS (SELECT 1 FROM loss_reasons r WHERE r.deal_id = l.deal_id AND r.code IN ({quoted(entry)}))"  # noqa: S608


@pytest.fixture(scope="module", params=[(300, 1), (300, 2), (1200, 3), (25, 4)], ids=str)
def some(request: pytest.FixtureRequest, shared_report: MakeReport) -> Report:
    n, seed = request.param
    return shared_report(n, seed=seed)


@pytest.fixture(scope="module")
def some_top(some: Report) -> TopFive:
    return top_of(some)


def test_deals_equal_a_plain_count(some: Report, some_top: TopFive) -> None:
    for entry in some_top.all:
        assert entry.tally.deals == count(some.session, f"primary_reason IN ({quoted(entry)})")


def test_overlap_equals_a_plain_count(some: Report, some_top: TopFive) -> None:
    for entry in some_top.entries:
        others = " OR ".join(applies(other) for other in some_top.entries if other is not entry) or "1 = 0"
        assert entry.overlap == count(some.session, f"{applies(entry)} AND ({others})")
    by_label = {entry.label: entry for entry in some_top.entries}
    for (one, other), deals in some_top.pairs.items():
        assert deals == count(some.session, f"{applies(by_label[one])} AND {applies(by_label[other])}")


def test_list_never_holds_more_than_five(some_top: TopFive) -> None:
    assert len(some_top.entries) <= MOST_ENTRIES


def test_every_reason_stands_in_one_entry(some_top: TopFive) -> None:
    codes = [code for entry in some_top.all for code in entry.codes]
    assert sorted(codes) == sorted(TAXONOMY.codes)


def test_only_what_may_be_merged_is(some_top: TopFive) -> None:
    rules = MergeRules.shipped(TAXONOMY)
    for entry in some_top.entries:
        assert len(entry.codes) <= MOST_MERGED
        assert all(rules.find_why(one, other) for one, other in combinations(entry.codes, 2))
        assert not {"unknown", "administrative"} & set(entry.codes)


def test_entry_has_the_minimum_of_deals(some: Report, some_top: TopFive) -> None:
    assert all(entry.tally.deals >= some.scope.cut.minimum for entry in some_top.entries)


def test_same_deals_give_the_same_list(some: Report, some_top: TopFive) -> None:
    assert top_of(some) == some_top


def test_what_is_lost_adds_up(some: Report, some_top: TopFive) -> None:
    lost = cells(lost_sheet(some, some_top), "deals")
    kept = sum(entry.tally.deals for entry in some_top.all if not entry.is_merged)
    assert sum(lost) + kept == some.scope.deals
    for deals, parts in zip(lost, cells(lost_sheet(some, some_top), "of_which"), strict=True):
        assert sum(int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d(?= )", parts)) == deals


def test_deals_and_shares_add_up(some: Report, some_top: TopFive) -> None:
    sheet = entries_sheet(some, some_top)
    assert sum(cells(sheet, "deals")) == some.scope.deals
    assert sum(share.value for share in cells(sheet, "share")) == pytest.approx(1)
    assert all(share.low <= share.value <= share.high for share in cells(sheet, "share"))


def test_found_again_is_a_number_of_redraws(some_top: TopFive) -> None:
    assert all(0 <= (entry.again or 0) <= REDRAWS for entry in some_top.entries)


def test_order_of_deals_does_not_matter(losses: AddLosses, report: MakeReport) -> None:
    for product, seeds in (("One", (1, 2)), ("Two", (2, 1))):
        for seed in seeds:
            losses(150, seed=seed, product=product)
    one, two = (top_of(report(product=product)).entries for product in ("One", "Two"))
    assert [(entry.codes, entry.again) for entry in one] == [(entry.codes, entry.again) for entry in two]


def test_clear_reasons_are_found_again_each_time(losses: AddLosses, report: MakeReport) -> None:
    for code in ("price", "competitor", "product_gap", "timing", "vendor_trust"):
        losses(60, read_reason=code, is_judged=False)
    top = top_of(report())
    named = {code for entry in top.entries for code in entry.codes}
    assert named >= {"price", "competitor", "product_gap", "timing", "vendor_trust"}
    assert top.other.tally.deals == 0


def test_reason_of_an_older_taxonomy_is_other(losses: AddLosses, report: MakeReport) -> None:
    losses(40, read_reason="price", is_judged=False)
    losses(15, read_reason="retired", is_judged=False)
    top = top_of(report())
    assert top.other.parts["retired"].deals == 15
    assert "retired" not in top.labels


def test_list_of_scattered_deals_is_empty(losses: AddLosses, report: MakeReport) -> None:
    for code in ("price", "competitor", "product_gap", "timing", "unknown"):
        losses(2, read_reason=code, is_judged=False)
    assert [entry.label for entry in top_of(report()).all] == [OTHER]


SMALL_SETS = [(0,), (1,), (2,), (3,), (4,), (5,), (6,), (0, 1), (1, 2), (3, 4), (4, 5), (3, 4, 5)]


def _score(counts: Counts, entries: list[tuple[int, ...]]) -> float:
    """Scores a list deal by deal, as its definition reads."""
    deals = counts.deals.sum(axis=0)
    sizes = deals @ counts.primary
    lead = {max(entry, key=lambda code: sizes[code]) for entry in entries}
    score = 0.0
    for number, primary, applying in zip(deals, counts.primary, counts.applies, strict=True):
        [code] = np.flatnonzero(primary)
        touched = sum(any(applying[list(entry)]) for entry in entries)
        named = any(code in entry for entry in entries)
        score += number * ((1 if code in lead else 0.5) * named - touched * (touched - 1) / 2 / 8)
    return score


@pytest.mark.parametrize("seed", range(6))
def test_search_finds_what_trying_all_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    primary = np.eye(7, dtype=bool)[random.integers(7, size=30)]
    counts = Counts(random.integers(0, 12, size=(3, 30)), primary, primary | (random.random((30, 7)) < 0.15))
    sets = np.array([[code in codes for code in range(7)] for codes in SMALL_SETS])
    found = [SMALL_SETS[place] for place in find_list(counts, sets).entries]
    lists = (list(some) for size in range(MOST_ENTRIES + 1) for some in combinations(SMALL_SETS, size))
    disjoint = (some for some in lists if sum(map(len, some)) == len({code for codes in some for code in codes}))
    best = max(_score(counts, some) for some in disjoint)
    assert best - 0.01 * counts.deals.sum() <= _score(counts, found) <= best


def test_neighbours_are_of_different_groups() -> None:
    groups = {reason.code: reason.group for reason in TAXONOMY.reasons}
    for neighbour in get_neighbours():
        one, other = neighbour.pair
        assert groups[one] != groups[other]
        assert neighbour.because.endswith(".")


def test_own_doing_is_never_merged_with_the_buyers() -> None:
    rules = MergeRules.shipped(TAXONOMY)
    beside = {code for code in rules.causes if rules.find_why("sales_execution", code)}
    assert beside <= {"sales_execution", "unqualified"}


def test_locked_entry_is_in_the_list(some: Report) -> None:
    top = top_of(some, lock=["timing,budget", "unresponsive"])
    locked = {entry.codes for entry in top.entries if entry.is_locked}
    assert locked == {("budget", "timing"), ("unresponsive",)}
    assert len(top.entries) <= MOST_ENTRIES


def test_pair_kept_apart_is_never_merged(some: Report, some_top: TopFive) -> None:
    merged = [pair for entry in some_top.entries for pair in combinations(entry.codes, 2)]
    again = top_of(some, apart=[",".join(pair) for pair in merged])
    assert not {pair for entry in again.entries for pair in combinations(entry.codes, 2)} & set(merged)


@pytest.mark.parametrize(
    ("lock", "apart", "field", "cause"),
    [
        (["nonsense"], [], "lock", "which is no reason"),
        (["price,unqualified"], [], "lock", "neither of one group nor neighbours"),
        (["price,budget"], ["budget,price"], "lock", "you keep them apart"),
        (["price,budget", "budget"], [], "lock", "in two entries"),
        (["unknown"], [], "lock", "no cause of a loss"),
        (["price,budget,timing,competitor"], [], "lock", "3 at most"),
        (["price", "budget", "timing", "competitor", "in_house", "org_change"], [], "lock", "keep 5 at most"),
        ([], ["price"], "apart", "two reasons"),
        ([], ["price,nonsense"], "apart", "which is no reason"),
    ],
)
def test_wish_that_cannot_be_is_told(lock: list[str], apart: list[str], field: str, cause: str) -> None:
    with pytest.raises(CutError, match=cause) as caught:
        parse_wishes(lock, apart, TAXONOMY)
    assert caught.value.field == field


def test_wishes_are_read_from_their_own_query() -> None:
    wishes = parse_wishes(["timing,budget", "", "price"], ["in_house,competitor"], TAXONOMY)
    pairs = wishes.pairs
    again = parse_wishes(
        [value for name, value in pairs if name == "lock"],
        [value for name, value in pairs if name == "apart"],
        TAXONOMY,
    )
    assert again == wishes
    assert Wishes() == parse_wishes([], [], TAXONOMY)


def test_crosswalk_maps_every_reason_to_five_and_other(some: Report, some_top: TopFive, tmp_path: Path) -> None:
    path = tmp_path / CROSSWALK
    path.write_text(files_of(some)[CROSSWALK], encoding="utf-8")
    fields = FieldMap(TAXONOMY, read_words(path))
    said = {fields.to_crm({"lossnlp_primary_reason": code})["lossnlp_primary_reason"] for code in TAXONOMY.codes}
    assert said - {OTHER} == {entry.label for entry in some_top.entries}
    [spec] = [spec for spec in fields.specs() if spec.name == "lossnlp_primary_reason"]
    assert {choice.value for choice in spec.choices} == said


def test_reasons_beside_the_primary_are_said_once(losses: AddLosses, report: MakeReport, tmp_path: Path) -> None:
    losses(60, read_reason="price", is_judged=False)
    losses(60, read_reason="competitor", is_judged=False)
    (tmp_path / CROSSWALK).write_text(files_of(report())[CROSSWALK], encoding="utf-8")
    fields = FieldMap(TAXONOMY, read_words(tmp_path / CROSSWALK))
    said = fields.to_crm({"lossnlp_contributing_reasons": "no_decision;price;unresponsive"})
    assert said == {"lossnlp_contributing_reasons": "Other;Price"}


def test_words_of_the_company_stay(some: Report) -> None:
    words = CrmWords(
        fields={"lossnlp_primary_reason": "Loss_Reason__c"},
        values={"lossnlp_winback": {"open": "Yes"}, "lossnlp_primary_reason": {"price": "Cost"}},
        policy="if_ours",
    )
    files = files_of(some, words, "salesforce")
    mapped = CrmWords.model_validate(yaml.safe_load(files[CROSSWALK]))
    assert (mapped.fields, mapped.policy) == (words.fields, "if_ours")
    assert mapped.values["lossnlp_winback"] == {"open": "Yes"}
    assert mapped.values["lossnlp_primary_reason"]["price"] != "Cost"
    assert "salesforce/objects/Opportunity/fields/Loss_Reason__c.field-meta.xml" in files
    assert "Loss_Reason__c" not in files["hubspot/properties.json"]


def test_picklists_of_each_crm_hold_the_entries(some: Report, some_top: TopFive) -> None:
    files, labels = files_of(some), {entry.label for entry in some_top.all}
    [first, *_] = json.loads(files["hubspot/properties.json"])["inputs"]
    assert {option["value"] for option in first["options"]} == labels
    field = ET.fromstring(files[NAMES["salesforce"]])  # noqa: S314 (our own)
    assert {value.text for value in field.findall(".//{*}value/{*}fullName")} == labels
    rows = list(csv.DictReader(io.StringIO(files["picklists.csv"])))
    assert {row["value"] for row in rows if row["field"] == "lossnlp_primary_reason"} == labels


@pytest.fixture
def shown(loss_app: FastAPI, browse: Browse) -> Browse:
    loss_app.include_router(top_five_pages.router)
    return browse


def test_page_shows_the_list(shown: Browse, losses: AddLosses) -> None:
    losses(300)
    answer = shown(LEADER).get(f"{PAGE}?{WINDOW}")
    assert answer.status_code == 200
    assert answer.text.count("<h1>") == 1
    assert len(answer.content) < 300_000
    addresses = re.findall(r'(?:src|href|hx-get|action)="([^"]*)"', answer.text)
    assert all(address.startswith(("/", "#", "?")) for address in addresses)


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}/files/{CROSSWALK}"])
def test_list_of_few_deals_is_held_back(shown: Browse, losses: AddLosses, path: str) -> None:
    losses(9)
    answer = shown(LEADER).get(f"{path}?{WINDOW}")
    assert answer.status_code in (200, 409)
    assert "eld back: fewer than 10 deals" in answer.text
    assert "Stands for" not in answer.text


def test_minimum_of_the_cut_holds_back(shown: Browse, losses: AddLosses) -> None:
    losses(60)
    assert "Held back: fewer than 61 deals" in shown(LEADER).get(f"{PAGE}?{WINDOW}&minimum=61").text


def test_every_link_of_the_page_leads_somewhere(shown: Browse, losses: AddLosses) -> None:
    losses(200)
    browser = shown(LEADER)
    links = re.findall(
        r'href="(/losses/top-five/[^"]*)"', browser.get(f"{PAGE}?{WINDOW}&lock=price&apart=price,budget").text
    )
    assert len(links) >= 8
    for link in links:
        answer = browser.get(link.replace("&amp;", "&"))
        assert answer.status_code == 200, link
        assert answer.headers["content-disposition"].startswith("attachment")


def test_wishes_stay_ticked_and_are_handed_on(shown: Browse, losses: AddLosses) -> None:
    losses(200)
    text = shown(LEADER).get(f"{PAGE}?{WINDOW}&lock=price&apart=budget,timing").text
    assert '<input type="checkbox" name="lock" value="price" checked>' in text
    assert '<input type="checkbox" name="apart" value="budget,timing" checked>' in text
    assert '<input type="hidden" name="lock" value="price">' in text
    assert "kept as asked" in text


def test_wrong_wish_keeps_all_others(shown: Browse, losses: AddLosses) -> None:
    losses(200)
    answer = shown(LEADER).get(f"{PAGE}?{WINDOW}&lock=price,competitor&apart=budget,timing&team=North")
    assert answer.status_code == 422
    assert "neither of one group nor neighbours" in answer.text
    assert '<input type="hidden" name="apart" value="budget,timing">' in answer.text
    assert 'value="North"' in answer.text
    assert 'value="price,competitor"' not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [("files/nonsense.yaml", 404), (f"files/{CROSSWALK}?lock=x", 422), (f"files/{CROSSWALK}?since=x", 422)],
)
def test_file_that_cannot_be_says_why(shown: Browse, losses: AddLosses, path: str, status: int) -> None:
    losses(60)
    joint = "&" if "?" in path else "?"
    assert shown(LEADER).get(f"{PAGE}/{path}{joint}until={LAST_DAY}").status_code == status


def test_manager_sees_own_teams_alone(shown: Browse, losses: AddLosses) -> None:
    losses(40, team="North", read_reason="price", is_judged=False)
    losses(40, team="South", read_reason="competitor", is_judged=False)
    text = shown(MANAGER).get(f"{PAGE}?{WINDOW}").text
    assert "40 deals lost" in text
    assert '<th scope="row">Competitor</th>' not in text


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}/files/{CROSSWALK}", f"{PAGE}/tables/entries.csv"])
def test_rep_sees_no_list(shown: Browse, path: str) -> None:
    assert shown(REP).get(path).status_code == 403


def test_overlaps_show_all_pairs(losses: AddLosses, report: MakeReport) -> None:
    losses(300)
    made = report(Viewer(1, "Lea", "leader"))
    top = top_of(made)
    assert cells(overlaps_sheet(top), "deals") == sorted(top.pairs.values(), reverse=True)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> typer.Typer:
    """The commands, with a database of 200 losses."""
    database = Database(settings.database_url)
    with database.writing() as session:
        add_losses(session, 200)
        session.commit()
    database.close()
    monkeypatch.setenv("LOSSNLP_VAR_DIR", str(settings.var_dir))
    monkeypatch.setenv("LOSSNLP_CRM", "demo")
    app = typer.Typer()
    app.add_typer(crm, name="crm")
    app.command("top-five")(propose_top_five)
    return app


def say(app: typer.Typer, *words: str) -> str:
    return CliRunner().invoke(app, list(words), catch_exceptions=False).output


def test_exported_crosswalk_brings_entries_into_the_crm(
    monkeypatch: pytest.MonkeyPatch, commands: typer.Typer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    days = ("--since", str(FIRST_DAY), "--until", str(LAST_DAY))
    said = say(commands, "top-five", "--out", str(out), *days, "--lock", "timing,budget")
    assert "Budget or timing" in said
    monkeypatch.setenv("LOSSNLP_CRM_WORDS", str(out / CROSSWALK))
    planned = " ".join(say(commands, "crm", "setup", "--plan").split())
    labels = set(read_words(out / CROSSWALK).values["lossnlp_primary_reason"].values())
    assert len(labels) <= MOST_ENTRIES + 1
    assert all(label.split()[0] in planned for label in labels)
    assert "no_decision" not in planned


def test_command_holds_back_what_is_too_little(commands: typer.Typer, tmp_path: Path) -> None:
    words = ["top-five", "--out", str(tmp_path / "out"), "--since", "2020-01-01", "--until", "2020-02-01"]
    with pytest.raises(CutError, match="held back: fewer than 10 deals"):
        say(commands, *words)
    assert not (tmp_path / "out").exists()
