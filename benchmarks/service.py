"""The service beside the classifier in process, and beside MLflow's and LitServe's with the same bundle. Writes JSON.

Run: python -m benchmarks.service [--seconds 10] [--rounds 5] [--rates 5 10 20]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.load import AtRate, Load, fill_up, has_wrk, send_at, write_bodies
from benchmarks.material import notes
from benchmarks.peer_process import find_module, started_peers
from benchmarks.results import Figure, Plot, Record, Result
from benchmarks.served import Served, litserve_service, lossnlp_service, mlflow_service
from benchmarks.speed_peers import OURS
from benchmarks.throughput import ratio_of
from benchmarks.turns import ROUNDS, Turn, short, spread, take_turns

OF_IN_PROCESS = 0.85
IN_PROCESS, SERVICE = "in process", "lossnlp-serve"
_SHARES = (0.25, 0.5, 0.75)
_WARM = 16
Turns = Mapping[str, Sequence[Turn]]
Rated = Mapping[str, Sequence[AtRate]]
Speeds = Mapping[str, Sequence[float]]


def main() -> None:
    """Measures the services that are here and writes the figures."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.service", description=main.__doc__)
    ask.add_argument("--notes", type=int, default=300, help="different notes (default: %(default)s)")
    ask.add_argument("--seconds", type=float, default=10.0, help="of a turn (default: %(default)s)")
    ask.add_argument("--rounds", type=int, default=ROUNDS, help="alternating rounds (default: %(default)s)")
    ask.add_argument(
        "--rates", type=float, nargs="*", help="requests a second; default: 25, 50 and 75 %% of what is read in process"
    )
    asked = ask.parse_args()
    if not has_wrk():
        ask.error("wrk is not here: apt-get install wrk")
    record, texts, locust = Record(), notes(asked.notes), find_module("locust")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peers, _ = stack.enter_context(started_peers([OURS], texts))
        services, missing = _start_all(stack)
        loads = {
            name: Load(one, write_bodies(one, texts, folder / f"{place}.jsonl"), asked.seconds)
            for place, (name, one) in enumerate(services.items())
        }
        takers: dict[str, Callable[[], Turn]] = {IN_PROCESS: peers[OURS].take_turn}
        takers |= {name: partial(fill_up, load) for name, load in loads.items()}
        for one in services.values():
            one.ask_all(texts[:_WARM])
        turns = take_turns(takers, rounds=asked.rounds)
        inside = statistics.median(turn.per_s for turn in turns[IN_PROCESS])
        rates = asked.rates or [short(inside * share) for share in _SHARES]
        rated: dict[str, list[AtRate]] = {
            name: [send_at(load, rate, python=locust) for rate in rates] if locust else []
            for name, load in loads.items()
        }
    missing |= {} if locust else {"fixed rates": "needs locust"}
    record.write(_result(turns, rated, missing, vars(asked)))


def _start_all(stack: ExitStack) -> tuple[dict[str, Served], dict[str, str]]:
    """Gives the services that run here, and why the others do not."""
    litserve = find_module("litserve")
    ways = {SERVICE: lossnlp_service, "mlflow models serve": mlflow_service}
    ways |= {"LitServe": partial(litserve_service, litserve)} if litserve else {}
    services: dict[str, Served] = {}
    missing = {} if litserve else {"LitServe": "needs litserve"}
    for name, start in ways.items():
        try:
            services[name] = stack.enter_context(start())
        except RuntimeError as error:
            missing[name] = str(error)[:300]
        print(f"{name}: {missing.get(name, 'is ready')}", file=sys.stderr, flush=True)
    return services, missing


def _result(turns: Turns, rated: Rated, missing: Mapping[str, str], options: Mapping[str, Any]) -> Result:
    speeds = {name: [turn.per_s for turn in of_one] for name, of_one in turns.items()}
    return Result(
        "service",
        "The service",
        figures=_figures(speeds),
        rows=_rows(turns, speeds, rated),
        plots=_plots(speeds, rated),
        notes=[
            "One note a request, each a deal of its own; wrk with 32 connections for as many as it takes, Locust at fixed rates.",
            "The load comes from the same machine, and its processors are the service's.",
            "lossnlp-serve stores every answer and opens its review; the other two only answer.",
            *(f"Not measured: {name} ({why})." for name, why in missing.items()),
        ],
        options=options,
        found={
            "turns": {name: [[one.count, one.wall_s, one.cpu_s] for one in of_one] for name, of_one in turns.items()}
        },
    )


def _figures(speeds: Speeds) -> list[Figure]:
    ratios = {name: short(ratio_of(speeds[SERVICE], values)) for name, values in speeds.items() if name != SERVICE}
    inside = ratios.pop(IN_PROCESS)
    return [
        Figure("notes a second served, share of in process", inside, target=OF_IN_PROCESS),
        *(Figure(f"notes a second served, times {name}", ratio) for name, ratio in ratios.items()),
    ]


def _rows(turns: Turns, speeds: Speeds, rated: Rated) -> list[dict[str, Any]]:
    full = [
        {
            "service": name,
            "asked a second": "as many as it takes",
            "answered a second": spread(speeds[name])["median"],
            "processor ms a note": short(statistics.median(turn.cpu_ms_each for turn in of_one)),
        }
        for name, of_one in turns.items()
    ]
    fixed = [
        {
            "service": name,
            "asked a second": short(one.asked_per_s),
            "answered a second": short(one.answered_per_s),
            "p50 ms": short(one.p50_ms),
            "p99 ms": short(one.p99_ms),
            "failed": short(one.failed),
        }
        for name, of_one in rated.items()
        for one in of_one
    ]
    return full + fixed


def _plots(speeds: Speeds, rated: Rated) -> list[Plot]:
    medians = {name: [(0, statistics.median(values))] for name, values in speeds.items()}
    lines = {
        f"{name}, p{percent}": [(one.asked_per_s, getattr(one, f"p{percent}_ms")) for one in of_one]
        for name, of_one in rated.items()
        if of_one
        for percent in (50, 99)
    }
    full = Plot("Notes a second, as many as it takes", ("", "notes a second"), medians)
    fixed = Plot("Time of an answer at a fixed rate", ("requests a second", "ms"), lines, "log")
    return [full, fixed] if lines else [full]


if __name__ == "__main__":
    main()
