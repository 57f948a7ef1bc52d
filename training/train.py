"""A training run from corpus to bundle, top to bottom: `python -m training.train`."""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from lossnlp.bundle import Manifest, find_default_bundle, read_bundle, write_manifest
from lossnlp.calibration import Calibration
from lossnlp.classifier import LossClassifier
from lossnlp.errors import LossNlpError
from lossnlp.heads import Layout
from lossnlp.taxonomy import get_default_taxonomy
from lossnlp.windows import WindowMaker, read_tokenizer
from training import registry
from training.baseline import Baseline
from training.calibrate import ReadDealGold, calibrate, judge
from training.card import RunRecord, write_card
from training.config import TrainConfig, smoke_config
from training.corpus import LabelledDeal, corpus_digest, corpus_files, read_corpus, split_held_out
from training.encoders import find_encoder, load_encoder, make_small_encoder
from training.evaluate import Judged, evaluate
from training.examples import ExampleMaker
from training.export import export_network
from training.fit import fit
from training.network import LossNetwork

log = logging.getLogger("training")


@dataclass(frozen=True)
class Places:
    """Where a run reads and writes.

    Args:
        corpus: Labelled JSON-lines files.
        bundle: Folder the bundle goes to.
        work: Folder of the resumable state.
    """

    corpus: tuple[Path, ...]
    bundle: Path
    work: Path


@dataclass(frozen=True)
class Start:
    """Where the network begins: an encoder and its tokenizer file."""

    encoder: PreTrainedModel
    tokenizer: Path


def run(
    config: TrainConfig, places: Places, *, smoke: bool = False, record: bool = True
) -> dict[str, dict[str, float]]:
    """Trains, calibrates, evaluates and exports a bundle, and gives its figures on held-out deals by group.

    Args:
        config: The settings.
        places: Where to read and write.
        smoke: Begin from a small untrained encoder instead of the configured one.
        record: Log the run in MLflow and register the bundle.

    Raises:
        LossNlpError: The corpus or the encoder is unusable.
    """
    _seed(config.seed)
    learn, held_out = _data(config, places)
    tags = {"corpus": corpus_digest(places.corpus), "taxonomy": get_default_taxonomy().version}
    with registry.recorded_run(config, tags=tags) if record else _unrecorded():
        baseline = _baseline(learn, held_out)
        start = _smoke_start() if smoke else _start(config)
        network = _fitted(config, places, start=start, learn=learn, record=record)
        export_network(network, places.bundle, quantization=config.quantization, tokenizer=start.tokenizer)
        _write_calibration(places.bundle, Calibration())
        _sign(config, places)
        figures = _calibrated(
            config, places, held_out=held_out, record=RunRecord(config, len(learn), len(held_out), {}, baseline)
        )
        if record:
            registry.record_figures(figures | {"baseline": baseline})
            log.info("registered as version %s", registry.register_bundle(places.bundle))
    return figures


def _unrecorded() -> AbstractContextManager[None]:
    return nullcontext()


def _data(config: TrainConfig, places: Places) -> tuple[list[LabelledDeal], list[LabelledDeal]]:
    deals = read_corpus(places.corpus)
    random.Random(config.seed).shuffle(deals)
    if config.deals:
        deals = deals[: config.deals]
    learn, held_out = split_held_out(deals, share=config.held_out, seed=config.seed)
    log.info("%d deals to learn from, %d held out", len(learn), len(held_out))
    return learn, held_out


def _baseline(learn: Sequence[LabelledDeal], held_out: Sequence[LabelledDeal]) -> dict[str, float]:
    figures = Baseline(learn).evaluate(held_out)
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


def _fitted(
    config: TrainConfig, places: Places, *, start: Start, learn: Sequence[LabelledDeal], record: bool
) -> LossNetwork:
    taxonomy = get_default_taxonomy()
    layout = Layout(taxonomy.codes, taxonomy.element_codes)
    maker = ExampleMaker(WindowMaker(read_tokenizer(start.tokenizer), max_tokens=config.max_tokens), layout)
    examples = [maker.make(labelled) for labelled in tqdm(learn, desc="reading deals", disable=None, unit="deal")]
    network = LossNetwork(start.encoder, layout)
    callback = registry.record_losses if record else _log_losses
    fit(network, examples, config=config, folder=places.work, on_epoch=callback)
    return network


def _log_losses(epoch: int, losses: dict[str, float]) -> None:
    log.info("epoch %d: loss %.3f", epoch, sum(losses.values()))


def _calibrated(
    config: TrainConfig, places: Places, *, held_out: Sequence[LabelledDeal], record: RunRecord
) -> dict[str, dict[str, float]]:
    """Calibrates the exported bundle on the held-out deals, evaluates it crosswise, and writes card and metrics."""
    classifier = LossClassifier(read_bundle(places.bundle))
    read = [
        ReadDealGold(labelled, classifier.read(labelled.deal))
        for labelled in tqdm(held_out, desc="reading held-out deals", disable=None, unit="deal")
    ]
    figures = _figures(classifier, read, config)
    calibration = calibrate(classifier, read, target_precision=config.target_precision)
    _write_calibration(places.bundle, calibration)
    (places.bundle / "metrics.json").write_text(
        json.dumps({"held_out": figures, "baseline": record.baseline}, indent=1) + "\n"
    )
    done = RunRecord(config, record.learned, record.held_out, figures, record.baseline)
    write_card(places.bundle, manifest=_sign(config, places), calibration=calibration, record=done)
    _sign(config, places)
    return figures


def _figures(
    classifier: LossClassifier, read: Sequence[ReadDealGold], config: TrainConfig
) -> dict[str, dict[str, float]]:
    """Gives the figures by group of deals; each half is judged under the calibration of the other."""
    halves = read[::2], read[1::2]
    judged: list[Judged] = []
    for fitted_on, judged_on in (halves, halves[::-1]):
        calibration = calibrate(classifier, fitted_on, target_precision=config.target_precision)
        judged.extend(judge(classifier, judged_on, calibration))
    groups = {
        "all": judged,
        "notes": [one for one in judged if one.gold.buyer is None],
        "statements": [one for one in judged if one.gold.note is None],
        "deals with calls": [one for one in judged if one.gold.note is not None and one.gold.buyer is not None],
    }
    return {name: evaluate(group) for name, group in groups.items() if group}


def _write_calibration(folder: Path, calibration: Calibration) -> None:
    (folder / "calibration.json").write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _sign(config: TrainConfig, places: Places) -> Manifest:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    return write_manifest(
        places.bundle,
        encoder=config.encoder,
        max_tokens=config.max_tokens,
        corpus=corpus_digest(places.corpus),
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
    config = TrainConfig(
        encoder=asked.encoder,
        layers=asked.layers,
        epochs=asked.epochs,
        quantization=asked.quantization,
        seed=asked.seed,
    )
    config = smoke_config(config) if asked.smoke else config
    try:
        places = Places(corpus=tuple(asked.corpus or corpus_files()), bundle=asked.output, work=asked.work)
        started = time.monotonic()
        figures = run(config, places, smoke=asked.smoke, record=not asked.no_record)
    except LossNlpError as error:
        sys.exit(f"training.train: {error.message}")
    log.info("bundle in %s after %.0f minutes", places.bundle, (time.monotonic() - started) / 60)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
