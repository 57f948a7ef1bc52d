"""A run on few labels: whether a scheme is new and small enough for it, and what the run learns then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from lossnlp.bundle import read_bundle
from lossnlp.taxonomy import NO_CAUSE, NOT_A_LOSS
from training.config import TrainConfig
from training.corpus import LabelledDeal
from training.examples import ExampleMaker
from training.few_labels import STAGES, Choice, Course, FewTexts, gold_of, learn_few
from training.material import Material
from training.network import LossNetwork

MOST_A_LABEL = 128
MOST_DEALS = 4_000
# Tuning would change what the other heads of a bundle read.
_BESIDE_A_BUNDLE = ("prototype", "probe")


def find_course(config: TrainConfig, material: Material, bundle: Path | None) -> Course | None:
    """Gives how a run learns from few labels, or None where it fits the whole network.

    Left to itself it does so for own deals whose reasons are all new, with no corpus beside them and at most 128 deals a label in the
    middle, 4,000 in all.

    Args:
        config: `few_labels` says what is wanted.
        material: What there is to learn from.
        bundle: The bundle to begin from; None: an encoder.

    Raises:
        BundleError: The bundle is unusable.
    """
    if config.few_labels in STAGES:
        return Course((config.few_labels,), config.seed, config.storage)
    if config.few_labels == "off" or not is_few(material, bundle):
        return None
    return Course(_BESIDE_A_BUNDLE if bundle else STAGES, config.seed, config.storage)


def is_few(material: Material, bundle: Path | None) -> bool:
    """Says whether a run has few deals of a scheme that is new to what it begins from."""
    if not material.verdicts or material.replay:
        return False
    counts = Counter(code for one in material.learn for code in one.labels.reasons)
    if not counts or _known_codes(material, bundle):
        return False
    return median(counts.values()) <= MOST_A_LABEL and len(material.learn) <= MOST_DEALS


def _known_codes(material: Material, bundle: Path | None) -> set[str]:
    """Gives the run's reasons that the bundle has a head for; the two that every list may have do not count."""
    known = set(read_bundle(bundle).taxonomy.codes) if bundle else set()
    own = [code for code in material.taxonomy.codes if code not in (NO_CAUSE, NOT_A_LOSS)]
    return {code for code in own if known.intersection(material.ours.get(code, (code,)))}


def fit_few(network: LossNetwork, maker: ExampleMaker, deals: Sequence[LabelledDeal], course: Course) -> Choice:
    """Gives the stage that was chosen for the deals, after putting it into the network.

    Raises:
        CorpusError: There are too few deals to choose.
    """
    examples = [maker.make(one) for one in deals]
    return learn_few(network, FewTexts(examples, gold_of(examples), [one.group for one in deals]), course)
