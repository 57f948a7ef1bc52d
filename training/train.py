"""A training run from corpus to bundle, top to bottom: `python -m training.train`."""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from lossnlp.bundle import find_default_bundle, read_bundle, write_manifest
from lossnlp.calibration import Calibration, write_calibration
from lossnlp.classifier import LossClassifier
from lossnlp.errors import LossNlpError
from lossnlp.heads import Layout
from lossnlp.windows import WindowMaker, read_tokenizer
from training import registry
from training.baseline import Baseline
from training.calibrate import calibrate
from training.card import RunRecord
from training.config import TrainConfig, smoke_config
from training.corpus import corpus_files
from training.encoders import find_encoder, load_encoder, make_small_encoder
from training.evaluate import Figures, judge_crosswise, read_gold, write_evaluation
from training.examples import ExampleMaker
from training.export import export_network
from training.fit import fit
from training.learned import write_learned
from training.material import Material, corpus_material, folder_material
from training.metrics import Judged, evaluate
from training.network import LossNetwork

log = logging.getLogger("training")


@dataclass(frozen=True)
class Places:
    """Where a run writes.

    Args:
        bundle: Folder the bundle goes to.
        work: Folder of the resumable state.
    """

    bundle: Path
    work: Path


@dataclass(frozen=True)
class Start:
    """Where the network begins: an encoder and its tokenizer file."""

    encoder: PreTrainedModel
    tokenizer: Path


def run(
    config: TrainConfig,
    material: Material,
    places: Places,
    *,
    smoke: bool = False,
    record: bool = True,
    baseline: bool = True,
) -> Figures:
    """Trains, calibrates, evaluates and exports a bundle, and gives its figures on held-out deals by group.

    Args:
        config: The settings.
        material: What to learn from and to measure on.
        places: Where to write.
        smoke: Begin from a small untrained encoder instead of the configured one.
        record: Log the run in MLflow and register the bundle.
        baseline: Measure the baseline on the same deals too.

    Raises:
        LossNlpError: The encoder is unusable.
    """
    _seed(config.seed)
    counted = (len(material.learn), len(material.held_out), material.verdicts)
    log.info("%d deals to learn from, %d held out; %d of them verdicts", *counted)
    tags = {"corpus": material.digest, "taxonomy": material.taxonomy.version, "verdicts": str(material.verdicts)}
    with registry.recorded_run(config, tags=tags) if record else _unrecorded():
        beside = _baseline(material) if baseline else {}
        start = _smoke_start() if smoke else _start(config)
        network = _fitted(config, material, places, start=start, record=record)
        export_network(
            network,
            places.bundle,
            quantization=config.quantization,
            tokenizer=start.tokenizer,
            taxonomy=material.taxonomy,
        )
        figures = _measured(config, material, places, beside)
        if record:
            registry.record_figures(figures | {"baseline": beside})
            log.info("registered as version %s", registry.register_bundle(places.bundle))
    return figures


def _unrecorded() -> AbstractContextManager[None]:
    return nullcontext()


def _baseline(material: Material) -> dict[str, float]:
    figures = Baseline(material.learn, material.taxonomy).evaluate(material.test or material.held_out)
    log.info("baseline: primary accuracy %.3f", figures["primary.accuracy"])
    return figures


def _start(config: TrainConfig) -> Start:
    encoder = load_encoder(config.encoder, layers=config.layers)
    folder = Path(find_encoder(config.encoder))
    if (folder / "tokenizer.json").is_file():
        return Start(encoder, folder / "tokenizer.json")
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - only where a hub is reached

    return Start(encoder, Path(hf_hub_download(config.encoder, "tokenizer.json")))


def _smoke_start() -> Start:
    tokenizer = find_default_bundle() / "tokenizer.json"
    return Start(make_small_encoder(read_tokenizer(tokenizer).get_vocab_size()), tokenizer)


def _fitted(config: TrainConfig, material: Material, places: Places, *, start: Start, record: bool) -> LossNetwork:
    layout = Layout(material.taxonomy.codes, material.taxonomy.element_codes)
    maker = ExampleMaker(WindowMaker(read_tokenizer(start.tokenizer), max_tokens=config.max_tokens), layout)
    examples = [maker.make(one) for one in tqdm(material.learn, desc="reading deals", disable=None, unit="deal")]
    network = LossNetwork(start.encoder, layout)
    callback = registry.record_losses if record else _log_losses
    fit(network, examples, config=config, folder=places.work, on_epoch=callback)
    return network


def _log_losses(epoch: int, losses: dict[str, float]) -> None:
    log.info("epoch %d: loss %.3f", epoch, sum(losses.values()))


def _measured(config: TrainConfig, material: Material, places: Places, baseline: dict[str, float]) -> Figures:
    """Calibrates the exported bundle on the held-out deals, evaluates it crosswise, and gives the figures by group of deals."""
    write_calibration(places.bundle, Calibration())
    _sign(config, material, places)
    classifier = LossClassifier(read_bundle(places.bundle))
    read = read_gold(classifier, material.held_out)
    judged = judge_crosswise(classifier, read, target=config.target_precision)
    write_learned(places.bundle, learned=material.learn, calibrated=material.held_out)
    write_calibration(places.bundle, calibrate(classifier, read, target_precision=config.target_precision))
    _sign(config, material, places)
    record = RunRecord(config, len(material.learn), len(material.held_out), baseline, verdicts=material.verdicts)
    figures = write_evaluation(read_bundle(places.bundle), judged, record)
    return figures | _tested(places, material)


def _tested(places: Places, material: Material) -> Figures:
    """Gives the figures on deals that were kept for testing alone, where there are any."""
    if not material.test:
        return {}
    classifier = LossClassifier(read_bundle(places.bundle))
    return {"test": evaluate([Judged(one, classifier.assess(one.deal)) for one in material.test])}


def _sign(config: TrainConfig, material: Material, places: Places) -> None:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    write_manifest(
        places.bundle,
        encoder=config.encoder,
        max_tokens=config.max_tokens,
        corpus=material.digest,
        made_at=made_at,
    )


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from the old generator
    torch.manual_seed(seed)


def _arguments() -> argparse.Namespace:
    ask = argparse.ArgumentParser(
        prog="python -m training.train", description="Trains a model bundle from labelled deals."
    )
    ask.add_argument(
        "--encoder", default=TrainConfig().encoder, help="local folder or model-hub name (default: %(default)s)"
    )
    ask.add_argument("--layers", type=int, default=TrainConfig().layers, help="encoder layers kept, 0 for all")
    ask.add_argument("--epochs", type=int, default=TrainConfig().epochs)
    ask.add_argument("--quantization", choices=("int4", "int8", "none"), default=TrainConfig().quantization)
    ask.add_argument("--seed", type=int, default=TrainConfig().seed)
    ask.add_argument("--corpus", type=Path, nargs="*", help="labelled JSON-lines files; default: training/corpus")
    ask.add_argument(
        "--verdicts", type=Path, help="file of `lossnlp-serve verdicts export` to learn from beside the corpus"
    )
    ask.add_argument(
        "--data", type=Path, help="folder of any labelled texts (JSON lines or CSV) to use instead of the corpus"
    )
    ask.add_argument("--taxonomy", type=Path, help="YAML file of the labels in --data; default: the labels found there")
    ask.add_argument(
        "--output", type=Path, default=Path("runs/bundle"), help="bundle folder to write (default: %(default)s)"
    )
    ask.add_argument(
        "--work", type=Path, default=Path("runs/state"), help="folder of the resumable state (default: %(default)s)"
    )
    ask.add_argument(
        "--smoke",
        action="store_true",
        help="a small untrained encoder and few deals: touches every part in two minutes",
    )
    ask.add_argument("--no-record", action="store_true", help="leave MLflow out")
    return ask.parse_args()


def main() -> None:
    """Runs a training with the settings of the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    asked = _arguments()
    if asked.data and asked.verdicts:
        sys.exit("training.train: verdicts stand beside the corpus, not beside --data; leave one of them out.")
    config = TrainConfig(
        encoder=asked.encoder,
        layers=asked.layers,
        epochs=asked.epochs,
        quantization=asked.quantization,
        seed=asked.seed,
    )
    config = smoke_config(config) if asked.smoke else config
    places = Places(bundle=asked.output, work=asked.work)
    try:
        material = (
            folder_material(asked.data, asked.taxonomy, config)
            if asked.data
            else corpus_material(asked.corpus or corpus_files(), config, asked.verdicts)
        )
        started = time.monotonic()
        figures = run(config, material, places, smoke=asked.smoke, record=not asked.no_record)
    except LossNlpError as error:
        sys.exit(f"training.train: {error.message}")
    log.info("bundle in %s after %.0f minutes", places.bundle, (time.monotonic() - started) / 60)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
