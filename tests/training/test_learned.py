from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossnlp.bundle import find_default_bundle, read_bundle, refresh_manifest, write_manifest
from lossnlp.errors import BundleError
from lossnlp.heads import Layout
from training.config import TrainConfig
from training.corpus import CorpusError, corpus_digest, labelled_deal
from training.evaluate import find_shown
from training.golden import golden_set, newest_verdicts
from training.learned import Known, add_record, marks, read_known, write_learned
from training.starting import start_from_bundle
from training.verdict_file import FORMAT

Rows = Callable[..., dict[str, Any]]
NOTHING = Known(frozenset(), frozenset())


def row(base: dict[str, Any], deal_id: str, text: str, **meta: str) -> dict[str, Any]:
    documents = [{"id": "text", "kind": "rep_note", "text": text}]
    return base | {"id": deal_id, "documents": documents, "meta": meta, "format": FORMAT}


@pytest.fixture
def plain(make_note_row: Rows) -> dict[str, Any]:
    return make_note_row(revisit=None, evidence={})


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def test_a_deal_is_known_by_words_id_or_account(plain: dict[str, Any]) -> None:
    learned = labelled_deal(row(plain, "d-1", "Lost on price.", account="Nordwind"))
    known = Known(frozenset(marks(learned)), frozenset())
    others = [
        row(plain, "d-2", "lost ON price", account="Other"),
        row(plain, "d-1", "Something else."),
        row(plain, "d-3", "Wholly new.", account="Nordwind"),
        row(plain, "d-4", "Wholly new."),
    ]
    assert [known.has_learned(labelled_deal(one)) for one in others] == [True, True, True, False]


def test_held_out_deals_that_a_bundle_learned_are_not_measured_on(
    plain: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="training")
    deals = [labelled_deal(row(plain, f"d-{at}", f"Note {at}")) for at in range(4)]
    twin = labelled_deal(row(plain, "other", "note 2!"))
    shown = find_shown(Known(frozenset(marks(twin)), frozenset()), deals)
    assert [one.deal.id for one in shown] == ["d-0", "d-1", "d-3"]
    assert "1 of 4 held-out deals are left out" in caplog.text


def test_golden_deals_that_a_bundle_knows_do_not_count(tmp_path: Path, plain: dict[str, Any]) -> None:
    rows = [row(plain, f"d-{at}", f"Note {at}") for at in range(4)]
    deals = [labelled_deal(one) for one in rows]
    champion = Known(frozenset(marks(deals[0])), frozenset(marks(deals[2])))
    challenger = Known(frozenset(), frozenset((*marks(deals[1]), *marks(deals[2]))))
    found = golden_set(write(tmp_path / "g.jsonl", rows), read_bundle(find_default_bundle()), (champion, challenger))
    assert [one.deal.id for one in found.deals] == ["d-2", "d-3"]
    assert (found.learned, found.uneven) == (1, 1)


def test_newest_verdicts_come_first_and_count_once(tmp_path: Path, plain: dict[str, Any]) -> None:
    days = ("2026-01-01", "2026-03-01", "2026-02-01")
    rows = [row(plain, f"d-{at}", f"Note {at}", judged_on=day) for at, day in enumerate(days)]
    golden = [labelled_deal(rows[0])]
    found = newest_verdicts(write(tmp_path / "v.jsonl", rows), golden, (NOTHING, NOTHING))
    assert [one.deal.id for one in found.deals] == ["d-1", "d-2"]


def test_golden_digest_changes_with_a_label(tmp_path: Path, plain: dict[str, Any]) -> None:
    bundle = read_bundle(find_default_bundle())
    first = golden_set(write(tmp_path / "g.jsonl", [row(plain, "d", "Note")]), bundle, (NOTHING, NOTHING))
    changed = row(plain | {"labels": plain["labels"] | {"winback": "closed"}}, "d", "Note")
    second = golden_set(write(tmp_path / "g.jsonl", [changed]), bundle, (NOTHING, NOTHING))
    assert first.digest != second.digest


def test_golden_label_that_the_champion_lacks_is_named(tmp_path: Path, plain: dict[str, Any]) -> None:
    strange = row(plain | {"labels": {"primary": "weather", "reasons": ["weather"]}}, "d-9", "Rain")
    with pytest.raises(CorpusError, match=r"'d-9', field 'labels\.reasons': the champion has no label 'weather'"):
        golden_set(write(tmp_path / "g.jsonl", [strange]), read_bundle(find_default_bundle()), (NOTHING, NOTHING))


def test_shipped_bundle_says_what_it_learned() -> None:
    known = read_known(read_bundle(find_default_bundle()))
    assert len(known.learned) > len(known.calibrated) > 0
    assert len(known.learned & known.calibrated) < len(known.calibrated) / 100  # short notes that say the same


def test_bundle_without_a_record_is_not_trusted(tmp_path: Path, plain: dict[str, Any]) -> None:
    folder = Path(shutil.copytree(find_default_bundle(), tmp_path / "bundle"))
    (folder / "learned.json").unlink()
    refresh_manifest(folder)
    with pytest.raises(BundleError, match="does not say which deals it learned from"):
        read_known(read_bundle(folder))
    with pytest.raises(BundleError, match="name the files it was trained from"):
        add_record(folder, [write(tmp_path / "c.jsonl", [plain])])


def shipped(folder: Path, **settings: object) -> Path:
    """Gives a copy of the shipped bundle in `folder`, with other settings and without its record."""
    bundle = Path(shutil.copytree(find_default_bundle(), folder / "bundle"))
    (bundle / "learned.json").unlink()
    (bundle / "metrics.json").write_text(json.dumps({"settings": TrainConfig(**settings).model_dump()}))  # type: ignore[arg-type]
    refresh_manifest(bundle)
    return bundle


def test_a_bundle_knows_what_its_start_had_learned(tmp_path: Path, plain: dict[str, Any], layout: Layout) -> None:
    start = start_from_bundle(find_default_bundle(), layout, ours={})
    own = labelled_deal(row(plain, "d-2", "A new deal"))
    known = write_learned(tmp_path, learned=[own], calibrated=[], before=start.learned)
    assert known.learned == {*read_known(read_bundle(find_default_bundle())).learned, *marks(own)}


def test_a_start_that_does_not_say_what_it_learned_is_refused(tmp_path: Path, layout: Layout) -> None:
    with pytest.raises(BundleError, match="does not say which deals it learned from"):
        start_from_bundle(shipped(tmp_path), layout, ours={})


def test_a_record_is_added_with_what_the_start_had_learned(tmp_path: Path, plain: dict[str, Any]) -> None:
    start = read_bundle(find_default_bundle())
    folder = shipped(tmp_path, start=f"bundle {start.manifest.version}")
    corpus = write(tmp_path / "c.jsonl", [row(plain, f"n-{at}", f"Note {at}") for at in range(20)])
    made = {"encoder": "small", "max_tokens": 256, "made_at": "2026-11-23T00:00:00+00:00"}
    write_manifest(folder, corpus=corpus_digest([corpus]), **made)  # type: ignore[arg-type]
    assert add_record(folder, [corpus]).learned > read_known(start).learned
    with pytest.raises(BundleError, match="name the bundle it began from with --start"):
        add_record(folder, [corpus], start=folder)


def test_record_is_read_as_it_was_written(tmp_path: Path, plain: dict[str, Any]) -> None:
    folder = Path(shutil.copytree(find_default_bundle(), tmp_path / "bundle"))
    deal = labelled_deal(row(plain, "d", "Note"))
    write_learned(folder, learned=[deal], calibrated=[])
    refresh_manifest(folder)
    assert read_known(read_bundle(folder)) == Known(frozenset(marks(deal)), frozenset())
