"""Peers at speed: each reads many texts, in a process of its own, when it is told to. Started by `benchmarks.peer_process`.

Weights that a peer would have to learn are drawn at random where they change no speed: the linear heads on top of an encoder, and
spaCy's classifier is taught a few notes only. The encoder is that of the bundle, weight by weight.

Nothing but the standard library is imported before a peer is chosen: some peers live in another environment than lossnlp.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from benchmarks.turns import Turn, timed

Read = Callable[[Sequence[str]], object]
BATCHES = (1, 8, 16, 32, 64)
MAX_TOKENS = 256
LLM_VARIABLE = "LOSSNLP_LLM"
_OUTPUTS = 60  # about as many values as the shipped heads answer
_TRIED, _TAUGHT = 96, 300


@dataclass(frozen=True)
class Scene:
    """What a peer is given.

    Args:
        encoder: Folder with the bundle's encoder as transformers saves one; empty for those that need none.
        cores: Processors it may use.
        texts: The notes.
    """

    encoder: Path
    cores: int
    texts: Sequence[str]


Ways = dict[str, Read]  # a peer's settings, of which the fastest counts


def _lossnlp(scene: Scene) -> Ways:
    from benchmarks.material import as_deals
    from lossnlp import LossClassifier

    classifier = LossClassifier.load(threads=scene.cores)
    return {
        "assess": lambda texts: [classifier.assess(deal) for deal in as_deals(list(texts))],
        "assess_many": lambda texts: list(classifier.assess_many(as_deals(list(texts)))),
    }


def _transformers(scene: Scene, *, dtype: str = "float32") -> Ways:
    import torch

    from benchmarks.peers.pipeline import make_pipeline

    torch.set_num_threads(scene.cores)
    pipeline = make_pipeline(scene.encoder, dtype=dtype)
    return _by_batch(lambda texts, size: pipeline(list(texts), batch_size=size))


def _bf16(scene: Scene) -> Ways:
    return _transformers(scene, dtype="bfloat16")


def _sentence_transformers(scene: Scene, *, backend: str = "torch") -> Ways:
    import numpy as np
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(scene.cores)
    settings = {"export": True} if backend != "torch" else {}
    if backend == "onnx":
        settings["provider"] = "CPUExecutionProvider"
    model = SentenceTransformer(str(scene.encoder), backend=backend, device="cpu", model_kwargs=settings)  # type: ignore[arg-type]
    model.max_seq_length = MAX_TOKENS
    heads = np.random.default_rng(0).normal(size=(model.encode(["a"]).shape[1], _OUTPUTS)).astype(np.float32)
    # It sorts the texts by length itself
    return {
        str(size): lambda texts, size=size: 1 / (1 + np.exp(-(model.encode(list(texts), batch_size=size) @ heads)))
        for size in BATCHES
    }  # type: ignore[misc]


def _onnx(scene: Scene) -> Ways:
    return _sentence_transformers(scene, backend="onnx")


def _openvino(scene: Scene) -> Ways:
    return _sentence_transformers(scene, backend="openvino")


def _setfit(scene: Scene) -> Ways:
    import torch
    from sentence_transformers import SentenceTransformer
    from setfit import SetFitModel
    from sklearn.linear_model import LogisticRegression

    torch.set_num_threads(scene.cores)
    body = SentenceTransformer(str(scene.encoder), device="cpu")
    body.max_seq_length = MAX_TOKENS
    few = list(scene.texts[:72])
    head = LogisticRegression(max_iter=200).fit(body.encode(few), [place % 18 for place in range(len(few))])
    model = SetFitModel(model_body=body, model_head=head, labels=[str(code) for code in range(18)])
    return {str(size): lambda texts, size=size: model.predict(list(texts), batch_size=size) for size in BATCHES}  # type: ignore[misc]


def _textcat(_scene: Scene) -> Ways:
    from benchmarks.peers.textcat import TextCat
    from training.corpus import corpus_files, read_corpus

    deals = random.Random(0).sample(read_corpus(corpus_files()), _TAUGHT)
    peer = TextCat(deals)
    return _by_batch(lambda texts, size: list(peer.answer_many(list(texts), batch=size)))


def _tfidf(_scene: Scene) -> Ways:
    import numpy as np

    from training.baseline import make_features, text_of
    from training.corpus import corpus_files, read_corpus

    features = make_features().fit([text_of(one.deal) for one in read_corpus(corpus_files())])
    width = features.transform(["a"]).shape[1]
    heads = np.random.default_rng(0).normal(size=(width, _OUTPUTS))
    return {"all at once": lambda texts: 1 / (1 + np.exp(-(features.transform(list(texts)) @ heads)))}


def _local_llm(_scene: Scene) -> Ways:
    from benchmarks.material import as_deals
    from benchmarks.peers.local_llm import LocalLlm

    peer = LocalLlm(Path(os.environ[LLM_VARIABLE]))
    return {"one by one": lambda texts: [peer.answer(deal) for deal in as_deals(list(texts))]}


def _by_batch(read: Callable[[Sequence[str], int], object]) -> Ways:
    """Gives each size of batch on the texts as they come, and on the texts sorted by length."""
    as_they_come: Ways = {str(size): lambda texts, size=size: read(texts, size) for size in BATCHES}  # type: ignore[misc]
    by_length: Ways = {
        f"{size}, by length": lambda texts, size=size: read(sorted(texts, key=len), size)  # type: ignore[misc]
        for size in BATCHES[1:]
    }
    return as_they_come | by_length


@dataclass(frozen=True)
class Peer:
    """A peer.

    Args:
        make: Loads it and gives its ways.
        needs: Module that has to be there.
        share: Share of the texts that it reads in a turn, 0 to 1: the slow ones would take hours.
    """

    make: Callable[[Scene], Ways]
    needs: str
    share: float = 1.0


OURS = "lossnlp"
PIPELINE = "transformers, fp32"
PEERS: dict[str, Peer] = {
    OURS: Peer(_lossnlp, "lossnlp"),
    PIPELINE: Peer(_transformers, "transformers"),
    "transformers, bf16": Peer(_bf16, "transformers"),
    "sentence-transformers, torch": Peer(_sentence_transformers, "sentence_transformers"),
    "sentence-transformers, ONNX": Peer(_onnx, "optimum.onnxruntime"),
    "sentence-transformers, OpenVINO": Peer(_openvino, "optimum.intel"),
    "SetFit": Peer(_setfit, "setfit"),
    "spaCy textcat": Peer(_textcat, "spacy"),
    "TF-IDF and logistic regression": Peer(_tfidf, "sklearn"),
    "local LLM": Peer(_local_llm, "llama_cpp", share=0.03),
}


def has_module(name: str) -> bool:
    """Says whether a module can be imported here, without importing it."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def main() -> None:
    """Loads a peer, says that it is ready, then takes a turn for each line that comes in."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.speed_peers", description=main.__doc__)
    ask.add_argument("peer", choices=PEERS)
    ask.add_argument("--texts", type=Path, required=True, help="JSON list of texts")
    ask.add_argument("--encoder", type=Path, required=True, help="folder of the encoder")
    ask.add_argument("--cores", type=int, default=2)
    asked = ask.parse_args()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to standard error
    _keep_to(asked.cores)
    peer, texts = PEERS[asked.peer], json.loads(asked.texts.read_bytes())
    ways = peer.make(Scene(asked.encoder, asked.cores, texts))
    own = texts[: max(1, round(len(texts) * peer.share))]
    tried = _try_all(ways, own[:_TRIED])
    best = max(tried, key=lambda name: tried[name])
    _tell(out, {"way": best, "tried_per_s": tried})
    for line in sys.stdin:
        _tell(
            out, asdict(_each(ways, own) if line.strip() == "each" else timed(lambda: ways[best](own), count=len(own)))
        )


def _try_all(ways: Ways, texts: Sequence[str]) -> dict[str, float]:
    """Gives the texts a second of each way; all have been warm before."""
    for read in ways.values():
        read(texts[:8])
    return {name: round(timed(lambda read=read: read(texts), count=len(texts)).per_s, 2) for name, read in ways.items()}  # type: ignore[misc]


def _each(ways: Ways, texts: Sequence[str]) -> Turn:
    """Gives a turn in which the texts come one by one, each taken in the first way: alone."""
    read, took_ms = next(iter(ways.values())), []
    cpu_s = time.process_time()
    for text in texts:
        started = time.perf_counter()
        read([text])
        took_ms.append(1000 * (time.perf_counter() - started))
    return Turn(len(texts), sum(took_ms) / 1000, time.process_time() - cpu_s, tuple(took_ms))


def _keep_to(cores: int) -> None:
    """Keeps this process, and the threads that libraries will start, to so many processors."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _tell(out: TextIO, told: object) -> None:
    out.write(json.dumps(told) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
