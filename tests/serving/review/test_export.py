from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from typer.testing import CliRunner

from lossnlp.assessment import Evidence
from lossnlp.deal import Deal
from lossnlp.taxonomy import get_default_taxonomy
from serving.cli_verdicts import verdicts
from serving.review.export import NO_QUOTES, NO_WORDS, Tally, VerdictExport
from serving.review.seal import Seal, keep_sealed
from serving.review.verdict import VerdictLabels
from serving.review.verdict_lines import FORMAT, OPEN_FORMAT, LineLabels, VerdictLine, make_line
from serving.review.verdicts import Bench
from serving.store import Database, now
from serving.tables import AssessmentRow, PersonRow
from tests.serving.review.desk_world import AddReview, Judge, People
from training import verdict_file

TEXT, ACCOUNT = "Kestrel: price", {"account": "Kestrel Foods"}
QUOTE = Evidence(document_id="n", start=0, end=14, text=TEXT)
CHANGED = VerdictLabels(reasons=("price", "budget"), competitors={"Gong": "won"}, evidence={"price": (QUOTE,)})


def deal(deal_id: str, text: str = TEXT, **fields: Any) -> Deal:
    documents = [{"id": "n", "kind": "rep_note", "text": text}]
    return Deal.from_request({"deal": {"id": deal_id, **ACCOUNT, **fields}, "documents": documents})


Export = Callable[..., tuple[list[VerdictLine], Tally]]


@pytest.fixture
def export(database: Database) -> Export:
    """Gives lines and tally of an export; the words of every deal are `text`, or not to be had for None."""

    def run(text: str | None = TEXT, since: datetime | None = None, **how: bool) -> tuple[list[VerdictLine], Tally]:
        tally = Tally()

        def find_deal(row: AssessmentRow) -> Deal | None:
            return deal(row.deal_id, text) if text else None

        return list(VerdictExport(database, find_deal, **how).lines(tally, since)), tally

    return run


def test_a_verdict_becomes_a_line_to_learn_from(
    people: People, add_review: AddReview, judge: Judge, export: Export, tmp_path: Path
) -> None:
    judge(people.ana, add_review("d-1", TEXT, fields=ACCOUNT), "change", CHANGED)
    (line,), tally = export()
    (tmp_path / "verdicts.jsonl").write_text(json.dumps(line.as_row()) + "\n")
    (read,) = verdict_file.read_verdicts(tmp_path / "verdicts.jsonl")
    assert (read.labels.reasons, read.labels.evidence) == (("price", "budget"), {"price": ("Account_A: price",)})
    assert (read.note, read.buyer, read.group) == (read.labels, None, "verdicts:account of d-1")
    assert (tally.lines, tally.open, tally.left_out) == (1, 0, [])


def test_both_sides_name_one_format() -> None:
    assert verdict_file.FORMAT == FORMAT


def test_words_stay_where_nobody_asks_to_redact(
    people: People, add_review: AddReview, judge: Judge, export: Export
) -> None:
    judge(people.ana, add_review("d-1", TEXT, fields=ACCOUNT), "change", CHANGED)
    (line,), _ = export(redact=False)
    assert (line.documents[0].text, line.labels.evidence["price"]) == (TEXT, (TEXT,))
    assert (line.deal["account"], line.meta["redacted"]) == ("Kestrel Foods", False)


def test_only_the_verdict_that_holds_is_written(
    database: Database, people: People, add_review: AddReview, judge: Judge, export: Export
) -> None:
    kept, gone = add_review("d-1", TEXT), add_review("d-2", TEXT)
    judge(people.ana, kept)
    judge(people.ben, kept, "change", CHANGED)
    undone = judge(people.ana, gone)
    with database.writing() as session:
        Bench(get_default_taxonomy()).undo(session, undone.id, session.get_one(PersonRow, people.ana.id))
        session.commit()
    lines, _ = export()
    assert [(line.id, line.meta["verdict"]) for line in lines] == [("d-1", "change")]


def test_deals_without_words_are_listed(people: People, add_review: AddReview, judge: Judge, export: Export) -> None:
    judge(people.ana, add_review("d-1", TEXT))
    lines, tally = export(text=None)
    assert lines == []
    assert [(one.deal_id, one.why) for one in tally.left_out] == [("d-1", NO_WORDS)]


def test_words_that_changed_since_are_not_used(
    people: People, add_review: AddReview, judge: Judge, export: Export
) -> None:
    judge(people.ana, add_review("d-1", TEXT))
    lines, tally = export(text="a price")
    assert (lines, tally.causes()) == ([], {NO_QUOTES: 1})


def test_since_leaves_out_older_verdicts(people: People, add_review: AddReview, judge: Judge, export: Export) -> None:
    judge(people.ana, add_review("d-1", TEXT))
    assert export(since=now() + timedelta(minutes=1))[0] == []
    assert len(export(since=datetime(2020, 1, 1, tzinfo=UTC))[0]) == 1


def test_open_deals_come_only_when_asked_for(
    people: People, add_review: AddReview, judge: Judge, export: Export
) -> None:
    judge(people.ana, add_review("d-1", TEXT), "cannot_tell")
    assert export()[0] == []
    (line,), tally = export(with_open=True)
    assert (line.format, line.labels.primary) == (OPEN_FORMAT, "price")
    assert (tally.lines, tally.open) == (0, 1)


def test_deals_of_one_account_share_its_first_deal(
    people: People, add_review: AddReview, judge: Judge, export: Export
) -> None:
    for deal_id in ("d-1", "d-2"):
        judge(people.ana, add_review(deal_id, TEXT))
    assert [line.meta["account"] for line in export()[0]] == ["account of d-1", "account of d-1"]


def test_accounts_of_two_exports_share_no_name(
    people: People, add_review: AddReview, judge: Judge, export: Export
) -> None:
    judge(people.ana, add_review("d-1", TEXT))
    between = judge(people.ana, add_review("d-2", TEXT)).created_at
    names = [[line.meta["account"] for line in export(since=since)[0]] for since in (None, between)]
    assert names == [["account of d-1", "account of d-1"], ["account of d-2"]]


def test_a_deal_of_note_and_call_names_no_labels_apart() -> None:
    documents = [{"id": "n", "kind": "rep_note", "text": "a"}, {"id": "c", "kind": "call_transcript", "text": "b"}]
    both = Deal.from_request({"deal": {"id": "d"}, "documents": documents})
    labels = LineLabels(primary="price", reasons=("price",))
    assert make_line(both, labels, is_open=False, meta={}).as_row()["sources"] == {"note": None, "buyer": None}
    assert "sources" not in make_line(deal("d"), labels, is_open=False, meta={}).as_row()


@pytest.fixture
def sealed(
    database: Database,
    database_url: str,
    people: People,
    add_review: AddReview,
    judge: Judge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One judged deal, whose words are kept sealed, and settings that open it."""
    key = Fernet.generate_key().decode()
    judge(people.ana, add_review("d-1", TEXT, fields=ACCOUNT), "change", CHANGED)
    with database.writing() as session:
        row = session.scalars(select(AssessmentRow)).one()
        keep_sealed(session, row, deal("d-1"), seal=Seal(key))
        session.commit()
    monkeypatch.setenv("LOSSNLP_DATABASE_URL", database_url)
    monkeypatch.setenv("LOSSNLP_TEXT_KEYS", key)


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize(
    ("form", "beside"), [("lossnlp", None), ("label-studio", "interface.xml"), ("argilla", "settings.json")]
)
def test_command_writes_sealed_words_in_every_form(tmp_path: Path, form: str, beside: str | None) -> None:
    out = tmp_path / "out.json"
    done = CliRunner().invoke(verdicts, ["export", str(out), "--format", form])
    assert done.exit_code == 0, done.output
    assert "1 verdicts in" in done.stderr
    text = out.read_text()
    assert "Account_A: price" in text
    assert "Kestrel" not in text
    assert json.loads(text)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert beside is None or (tmp_path / f"out.{beside}").exists()


@pytest.mark.usefixtures("sealed")
def test_command_lists_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOSSNLP_TEXT_KEYS")
    done = CliRunner().invoke(verdicts, ["export", str(tmp_path / "out.jsonl"), "--with-open"])
    assert "0 verdicts in" in done.stderr
    assert "1 deals left out" in done.stderr
    assert "d-1" in done.stdout
    assert (tmp_path / "out.open.jsonl").read_text() == ""
