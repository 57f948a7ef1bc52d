from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lossnlp.bundle import find_default_bundle
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.heads import Layout
from lossnlp.windows import WindowMaker, read_tokenizer
from training.config import TrainConfig
from training.contrast import Labelled, contrast, tune_encoder
from training.corpus import CorpusError, LabelledDeal, labelled_deal
from training.crosswalk import fit_to_layout
from training.encoders import make_small_encoder
from training.examples import ExampleMaker
from training.few_labels import (
    Course,
    FewTexts,
    Tried,
    choose_stage,
    first_as_good,
    gold_of,
    learn_few,
    make_folds,
)
from training.few_run import find_course
from training.linear_heads import Array, Gold, LinearHeads, fit_probe, fit_prototypes
from training.material import Material, Sources, own_material
from training.metrics import Judged, evaluate
from training.network import LossNetwork, make_batch
from training.options import make_config, read_arguments
from training.storage import Storage
from training.train import Places, Ways, run
from training.vectors import DealVectors, put_heads

SCHEME = Layout(("tender", "visa", "weather"), ())
WORDS = {"tender": "the public tender's form was late", "visa": "the visa office said no", "weather": "rain and storm"}


def deal(number: int, codes: tuple[str, ...], account: str = "") -> LabelledDeal:
    text = f"{number} days: {' and '.join(WORDS[code] for code in codes)}"
    row = {"id": f"d-{number}", "documents": [{"id": "text", "kind": "rep_note", "text": text}]}
    return labelled_deal(
        row | {"labels": {"primary": codes[0], "reasons": list(codes)}, "meta": {"account": account or f"a-{number}"}}
    )


@pytest.fixture(scope="module")
def scheme_maker() -> ExampleMaker:
    return ExampleMaker(WindowMaker(read_tokenizer(find_default_bundle() / "tokenizer.json")), SCHEME)


@pytest.fixture
def network() -> LossNetwork:
    torch.manual_seed(0)
    return LossNetwork(make_small_encoder(30_527), SCHEME).eval()


@pytest.fixture(scope="module")
def texts(scheme_maker: ExampleMaker) -> FewTexts:
    deals = [deal(number, (SCHEME.reasons[number % 3],)) for number in range(18)]
    examples = [scheme_maker.make(one) for one in deals]
    return FewTexts(examples, gold_of(examples), [one.group for one in deals])


def some_heads(width: int, labels: int = 3) -> LinearHeads:
    draw = np.random.default_rng(0)

    def rows() -> tuple[Array, Array]:
        return draw.normal(size=(labels, width)).astype(np.float32), draw.normal(size=labels).astype(np.float32)

    return LinearHeads(rows(), rows())


def logits_of(network: LossNetwork, examples: FewTexts) -> torch.Tensor:
    with torch.no_grad():
        return network(make_batch(examples.examples, pad_id=1)).logits


def test_network_says_what_its_linear_heads_say(network: LossNetwork, texts: FewTexts) -> None:
    heads = some_heads(64)
    vectors = DealVectors(network).read(texts.examples)
    put_heads(network, heads)
    logits = logits_of(network, texts).numpy()
    for name, (weight, bias) in (("reasons", heads.reasons), ("primary", heads.primary)):
        assert np.allclose(logits[:, SCHEME.outputs[name]], vectors @ weight.T + bias, atol=1e-4)


def test_each_view_of_a_deal_has_its_vector(maker: ExampleMaker, layout: Layout, call: LabelledDeal) -> None:
    example = maker.make(call)
    network = LossNetwork(make_small_encoder(30_527), layout).eval()
    vectors = DealVectors(network).read([example])
    heads = some_heads(64, len(layout.reasons))
    put_heads(network, heads)
    with torch.no_grad():
        logits = network(make_batch([example], pad_id=1)).logits[:, layout.outputs["primary"]].numpy()
    assert len(vectors) == len(example.views) > 1
    assert np.allclose(logits, vectors @ heads.primary[0].T + heads.primary[1], atol=1e-4)


def test_other_values_stay_what_the_bundle_said(layout: Layout, texts: FewTexts) -> None:
    ours = LossNetwork(make_small_encoder(30_527), layout)
    torch.nn.init.normal_(ours.mixing.outer.weight)
    network = fit_to_layout(ours, SCHEME, ours=dict.fromkeys(SCHEME.reasons, ())).eval()
    before = logits_of(network, texts)
    put_heads(network, some_heads(64))
    after = logits_of(network, texts)
    assert torch.allclose(before[:, 6:], after[:, 6:], atol=1e-5)
    assert not torch.allclose(before[:, :6], after[:, :6], atol=1e-2)


def clouds(each: int, spread: float = 0.2) -> tuple[Array, Gold]:
    """Gives vectors around three directions, far from the origin, and their labels."""
    draw = np.random.default_rng(1)
    primary = np.repeat(np.arange(3), each)
    vectors = 3 * np.eye(3, 5)[primary] + 1 + spread * draw.normal(size=(3 * each, 5))
    return vectors.astype(np.float32), Gold(np.eye(3, dtype=bool)[primary], primary)


@pytest.mark.parametrize("strength", [0.0, 1.0, 100.0])
def test_heads_find_the_label_of_near_texts(strength: float) -> None:
    vectors, gold = clouds(8)
    heads = fit_probe(vectors, gold, strength=strength) if strength else fit_prototypes(vectors, gold)
    assert (heads.decides(vectors) == gold.primary).all()
    assert (heads.applies(vectors) == gold.present).all()


def test_probe_finds_several_labels_of_a_text() -> None:
    draw = np.random.default_rng(0)
    present = draw.random((60, 3)) < 0.5
    present[~present.any(axis=1), 0] = True
    vectors = (present @ np.eye(3, 5) + 0.1 * draw.normal(size=(60, 5))).astype(np.float32)
    gold = Gold(present, present.argmax(axis=1))
    assert not gold.is_single
    assert (fit_probe(vectors, gold, strength=100.0).applies(vectors) == present).mean() > 0.97


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_label_without_a_text_is_never_found(strength: float) -> None:
    vectors, gold = clouds(8)
    present = np.hstack([gold.present, np.zeros((24, 1), dtype=bool)])
    wider = Gold(present, gold.primary)
    heads = fit_probe(vectors, wider, strength=strength) if strength else fit_prototypes(vectors, wider)
    assert not heads.applies(vectors)[:, 3].any()
    assert 3 not in heads.decides(vectors)


def tried(stage: str, right: int, of: int = 60) -> Tried:
    return Tried(stage, 0.0, (np.arange(of) < right).astype(float), np.arange(of) % 3)


@pytest.mark.parametrize(
    ("right", "chosen"), [((50, 50, 49), "contrast"), ((50, 50, 40), "probe"), ((55, 42, 40), "prototype")]
)
def test_stage_that_learns_most_is_chosen_unless_it_is_worse(right: tuple[int, int, int], chosen: str) -> None:
    stages = ("prototype", "probe", "contrast")
    tries = [tried(stage, count) for stage, count in zip(stages, right, strict=True)]
    assert first_as_good(tries[::-1]).stage == chosen


def test_deals_of_an_account_stay_in_one_fold(scheme_maker: ExampleMaker) -> None:
    deals = [deal(number, (SCHEME.reasons[number % 3],), f"account-{number // 4}") for number in range(24)]
    examples = [scheme_maker.make(one) for one in deals]
    groups = [one.group for one in deals]
    for learn, measure in make_folds(FewTexts(examples, gold_of(examples), groups), seed=7):
        assert not {groups[place] for place in learn} & {groups[place] for place in measure}


def test_too_few_texts_to_choose_are_refused(texts: FewTexts) -> None:
    with pytest.raises(CorpusError, match="give at least 3 of some label"):
        make_folds(texts.part(np.arange(2)), seed=7)


def test_same_texts_make_the_same_choice(network: LossNetwork, texts: FewTexts) -> None:
    course = Course(("prototype", "probe"))
    first, second = (choose_stage(network, texts, course) for _ in range(2))
    assert first.said == second.said
    assert f"probe {first.tried[1].mean:.3f}" in first.said
    assert [one.scores.tolist() for one in first.tried] == [one.scores.tolist() for one in second.tried]


def test_contrast_is_least_where_labels_lie_apart() -> None:
    present = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=torch.bool)
    apart = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    assert float(contrast(apart, present)) == pytest.approx(0.0, abs=1e-6)
    assert float(contrast(apart[[0, 2, 1, 3]], present)) == pytest.approx(1.5)


def test_tuning_brings_texts_of_a_label_together(network: LossNetwork, texts: FewTexts) -> None:
    vectors = DealVectors(network)
    before = contrast(torch.from_numpy(vectors.read(texts.examples)), torch.from_numpy(texts.gold.present))
    tune_encoder(vectors, Labelled(texts.examples, texts.gold.present), seed=7)
    after = contrast(torch.from_numpy(vectors.read(texts.examples)), torch.from_numpy(texts.gold.present))
    assert float(after) < 0.9 * float(before)


@pytest.mark.slow
def test_tuned_network_reads_the_labels(network: LossNetwork, texts: FewTexts) -> None:
    learn_few(network, texts, Course(("contrast",), storage=Storage("int4")))
    found = logits_of(network, texts)[:, SCHEME.outputs["primary"]].argmax(1).numpy()
    assert (found == texts.gold.primary).mean() > 0.9


def own_file(folder: Path, codes: tuple[str, ...], count: int) -> Path:
    path = folder / "own.jsonl"
    rows = [
        {"text": f"{number} times {WORDS.get(code, code)}", "labels": [code], "account": f"a-{number}"}
        for number in range(count)
        for code in (codes[number % len(codes)],)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def own(folder: Path, codes: tuple[str, ...], count: int = 30) -> Material:
    return own_material(Sources(data=own_file(folder, codes, count)), TrainConfig(held_out=0.4))


def test_new_scheme_is_learned_from_few_labels(tmp_path: Path) -> None:
    material, config = own(tmp_path, SCHEME.reasons), TrainConfig(few_labels="auto")
    of_bundle, of_encoder = (find_course(config, material, start) for start in (find_default_bundle(), None))
    assert of_bundle
    assert of_encoder
    assert of_bundle.stages == ("prototype", "probe")
    assert of_encoder.stages == ("prototype", "probe", "contrast")


def test_known_scheme_or_many_deals_fit_the_whole_network(tmp_path: Path) -> None:
    config = TrainConfig(few_labels="auto")
    assert find_course(config, own(tmp_path, ("price", "competitor")), find_default_bundle()) is None
    assert find_course(config, own(tmp_path, ("tender", "visa"), 600), find_default_bundle()) is None


def test_stage_that_is_named_is_taken(tmp_path: Path) -> None:
    material = own(tmp_path, ("price", "competitor"))
    config = make_config(read_arguments(["--data", "x", "--few-labels", "probe"]), None)
    course = find_course(config, material, find_default_bundle())
    assert course
    assert course.stages == ("probe",)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the export goes through three libraries that warn of each other
def test_few_labels_become_a_bundle_that_reads_them(tmp_path: Path) -> None:
    material = own(tmp_path, SCHEME.reasons, 60)
    config = TrainConfig(few_labels="probe", quantization="int8", layers=2)
    places = Places(tmp_path / "bundle", tmp_path / "state")
    run(config, material, places, Ways(smoke=True, record=False, baseline=False))
    classifier = LossClassifier.load(places.bundle)
    judged = [Judged(one, classifier.assess(one.deal)) for one in material.held_out]
    assert evaluate(judged)["primary.accuracy"] > 0.9
    text = "in the end the visa office said no"
    assert classifier.assess(Deal.from_request({"id": "d", "text": text})).primary.code == "visa"
    assert "`probe`" in (places.bundle / "MODEL_CARD.md").read_text()
