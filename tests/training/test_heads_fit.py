from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lossnlp.bundle import find_default_bundle
from lossnlp.heads import Layout
from lossnlp.taxonomy import get_default_taxonomy
from lossnlp.windows import WindowMaker, read_tokenizer
from training.config import TrainConfig
from training.corpus import LabelledDeal, labelled_deal
from training.encoders import make_small_encoder
from training.examples import ExampleMaker
from training.heads_fit import (
    ReadDeals,
    choose_lesson,
    fit_heads,
    is_for_heads,
    learn_heads,
    probability_of_primary,
    read_tokens,
)
from training.material import Material
from training.network import LossNetwork, make_batch
from training.options import OptionError, make_config, read_arguments

SCHEME = Layout(("silence", "delay"), ())
CONFIG = TrainConfig(seed=3)


def deal(number: int, text: str, code: str) -> LabelledDeal:
    row: dict[str, Any] = {
        "id": f"d-{number}",
        "documents": [{"id": "note", "kind": "rep_note", "text": f"{text} ({number})"}],
    }
    row |= {"labels": {"primary": code, "reasons": [code]}, "meta": {"account": f"a-{number}"}}
    return labelled_deal(row)


@pytest.fixture
def network() -> LossNetwork:
    torch.manual_seed(0)
    return LossNetwork(make_small_encoder(30_527), SCHEME).eval()


Read = Callable[..., ReadDeals]


@pytest.fixture
def read(network: LossNetwork) -> Read:
    maker = ExampleMaker(WindowMaker(read_tokenizer(find_default_bundle() / "tokenizer.json")), SCHEME)

    def made(count: int, **texts: str) -> ReadDeals:
        """Reads `count` deals with the text of each code in turn."""
        codes = list(texts)
        deals = [deal(number, texts[codes[number % len(codes)]], codes[number % len(codes)]) for number in range(count)]
        return read_tokens(network, [maker.make(one) for one in deals])

    return made


def test_heads_learn_what_verdicts_say(network: LossNetwork, read: Read) -> None:
    deals = read(192, silence="they went quiet", delay="moved to next year")
    before = probability_of_primary(network, deals)
    fit_heads(network, deals, config=CONFIG)
    assert before.min() < 0.5 < probability_of_primary(network, deals).min()


def test_encoder_stays_as_it_was(network: LossNetwork, read: Read) -> None:
    before = [weight.clone() for weight in network.reader.encoder.parameters()]
    fit_heads(network, read(8, silence="quiet", delay="later"), config=CONFIG)
    assert all(torch.equal(a, b) for a, b in zip(before, network.reader.encoder.parameters(), strict=True))


def test_same_deals_give_the_same_heads(network: LossNetwork, read: Read) -> None:
    deals = read(8, silence="quiet", delay="later")
    begun = {name: weight.clone() for name, weight in network.state_dict().items()}
    fit_heads(network, deals, config=CONFIG)
    first = network.reader.head.weight.clone()
    network.load_state_dict(begun)
    fit_heads(network, deals, config=CONFIG)
    assert torch.equal(first, network.reader.head.weight)


def test_vectors_come_in_the_order_of_the_deals(network: LossNetwork, read: Read) -> None:
    deals = read(3, silence="quiet for a good long while after the demo", delay="later")
    for example, tokens in zip(deals.examples, deals.tokens, strict=True):
        batch = make_batch([example], pad_id=1)
        with torch.no_grad():
            alone = network.reader.encoder(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state[0]
        torch.testing.assert_close(tokens.float(), alone[batch.owned], atol=0.05, rtol=0.05)


def test_corpus_that_says_otherwise_is_silent(network: LossNetwork, read: Read) -> None:
    own = read(12, silence="they went quiet", delay="moved to next year")
    corpus = read(24, delay="they went quiet", silence="moved to next year")
    choice = choose_lesson(network, own, corpus, groups=[str(place) for place in range(12)], config=CONFIG)
    assert choice.lesson != "everything"
    assert "everything" in choice.said


def test_corpus_that_agrees_is_learned_too(network: LossNetwork, read: Read) -> None:
    texts = {"silence": "they went quiet", "delay": "moved to next year"}
    choice = learn_heads(
        network, read(12, **texts), read(24, **texts), groups=[str(n) for n in range(12)], config=CONFIG
    )
    assert choice.lesson == "everything"


def test_trying_leaves_the_heads_alone(network: LossNetwork, read: Read) -> None:
    own, before = read(12, silence="quiet", delay="later"), network.reader.head.weight.clone()
    choose_lesson(network, own, own, groups=[str(place) for place in range(12)], config=CONFIG)
    assert torch.equal(before, network.reader.head.weight)


def test_few_accounts_learn_everything_of_the_corpus(network: LossNetwork, read: Read) -> None:
    own = read(6, silence="quiet", delay="later")
    assert choose_lesson(network, own, own, groups=["one"] * 6, config=CONFIG).lesson == "everything"


@pytest.mark.parametrize(
    ("learns", "count", "from_bundle", "expected"),
    [
        ("auto", 200, True, True),
        ("auto", 1_001, True, False),
        ("auto", 200, False, False),
        ("whole", 200, True, False),
        ("heads", 5_000, True, True),
    ],
)
def test_heads_alone_learn_from_few_verdicts(
    learns: str, count: int, from_bundle: bool, expected: bool, material: Material
) -> None:
    some = replace(material, learn=[material.learn[0]] * count, verdicts=count)
    config = CONFIG.model_copy(update={"learns": learns})
    assert is_for_heads(config, some, Path("bundle") if from_bundle else None) is expected


@pytest.fixture
def material() -> Material:
    return Material([deal(1, "quiet", "silence")], [], [], get_default_taxonomy(), "digest")


def test_heads_alone_need_a_bundle() -> None:
    asked = read_arguments(["--learn", "heads", "--encoder", "some/encoder"])
    with pytest.raises(OptionError, match="begins from a bundle"):
        make_config(asked, None)
