"""Notes a second beside what else reads notes: same notes, same run, same cores, each peer in a process of its own. Writes JSON.

Run: python -m benchmarks.throughput [--notes 300] [--rounds 5] [--cores 2] [--only PEER ...]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.material import notes
from benchmarks.peer_process import PeerProcess, started_peers
from benchmarks.results import Figure, Plot, Record, Result
from benchmarks.speed_peers import OURS, PEERS, PIPELINE
from benchmarks.turns import ROUNDS, Turn, short, spread, take_turns

TARGETS = {PIPELINE: 8.0, "sentence-transformers, ONNX": 2.0, "sentence-transformers, OpenVINO": 2.0}


def main() -> None:
    """Measures every peer that is here and writes the figures."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=main.__doc__)
    ask.add_argument("--notes", type=int, default=300, help="notes that each reads in a round (default: %(default)s)")
    ask.add_argument("--rounds", type=int, default=ROUNDS, help="alternating rounds (default: %(default)s)")
    ask.add_argument("--cores", type=int, default=2, help="processors for each (default: %(default)s)")
    ask.add_argument("--only", nargs="*", choices=PEERS, default=list(PEERS), metavar="PEER", help="some peers alone")
    asked = ask.parse_args()
    record, texts = Record(), notes(asked.notes)
    with started_peers(asked.only, texts, cores=asked.cores) as (peers, missing):
        turns = take_turns({name: peer.take_turn for name, peer in peers.items()}, rounds=asked.rounds)
        rows = [_row(name, peers[name], of_one) for name, of_one in turns.items()]
    words = statistics.median(len(text.split()) for text in texts)
    record.write(
        Result(
            "throughput",
            "Notes a second",
            figures=_ratios(turns),
            rows=rows,
            plots=[Plot("Notes a second, median of the rounds", ("", "notes a second"), _bars(turns))],
            notes=[
                f"{asked.notes} rep notes, median {words:g} words; {asked.cores} cores for each, {asked.rounds} rounds in turns.",
                "Of each peer the fastest setting of its batches counts. Linear heads on top of other runtimes are drawn at random.",
                *(f"Not measured: {name} ({why})." for name, why in missing.items()),
            ],
            options=vars(asked),
            found={"turns": {name: [[one.wall_s, one.cpu_s] for one in of_one] for name, of_one in turns.items()}},
        )
    )


def _row(name: str, peer: PeerProcess, turns: Sequence[Turn]) -> dict[str, Any]:
    speeds = spread([turn.per_s for turn in turns])
    return {
        "peer": name,
        "notes a second": speeds["median"],
        "lowest": speeds["lowest"],
        "highest": speeds["highest"],
        "processor ms a note": short(statistics.median(turn.cpu_ms_each for turn in turns)),
        "best setting": peer.facts["way"],
    }


def _bars(turns: Mapping[str, Sequence[Turn]]) -> dict[str, list[tuple[float, float]]]:
    return {name: [(0, statistics.median(turn.per_s for turn in of_one))] for name, of_one in turns.items()}


def _ratios(turns: Mapping[str, Sequence[Turn]]) -> list[Figure]:
    """Gives how many times as many notes lossnlp reads as each peer; within a round, then the median of the rounds."""
    if OURS not in turns:
        return []
    ours = [turn.per_s for turn in turns[OURS]]
    return [
        Figure(
            f"notes a second, times {name}",
            short(ratio_of(ours, [turn.per_s for turn in of_one])),
            target=TARGETS.get(name),
        )
        for name, of_one in turns.items()
        if name != OURS
    ]


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Gives the median of the ratios round by round: what slows a whole round down slows both."""
    return statistics.median(own / other for own, other in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
