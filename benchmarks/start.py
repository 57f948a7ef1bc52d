"""How soon the first assessment is there and how much memory is held: in fresh processes, and in a process that serves. Writes JSON.

Run: python -m benchmarks.start [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from benchmarks.machine import resident_mb
from benchmarks.material import notes
from benchmarks.peer_process import ROOT
from benchmarks.results import Figure, Plot, Record, Result
from benchmarks.served import lossnlp_service
from benchmarks.turns import ROUNDS, spread

_NOTES = 100
_CHILD = """
import sys, time
started = time.perf_counter()
from lossnlp import Deal, LossClassifier
imported = time.perf_counter()
classifier = LossClassifier.load()
loaded = time.perf_counter()
classifier.assess(Deal.from_request({"id": "d", "text": "Lost to Gong on price, 30% lower.", "closed_at": "2026-11-20"}))
answered = time.perf_counter()
import json
from benchmarks.machine import resident_mb
for place, text in enumerate(json.load(sys.stdin)):
    classifier.assess(Deal.from_request({"id": str(place), "text": text}))
print(json.dumps({"import s": imported - started, "load s": loaded - imported, "first assessment s": answered - loaded,
                  "import to first assessment s": answered - started, "resident MB": resident_mb()}))
"""


def main() -> None:
    """Starts classifier and service anew in each round and writes time and memory."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.start", description=main.__doc__)
    ask.add_argument("--rounds", type=int, default=ROUNDS, help="fresh processes of each kind (default: %(default)s)")
    asked = ask.parse_args()
    record, texts = Record(), notes(_NOTES)
    found: dict[str, list[float]] = {}
    for _ in range(asked.rounds):
        for name, value in (_in_process(texts) | _served(texts)).items():
            found.setdefault(name, []).append(value)
    spreads = {name: spread(values) for name, values in found.items()}
    record.write(
        Result(
            "start",
            "Start and memory",
            figures=[
                Figure(
                    "import to first assessment",
                    spreads["import to first assessment s"]["median"],
                    "s",
                    target=1.0,
                    is_ceiling=True,
                ),
                Figure(f"resident after {_NOTES} notes", spreads["resident MB"]["median"], "MB"),
                Figure(
                    f"resident after {_NOTES} notes, serving",
                    spreads["service, resident MB"]["median"],
                    "MB",
                    target=300.0,
                    is_ceiling=True,
                ),
            ],
            rows=[{"what": name, **values} for name, values in spreads.items()],
            plots=[
                Plot(
                    "Parts of a cold start",
                    ("", "s"),
                    {name: [(0, spreads[name]["median"])] for name in ("import s", "load s", "first assessment s")},
                )
            ],
            notes=[
                f"{asked.rounds} fresh processes of each kind, in turns; files are in the system's cache after the first."
            ],
            options=vars(asked),
        )
    )


def _in_process(texts: list[str]) -> dict[str, float]:
    child = subprocess.run(
        [sys.executable, "-c", _CHILD], input=json.dumps(texts), capture_output=True, text=True, check=True, cwd=ROOT
    )
    found: dict[str, float] = json.loads(child.stdout)
    return found


def _served(texts: list[str]) -> dict[str, float]:
    with lossnlp_service() as service:
        service.ask_all(texts)
        return {"service, start to ready s": service.ready_s, "service, resident MB": resident_mb(service.pid)}


if __name__ == "__main__":
    main()
