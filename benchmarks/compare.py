"""lossnlp beside what a user would try instead, on the same deals: quality, deals a second, memory. `make compare`.

Each peer runs in its own process, so that its memory is its own. Peers that learn, learn from the deals the shipped bundle learned
from. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from lossnlp.assessment import Assessment
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.taxonomy import get_default_taxonomy
from training.answers import Peer, as_assessment
from training.baseline import Baseline
from training.config import TrainConfig
from training.corpus import LabelledDeal, corpus_files, read_corpus
from training.material import corpus_material
from training.metrics import Judged, evaluate

FIGURES = (
    "primary.accuracy",
    "primary.macro_f1",
    "reasons.micro_f1",
    "meddpicc.gap_micro_f1",
    "external_only.f1",
    "winback.macro_f1",
    "competitors.micro_f1",
)


def _lossnlp() -> Callable[[Deal], Assessment]:
    return LossClassifier.load().assess


def _peer(peer: Peer) -> Callable[[Deal], Assessment]:
    taxonomy = get_default_taxonomy()
    return lambda deal: as_assessment(deal, peer.answer(deal), peer=peer.name, taxonomy=taxonomy)


def _keywords() -> Callable[[Deal], Assessment]:
    from benchmarks.peers.keywords import Keywords

    return _peer(Keywords())


def _similarity() -> Callable[[Deal], Assessment]:
    from benchmarks.peers.similarity import Similarity

    return _peer(Similarity(TrainConfig().encoder))


def _tfidf() -> Callable[[Deal], Assessment]:
    return Baseline(_learned(), get_default_taxonomy()).assess


def _textcat() -> Callable[[Deal], Assessment]:
    from benchmarks.peers.textcat import TextCat

    return _peer(TextCat(_learned()))


def _setfit() -> Callable[[Deal], Assessment]:
    from benchmarks.peers.setfit import SetFit

    return _peer(SetFit(_learned(), TrainConfig().encoder))


def _local_llm() -> Callable[[Deal], Assessment]:
    from benchmarks.peers.local_llm import LocalLlm

    return _peer(LocalLlm(Path(os.environ[LLM_VARIABLE])))


LLM_VARIABLE = "LOSSNLP_LLM"
PEERS: dict[str, Callable[[], Callable[[Deal], Assessment]]] = {
    "lossnlp": _lossnlp,
    "keyword rules": _keywords,
    "TF-IDF and rules": _tfidf,
    "label-description similarity": _similarity,
    "spaCy textcat": _textcat,
    "SetFit, 32 deals a reason": _setfit,
    "small local LLM": _local_llm,
}


def missing_peers() -> dict[str, str]:
    """Gives the peers that cannot be measured here, with what each needs."""
    needs = {
        "SetFit, 32 deals a reason": None if find_spec("setfit") else "pip install setfit",
        "small local LLM": None
        if find_spec("llama_cpp") and os.environ.get(LLM_VARIABLE)
        else f"pip install llama-cpp-python, and {LLM_VARIABLE} with the path of a GGUF file",
    }
    return {name: need for name, need in needs.items() if need}


def _learned() -> list[LabelledDeal]:
    return corpus_material(corpus_files(), TrainConfig()).learn


def _gold(paths: list[Path]) -> list[LabelledDeal]:
    return read_corpus(paths) if paths else corpus_material(corpus_files(), TrainConfig()).held_out


def measure(name: str, gold: list[LabelledDeal]) -> dict[str, float]:
    """Gives a peer's figures, deals a second and peak memory.

    Args:
        name: One of PEERS.
        gold: Labelled deals.
    """
    assess = PEERS[name]()
    assess(gold[0].deal)
    started = time.perf_counter()
    judged = [Judged(one, assess(one.deal)) for one in gold]
    seconds = time.perf_counter() - started
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return evaluate(judged) | {"deals_per_s": len(gold) / seconds, "peak_memory_mb": memory_mb}


def _in_own_process(name: str, gold: list[Path]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.compare", "--only", name, *map(str, gold)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measures every peer and prints a table."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument(
        "gold", type=Path, nargs="*", help="labelled JSON-lines files; default: the corpus' held-out deals"
    )
    ask.add_argument("--only", choices=PEERS, help="one peer, as JSON")
    asked = ask.parse_args()
    if asked.only:
        print(json.dumps(measure(asked.only, _gold(asked.gold))))
        return
    columns = (*FIGURES, "deals_per_s", "peak_memory_mb")
    print("| peer | " + " | ".join(columns) + " |\n| --- |" + " --- |" * len(columns))
    missing = missing_peers()
    for name in PEERS:
        if name in missing:
            continue
        found = _in_own_process(name, asked.gold)
        cells = [f"{found[column]:.3f}" if column in FIGURES else f"{found[column]:.0f}" for column in columns]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    for name, need in missing.items():
        print(f"\nnot measured: {name} (needs {need})")


if __name__ == "__main__":
    main()
