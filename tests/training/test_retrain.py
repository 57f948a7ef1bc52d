from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.heads import Layout
from training import train
from training.config import TrainConfig, smoke_config
from training.corpus import CorpusError, LabelledDeal
from training.data_check import check_material
from training.examples import ExampleMaker
from training.material import Sources, corpus_material, own_material
from training.options import OptionError, find_start, make_config, read_arguments, sources_of
from training.plan import Budget, find_plan, keep_plan, make_plan
from training.train import Places, Ways, run
from training.verdict_file import FORMAT

Rows = Callable[..., dict[str, Any]]
LABELS = ("price", "competitor")
OTHER = {"primary": "other", "reasons": ["other"], "evidence": {}}


def own_rows(count: int) -> list[dict[str, str]]:
    return [
        {
            "id": f"own-{at}",
            "text": f"{at} reasons why {LABELS[at % 2]} decided in the end, as they told us on call {at}",
            "label": LABELS[at % 2],
            "account": f"account-{at // 3}",
            "closed_at": f"2026-{1 + at % 9:02}-01",
        }
        for at in range(count)
    ]


def write(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def corpus(folder: Path, make_note_row: Rows, count: int) -> Path:
    path = folder / "corpus.jsonl"
    rows = [make_note_row() | {"id": f"n-{at}"} for at in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_no_account_straddles_and_the_corpus_is_beside(tmp_path: Path, make_note_row: Rows) -> None:
    sources = Sources(corpus=(corpus(tmp_path, make_note_row, 60),), data=write(tmp_path, own_rows(90)))
    material = own_material(sources, TrainConfig(held_out=0.3))
    learn, held_out = ({one.meta.get("account") for one in side} for side in (material.learn, material.held_out))
    assert learn
    assert held_out - {None}
    assert not learn & held_out
    assert (len(material.learn) < 90, len(material.replay) > 40, material.taxonomy.version) == (True, True, "1")


def test_every_seed_holds_out_the_same_deals(tmp_path: Path, make_note_row: Rows) -> None:
    notes = corpus(tmp_path, make_note_row, 60)
    verdicts = tmp_path / "verdicts.jsonl"
    rows = [make_note_row(revisit=None, evidence={}) | {"id": f"v-{at}", "format": FORMAT} for at in range(60)]
    verdicts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    held_out = []
    for seed in (7, 8):
        run_material = own_material(Sources((notes,), verdicts=verdicts), TrainConfig(seed=seed))
        measured = corpus_material(
            [notes], TrainConfig(seed=seed), verdicts
        )  # as training.evaluate and the gate split them
        held_out += [{one.deal.id for one in found.held_out} for found in (run_material, measured)]
        assert not held_out[-1] & {one.deal.id for one in (*run_material.learn, *run_material.replay)}
    assert len(held_out[0]) > 5
    assert held_out == held_out[:1] * 4


def test_newest_deals_and_their_accounts_are_not_learned(tmp_path: Path) -> None:
    sources = Sources(data=write(tmp_path, own_rows(90)), since=date(2026, 8, 1))
    material = own_material(sources, TrainConfig())
    newest = {one.group for one in material.newest}
    assert {one.deal.closed_at.month for one in material.newest if one.deal.closed_at} == {8, 9}
    assert not newest & {one.group for one in (*material.learn, *material.held_out)}
    assert len(material.learn) + len(material.held_out) + len(material.newest) + material.left_out == 90


def test_a_day_after_all_deals_is_refused(tmp_path: Path) -> None:
    sources = Sources(data=write(tmp_path, own_rows(9)), since=date(2027, 1, 1))
    with pytest.raises(CorpusError, match="--holdout-since 2027-01-01"):
        own_material(sources, TrainConfig())


def test_own_reasons_keep_our_profile_while_the_corpus_teaches_it(tmp_path: Path, make_note_row: Rows) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "{version: mine, groups: [{code: all, label: All}], reasons: ["
        "{code: money, group: all, label: Price, definition: Dear., ours: [price]}, "
        "{code: competitor, group: all, label: Competitor, definition: Another.}]}"
    )
    beside = Sources((corpus(tmp_path, make_note_row, 20),), data=write(tmp_path, own_rows(9)), taxonomy=own)
    material = own_material(beside, TrainConfig())
    assert material.replay[0].labels.reasons == ("money", "competitor")
    assert len(material.taxonomy.elements) == 8
    alone = own_material(Sources(data=beside.data, taxonomy=own), TrainConfig())
    assert (alone.replay, alone.taxonomy.elements) == ([], ())


def test_lines_that_nobody_judged_are_no_verdicts(tmp_path: Path, make_note_row: Rows) -> None:
    path = tmp_path / "open.jsonl"
    path.write_text(json.dumps(make_note_row() | {"format": "lossnlp-open/1"}) + "\n")
    (fault,) = own_material(Sources(verdicts=path), TrainConfig()).unreadable
    assert fault.fault.startswith("field 'format': is 'lossnlp-open/1'")


@pytest.mark.parametrize("has_corpus", [False, True])
def test_deals_with_a_profile_are_learned_without_a_taxonomy(
    tmp_path: Path, make_call_row: Rows, maker: ExampleMaker, has_corpus: bool
) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(make_call_row() | {"labels": make_call_row()["labels"] | OTHER}) + "\n")
    beside = (corpus(tmp_path, make_call_row, 9),) if has_corpus else ()
    material = own_material(Sources(beside, data=path), TrainConfig())
    layout = Layout(material.taxonomy.codes, material.taxonomy.element_codes)
    own = ExampleMaker(maker.windows, layout)
    (example,) = [own.make(one) for one in (*material.learn, *material.held_out) if one.batch == "verdicts"]
    gaps = example.views[1].targets["gap"]
    assert isinstance(gaps, np.ndarray)
    assert gaps[layout.elements.index("decision_criteria")] == 1


def test_an_own_list_with_fewer_elements_learns_beside_the_corpus(
    tmp_path: Path, make_note_row: Rows, maker: ExampleMaker
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "{version: mine, groups: [{code: all, label: All}], "
        "elements: [{code: champion, label: C, gap: G, covered: C, question: Q}], reasons: ["
        "{code: price, group: all, label: Price, definition: Dear.}, "
        "{code: competitor, group: all, label: Competitor, definition: Another.}]}"
    )
    sources = Sources((corpus(tmp_path, make_note_row, 20),), data=write(tmp_path, own_rows(9)), taxonomy=own)
    material = own_material(sources, TrainConfig())
    layout = Layout(material.taxonomy.codes, material.taxonomy.element_codes)
    assert ExampleMaker(maker.windows, layout).make(material.replay[0]).views[0].targets["primary"] == 0


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ({"meddpicc": {"luck": "gap"}}, "field 'labels.meddpicc': 'luck' is none of metrics, "),
        ({"primary": "timing"}, "field 'labels.primary': 'timing' is none of the reasons"),
    ],
)
def test_labels_that_cannot_be_learned_are_named(
    tmp_path: Path, make_note_row: Rows, labels: dict[str, Any], fault: str
) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(make_note_row(**labels)) + "\n")
    (row,) = own_material(Sources(data=path), TrainConfig()).unreadable
    assert row.fault.startswith(fault)


def found(tmp_path: Path, rows: list[dict[str, str]]) -> dict[str, tuple[str, int]]:
    material = own_material(Sources(data=write(tmp_path, rows)), TrainConfig(held_out=0.4))
    return {
        finding.what.split(",")[0].split(":")[0]: (finding.level, finding.count) for finding in check_material(material)
    }


def test_the_check_says_what_is_wrong(tmp_path: Path) -> None:
    rows = own_rows(60)
    rows += [
        rows[0] | {"id": "twice"},
        rows[1] | {"id": "torn", "label": "price"},
        rows[2] | {"id": "bare", "label": ""},
    ]
    rows += [rows[3] | {"id": "odd", "label": "timing", "closed_at": "soon"}]
    wrong = found(tmp_path, rows)
    assert wrong["rows that cannot be read; mend them or take them out"] == ("error", 1)
    assert wrong["rows without a label"] == ("warning", 1)
    assert wrong["same words"] == ("warning", 1)


def test_the_check_names_both_sides_of_a_leak(tmp_path: Path) -> None:
    rows = own_rows(40)
    copies = [row | {"id": f"copy-{row['id']}", "account": f"other-{row['id']}"} for row in rows]
    assert found(tmp_path, rows + copies)["nearly the same words on both sides of the split"][1] > 5


def test_one_label_alone_is_an_error(tmp_path: Path) -> None:
    wrong = found(tmp_path, own_rows(60)[::2])
    assert wrong["fewer than two labels to learn; give deals of at least two"] == ("error", 1)


def test_an_empty_file_of_verdicts_is_nothing_to_learn_from(tmp_path: Path, make_note_row: Rows) -> None:
    (tmp_path / "verdicts.jsonl").touch()
    sources = Sources((corpus(tmp_path, make_note_row, 30),), verdicts=tmp_path / "verdicts.jsonl")
    errors = [one.what for one in check_material(own_material(sources, TrainConfig())) if one.level == "error"]
    assert [what.split(":")[0] for what in errors] == ["nothing to learn from"]


def test_clean_deals_pass_the_check(tmp_path: Path) -> None:
    assert not found(tmp_path, own_rows(60))


def test_a_short_budget_gives_up_replay_before_passes(maker: ExampleMaker, note: LabelledDeal) -> None:
    own, replay = [maker.make(note)] * 10, [maker.make(note)] * 100
    tokens = own[0].n_tokens

    def planned(deals_of_time: float) -> tuple[int, int]:
        budget = Budget(minutes=deals_of_time * tokens / 60 / 0.6)
        plan = make_plan(own, replay, config=TrainConfig(epochs=3), budget=budget, token_s=1.0)
        return plan.epochs, plan.replayed

    assert [planned(room) for room in (121, 91, 61, 41, 21, 5)] == [(3, 30), (3, 20), (3, 10), (2, 10), (1, 11), (1, 0)]


def test_a_kept_plan_is_found_by_its_run_alone(tmp_path: Path) -> None:
    plan = make_plan([], [], config=TrainConfig(), budget=Budget(), token_s=0.0).model_copy(update={"key": "mine"})
    keep_plan(tmp_path, plan)
    assert find_plan(tmp_path, "mine") == plan
    assert find_plan(tmp_path, "another") is None


@pytest.mark.parametrize(
    ("words", "is_bundle"),
    [([], False), (["--data", "x"], True), (["--data", "x", "--encoder", "e"], False), (["--start", "bundle"], True)],
)
def test_own_deals_begin_from_the_bundle(words: list[str], is_bundle: bool) -> None:
    assert find_start(read_arguments(words)) == (find_default_bundle() if is_bundle else None)


def test_a_start_from_a_bundle_names_it() -> None:
    config = make_config(read_arguments(["--data", "x"]), find_default_bundle())
    assert config.start == f"bundle {read_bundle(find_default_bundle()).manifest.version}"
    assert config.layers > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes", "0"], "--minutes 0: give 1 or more"),
        (["--taxonomy", "x"], "--taxonomy goes with own deals"),
        (["--device", "mps"], "this machine has none"),
        (["--start", "no-such-folder"], "write encoder, bundle or a bundle folder"),
        (["--start", "bundle", "--encoder", "e"], "leave one of them out"),
        (["--promote", "--no-record"], "--promote goes with a recorded run"),
        (["--golden", "golden.jsonl"], "--golden goes with --promote"),
    ],
)
def test_options_that_cannot_be_had_are_named(words: list[str], message: str) -> None:
    asked = read_arguments(words)
    with pytest.raises(OptionError, match=message):
        make_config(asked, find_start(asked))


def test_no_replay_leaves_the_corpus_out() -> None:
    asked = read_arguments(["--data", "x", "--replay", "0"])
    assert sources_of(asked, find_default_bundle()).corpus == ()


def hashes(folder: Path) -> dict[str, str]:
    parts = (path for path in folder.iterdir() if path.name not in ("manifest.json", "MODEL_CARD.md"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in parts}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the export goes through three libraries that warn of each other
def test_an_interrupted_run_ends_in_the_same_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    material = own_material(Sources(data=write(tmp_path, own_rows(30))), TrainConfig(held_out=0.4))
    config = smoke_config(TrainConfig()).model_copy(update={"epochs": 2})
    ways = Ways(smoke=True, record=False, baseline=False, budget=Budget(minutes=60))
    whole, halves = (Places(tmp_path / name, tmp_path / f"{name}-state") for name in ("whole", "halves"))
    run(config, material, whole, ways)

    def stop(epoch: int, _: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(train, "_log_losses", stop)
        with pytest.raises(KeyboardInterrupt):
            run(config, material, halves, ways)
    assert not halves.bundle.exists()
    run(config, material, halves, ways)
    assert hashes(halves.bundle) == hashes(whole.bundle)
