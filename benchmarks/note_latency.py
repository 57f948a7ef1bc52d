"""How long one 60-word note takes, how long loading takes and how much memory it needs, beside torch on the same architecture.

Prints JSON. The peer is `transformers` running an encoder of the same shape in torch fp32 on the same texts, in turn with ours.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 5
NOTE = (
    "Second call with Marta went fine but on the third their finance director joined and asked what it would save them in a year. "
    "I had no number ready and said we would send one. We sent it ten days later, by then they had renewed with the old supplier "
    "for two years. Price was never the issue, they said."
)
_CHILD = """
import time; started = time.perf_counter()
from lossnlp import LossClassifier, Deal
classifier = LossClassifier.load(); loaded = time.perf_counter() - started
deal = Deal.from_request({"id": "d", "text": %r, "closed_at": "2026-11-20"})
classifier.assess(deal)
for _ in range(20): classifier.assess(deal)
import resource, json
print(json.dumps([loaded, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> None:
    """Measures and prints the figures."""
    loads = [json.loads(_fresh_process()) for _ in range(ROUNDS)]
    ours, peer = _ours(), _peer()
    times: dict[str, list[float]] = {"lossnlp": [], "transformers": []}
    for _ in range(ROUNDS):
        times["lossnlp"] += _timed(ours)
        times["transformers"] += _timed(peer)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(
        json.dumps(
            {
                "words": len(NOTE.split()),
                "note_ms": {name: _spread(values) for name, values in times.items()},
                "times_faster_than_transformers": round(medians["transformers"] / medians["lossnlp"], 2),
                "import_and_load_s": _spread([load for load, _ in loads]),
                "peak_memory_mb": _spread([memory for _, memory in loads]),
                "this_process_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "machine": {
                    "cpus": os.cpu_count(),
                    "processor": platform.processor(),
                    "python": platform.python_version(),
                },
            },
            indent=1,
        )
    )


def _fresh_process() -> str:
    root = Path(__file__).parents[1]
    child = subprocess.run([sys.executable, "-c", _CHILD % NOTE], capture_output=True, text=True, check=True, cwd=root)
    return child.stdout


def _ours() -> Callable[[], object]:
    from lossnlp import Deal, LossClassifier

    classifier = LossClassifier.load()
    deal = Deal.from_request({"id": "d", "text": NOTE, "closed_at": "2026-11-20"})
    return lambda: classifier.assess(deal)


def _peer() -> Callable[[], object]:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoConfig, AutoModel

    from lossnlp.bundle import find_default_bundle

    tokenizer = Tokenizer.from_file(str(find_default_bundle() / "tokenizer.json"))
    config = AutoConfig.for_model("mpnet", vocab_size=tokenizer.get_vocab_size(), num_hidden_layers=8)
    model = AutoModel.from_config(config, add_pooling_layer=False).eval()

    def run() -> object:
        ids = torch.tensor([tokenizer.encode(NOTE).ids])
        with torch.inference_mode():
            return model(input_ids=ids, attention_mask=torch.ones_like(ids))

    return run


def _timed(action: Callable[[], object], repeats: int = 20) -> list[float]:
    action()
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        found.append(1000 * (time.perf_counter() - started))
    return found


def _spread(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)
    return {
        "median": round(statistics.median(ranked), 2),
        "lowest": round(ranked[0], 2),
        "highest": round(ranked[-1], 2),
    }


if __name__ == "__main__":
    main()
