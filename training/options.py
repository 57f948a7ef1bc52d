"""Options of `python -m training.train`, and what they mean together."""

from __future__ import annotations

import argparse
import re
from datetime import date
from pathlib import Path

import torch

from lossnlp.bundle import find_default_bundle, read_bundle
from lossnlp.errors import LossNlpError
from training.config import TrainConfig, smoke_config
from training.corpus import corpus_files
from training.few_labels import STAGES
from training.material import Sources
from training.own_deals import read_columns
from training.plan import Budget

# A network that knows the language of losses already is changed less and slower, and on the weights as they will be stored.
_GENTLE = {"encoder_lr": 2e-5, "head_lr": 5e-4, "averaged_steps": 100}
_PASSES_FROM_BUNDLE = 2
_TABLE = re.compile(r'word_embeddings\.weight" type="Const"[^>]*>\s*<data element_type="(\w+)"')
_ALL = 1_000_000


class OptionError(LossNlpError):
    """Says which option cannot be had, or does not go with another."""

    code = "bad_option"


def read_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Gives the options of the command line.

    Args:
        words: What was typed; None: what this program was called with.
    """
    ask = argparse.ArgumentParser(
        prog="python -m training.train", description="Trains a model bundle from labelled deals."
    )
    _ask_for_deals(ask.add_argument_group("deals"))
    _ask_for_start(ask.add_argument_group("start"))
    _ask_for_course(ask.add_argument_group("course"))
    return ask.parse_args(words)


def _ask_for_deals(ask: argparse._ArgumentGroup) -> None:
    ask.add_argument(
        "--data", type=Path, help="own labelled deals: file or folder of .jsonl, .csv, .parquet, or a saved dataset"
    )
    ask.add_argument("--verdicts", type=Path, help="file of `lossnlp-serve verdicts export`")
    ask.add_argument(
        "--columns", nargs="*", default=[], metavar="FIELD=COLUMN", help="own names of the columns of --data"
    )
    ask.add_argument("--taxonomy", type=Path, help="YAML file of own labels; default: ours, else the labels found")
    ask.add_argument("--corpus", type=Path, nargs="*", help="labelled JSON-lines files; default: training/corpus")
    ask.add_argument(
        "--replay", type=int, help="deals of the corpus learned beside own ones; default: three for each own deal"
    )
    ask.add_argument(
        "--holdout-since",
        type=date.fromisoformat,
        metavar="DATE",
        help="own deals lost from this day on are only measured on",
    )
    ask.add_argument("--check-only", action="store_true", help="say what is wrong with the deals, and stop")


def _ask_for_start(ask: argparse._ArgumentGroup) -> None:
    ask.add_argument(
        "--start",
        help="`encoder`, `bundle` (the shipped one) or a bundle folder; default: bundle for own deals, else encoder",
    )
    ask.add_argument("--encoder", help=f"local folder or model-hub name (default: {TrainConfig().encoder})")
    ask.add_argument("--layers", type=int, default=TrainConfig().layers, help="encoder layers kept, 0 for all")
    ask.add_argument("--device", choices=("cpu", "cuda", "mps"), default="cpu", help="where the encoder learns")


def _ask_for_course(ask: argparse._ArgumentGroup) -> None:
    ask.add_argument(
        "--epochs", type=int, help=f"passes; default: {TrainConfig().epochs}, from a bundle {_PASSES_FROM_BUNDLE}"
    )
    ask.add_argument(
        "--minutes", type=float, help="time for the whole run; fewer deals are replayed and fewer passes made to fit"
    )
    ask.add_argument(
        "--few-labels",
        choices=("auto", "off", *STAGES),
        default="auto",
        help="learn with one of three simple stages; default: auto, for few own deals of a new scheme",
    )
    ask.add_argument(
        "--learn",
        choices=("auto", "heads", "whole"),
        default="auto",
        help="fit the heads alone, or the whole network; default: auto, heads for up to 1,000 own deals from a bundle",
    )
    ask.add_argument("--quantization", choices=("int4", "int8", "none"), default=TrainConfig().quantization)
    ask.add_argument(
        "--table",
        choices=("int4", "int8"),
        help=f"how the table of word pieces is stored beside 4-bit layers; default: {TrainConfig().table}, from a bundle as there",
    )
    ask.add_argument(
        "--seed",
        type=int,
        default=TrainConfig().seed,
        help="seeds the learning; which deals are held out stays the same",
    )
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
    ask.add_argument(
        "--promote", action="store_true", help="then ask the gate, and put the bundle in service where it is better"
    )
    ask.add_argument(
        "--golden", type=Path, help="deals that the gate compares on; default: the champion's held-out deals"
    )


def find_start(asked: argparse.Namespace) -> Path | None:
    """Gives the bundle to begin from, or None for an encoder.

    Raises:
        OptionError: The start goes with no bundle folder, or not with an encoder that was named.
        BundleError: No bundle ships here.
    """
    is_own = bool(asked.data or asked.verdicts)
    start = asked.start or ("bundle" if is_own and not asked.encoder and not asked.smoke else "encoder")
    if start == "encoder":
        return None
    if asked.encoder:
        raise OptionError("--encoder does not go with a start from a bundle; leave one of them out.", field="encoder")
    if start == "bundle":
        return find_default_bundle()
    if not Path(start).is_dir():
        raise OptionError(f"--start '{start}': write encoder, bundle or a bundle folder.", field="start")
    return Path(start)


def make_config(asked: argparse.Namespace, bundle: Path | None) -> TrainConfig:
    """Gives the settings of a run.

    Args:
        asked: The options.
        bundle: The bundle to begin from, or None.

    Raises:
        OptionError: This machine lacks the device, or a number is out of its range.
        BundleError: The bundle is unusable.
    """
    _check_options(asked)
    given = {
        "encoder": asked.encoder or TrainConfig().encoder,
        "layers": asked.layers,
        "epochs": asked.epochs or (_PASSES_FROM_BUNDLE if bundle else TrainConfig().epochs),
        "quantization": asked.quantization,
        "table": asked.table or TrainConfig().table,
        "seed": asked.seed,
        "device": asked.device,
        "learns": asked.learn if bundle else "whole",
        "few_labels": "off" if asked.smoke and asked.few_labels == "auto" else asked.few_labels,
    }
    config = TrainConfig.model_validate(given | (_from_bundle(bundle, given["epochs"], asked.table) if bundle else {}))
    return smoke_config(config) if asked.smoke else config


def _check_options(asked: argparse.Namespace) -> None:
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not has[asked.device]:
        raise OptionError(f"--device {asked.device}: this machine has none; use cpu.", field="device")
    for name, least in (("minutes", 1), ("replay", 0), ("epochs", 1), ("layers", 0)):
        value = getattr(asked, name)
        if value is not None and value < least:
            raise OptionError(f"--{name} {value:g}: give {least} or more.", field=name)
    if asked.promote and (asked.no_record or asked.smoke):
        raise OptionError(
            "--promote goes with a recorded run on real weights; leave --no-record and --smoke out.", field="promote"
        )
    if asked.learn == "heads" and (asked.encoder or asked.start == "encoder"):
        raise OptionError("--learn heads begins from a bundle; leave --encoder out.", field="learn")
    if asked.golden and not asked.promote:
        raise OptionError("--golden goes with --promote; the run itself learns nothing from it.", field="golden")
    is_own = asked.data or asked.verdicts
    for name in ("taxonomy", "columns", "replay", "holdout_since"):
        if getattr(asked, name) and not is_own:
            raise OptionError(f"--{name.replace('_', '-')} goes with own deals; give --data or --verdicts.", field=name)


def _from_bundle(folder: Path, epochs: int, table: str | None) -> dict[str, object]:
    bundle = read_bundle(folder)
    graph = bundle.path("encoder.xml").read_text(encoding="utf-8")
    layers = 0
    while f".layer.{layers}." in graph:
        layers += 1
    manifest = bundle.manifest
    start = {
        "start": f"bundle {manifest.version}",
        "encoder": manifest.encoder,
        "layers": layers,
        "table": table or _stored_table(graph),
    }
    return {**_GENTLE, **start, "max_tokens": manifest.max_tokens, "quantized_epochs": epochs}


def _stored_table(graph: str) -> str:
    """Gives the kind of numbers that the table of word pieces in a bundle's graph is stored in."""
    found = _TABLE.search(graph)
    return "int4" if found and found[1] in ("i4", "u4") else "int8"


def sources_of(asked: argparse.Namespace, bundle: Path | None) -> Sources:
    """Gives where the deals of a run come from: own ones, and the corpus beside them where the network knows it or verdicts join it.

    Raises:
        CorpusError: A pair of --columns is unusable, or there is no corpus.
    """
    has_corpus = (bundle is not None or bool(asked.verdicts) or asked.replay) and asked.replay != 0
    return Sources(
        corpus=tuple(asked.corpus or corpus_files()) if has_corpus else (),
        data=asked.data,
        verdicts=asked.verdicts,
        taxonomy=asked.taxonomy,
        columns=read_columns(asked.columns),
        since=asked.holdout_since,
    )


def budget_of(asked: argparse.Namespace, bundle: Path | None) -> Budget:
    """Gives what the learning has to fit into; from an encoder the whole corpus is learned beside verdicts unless a number is given."""
    return Budget(minutes=asked.minutes, replay=asked.replay if asked.replay is not None or bundle else _ALL)
