"""How long one note takes, taken by itself in a process that is warm, beside a transformers pipeline with the same weights. Writes JSON.

Run: python -m benchmarks.latency [--notes 200] [--rounds 5] [--cores 2]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from functools import partial

from benchmarks.material import notes
from benchmarks.peer_process import started_peers
from benchmarks.results import Figure, Plot, Record, Result
from benchmarks.speed_peers import OURS, PIPELINE
from benchmarks.throughput import ratio_of
from benchmarks.turns import ROUNDS, Turn, percentile, short, spread, take_turns

TIMES_LESS = 5.0
_PEERS = (OURS, PIPELINE, "transformers, bf16")
_PERCENTS = (50, 99)


def main() -> None:
    """Measures single notes and writes the figures."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=main.__doc__)
    ask.add_argument("--notes", type=int, default=200, help="notes in a round (default: %(default)s)")
    ask.add_argument("--rounds", type=int, default=ROUNDS, help="alternating rounds (default: %(default)s)")
    ask.add_argument("--cores", type=int, default=2, help="processors for each (default: %(default)s)")
    asked = ask.parse_args()
    record = Record()
    with started_peers(_PEERS, notes(asked.notes), cores=asked.cores) as (peers, missing):
        turns = take_turns({name: partial(peer.take_turn, "each") for name, peer in peers.items()}, rounds=asked.rounds)
    times = {percent: {name: _of_rounds(of_one, percent) for name, of_one in turns.items()} for percent in _PERCENTS}
    record.write(
        Result(
            "latency",
            "One note at a time",
            figures=[
                Figure(
                    f"p{percent} of a note, times less than {name}",
                    short(ratio_of(found[name], found[OURS])),
                    target=TIMES_LESS if name == PIPELINE else None,
                )
                for percent, found in times.items()
                for name in turns
                if name != OURS
            ],
            rows=[
                _row(name, [times[percent][name] for percent in _PERCENTS], of_one) for name, of_one in turns.items()
            ],
            plots=[
                Plot(
                    "Time of one note, share of notes done",
                    ("ms", "share"),
                    {name: _curve(of_one) for name, of_one in turns.items()},
                    "lines",
                )
            ],
            notes=[
                f"{asked.notes} rep notes one by one, {asked.cores} cores, {asked.rounds} rounds in turns; of p50 and p99 the median.",
                *(f"Not measured: {name} ({why})." for name, why in missing.items()),
            ],
            options=vars(asked),
        )
    )


def _of_rounds(turns: Sequence[Turn], percent: float) -> list[float]:
    return [percentile(turn.each_ms, percent) for turn in turns]


def _row(name: str, of_rounds: Sequence[Sequence[float]], turns: Sequence[Turn]) -> dict[str, object]:
    told: dict[str, object] = {"peer": name}
    for percent, values in zip(_PERCENTS, of_rounds, strict=True):
        found = spread(values)
        told |= {
            f"p{percent} ms": found["median"],
            f"p{percent} lowest": found["lowest"],
            f"p{percent} highest": found["highest"],
        }
    return told | {"processor ms a note": short(statistics.median(turn.cpu_ms_each for turn in turns))}


def _curve(turns: Sequence[Turn]) -> list[tuple[float, float]]:
    every = [value for turn in turns for value in turn.each_ms]
    return [(short(percentile(every, percent)), percent / 100) for percent in range(1, 101)]


if __name__ == "__main__":
    main()
