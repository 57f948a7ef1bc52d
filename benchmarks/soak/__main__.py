"""Keeps a service under mixed traffic for so many minutes while faults happen, and tells error rate and growth of memory.

Four servers and two workers as processes of their own (benchmarks.faults), with a stand-in for the classifier. One server and one worker
are killed by nobody; their memory is sampled. An error counts as outside of a fault where the request was under way neither while one
happened nor in the ten seconds after it. In the end everything that was accepted has to stand in the database and in the CRM, once.

Run: python -m benchmarks.soak [--minutes 30] [--database sqlite|postgres]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.faults.__main__ import settle
from benchmarks.faults.callers import Callers
from benchmarks.faults.counts import count_faults
from benchmarks.faults.deals import KnownDeal
from benchmarks.faults.injected import plan_faults
from benchmarks.faults.world import SERVERS, Kind, World, open_world
from benchmarks.machine import machine_facts
from benchmarks.soak.memory import Watch, slope_mb_per_hour
from benchmarks.soak.traffic import Asked, Traffic

_GRACE_S = 10.0
_WARM_SHARE = 1 / 3
_DEALS_EACH = 2
Window = tuple[float, float]
_COUNTS = ("lost", "doubled", "mixed_up", "persons_overwritten", "left_open")


def run(kind: Kind, asked: argparse.Namespace) -> dict[str, Any]:
    """Gives what became of the service in the time asked for."""
    seconds, started_s = asked.minutes * 60, time.monotonic()
    deals = {one.id: one for one in map(KnownDeal, range(round(seconds * asked.rate * _DEALS_EACH)))}
    with open_world(kind, deals, seed=asked.seed, log_file=asked.log) as world:
        world.spared = frozenset({0, SERVERS})
        world.start_all()
        callers = Callers(world.ports)
        traffic = Traffic(callers, list(deals.values()), asked.rate, asked.seed)
        watch = Watch({"server": world.ids[0], "worker": world.ids[SERVERS]})
        watch.start()
        traffic.start()
        begun_s = time.monotonic()
        windows, injected = _inject(world, begun_s + seconds, every_s=asked.every)
        traffic.stop()
        watch.stop()
        with closing(world.database()) as database:
            left = settle(world, database)
            found = count_faults(world, callers, database)
    growth = {name: _growth(samples, from_s=begun_s + seconds * _WARM_SHARE) for name, samples in watch.samples.items()}
    sizes = {"database": kind, "minutes": asked.minutes, "faults": dict(sorted(injected.items())), "left_open": left}
    spent = {"seconds_with_settling": round(time.monotonic() - started_s), "seed": asked.seed}
    return sizes | error_rates(traffic.asked, windows) | {"memory": growth} | found | spent


def _inject(world: World, until_s: float, *, every_s: float) -> tuple[list[Window], Counter[str]]:
    """Gives when faults happened, and how often each did; one begins every so many seconds until the time is over."""
    windows: list[Window] = []
    injected: Counter[str] = Counter()
    planned = plan_faults(world, max(1, round((until_s - time.monotonic()) / every_s)))
    for name, happen in planned:
        time.sleep(max(0.0, min(every_s, until_s - time.monotonic())))
        if time.monotonic() >= until_s:
            break
        from_s = time.monotonic()
        happen(world)
        windows.append((from_s, time.monotonic() + _GRACE_S))
        injected[name] += 1
        print(f"{injected.total()} faults, {until_s - time.monotonic():.0f} s left", file=sys.stderr, flush=True)
    time.sleep(max(0.0, until_s - time.monotonic()))
    return windows, injected


def error_rates(asked: Sequence[Asked], windows: Sequence[Window]) -> dict[str, Any]:
    """Gives requests and errors outside of faults and in all, and the errors outside by kind and status.

    Args:
        asked: The requests.
        windows: When a fault happened or was just over.
    """
    outside = [one for one in asked if not any(a <= one.ended_s and one.started_s <= b for a, b in windows)]
    errors = [one for one in outside if not one.is_right]
    return {
        "requests": len(asked),
        "errors": sum(not one.is_right for one in asked),
        "requests_outside_faults": len(outside),
        "errors_outside_faults": len(errors),
        "error_percent_outside_faults": round(100 * len(errors) / max(1, len(outside)), 4),
        "errors_outside_by_kind": dict(Counter(f"{one.kind} {one.status or 'no answer'}" for one in errors)),
        "requests_by_kind": dict(sorted(Counter(one.kind for one in asked).items())),
    }


def _growth(samples: Sequence[tuple[float, float]], *, from_s: float) -> dict[str, float | None]:
    warm = [size for at, size in samples if at >= from_s] or [samples[-1][1]]
    slope = slope_mb_per_hour(samples, from_s=from_s)
    ends = {"after_warm_up_mb": round(warm[0], 2), "at_the_end_mb": round(warm[-1], 2)}
    return {"mb_an_hour": None if slope is None else round(slope, 2), **ends}


def _read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    ask = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--minutes", type=float, default=30.0, help="of traffic (default: %(default)s)")
    ask.add_argument("--rate", type=float, default=10.0, help="requests a second (default: %(default)s)")
    ask.add_argument("--every", type=float, default=40.0, help="seconds between two faults (default: %(default)s)")
    ask.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    ask.add_argument("--seed", type=int, default=31)
    ask.add_argument("--log", type=Path, help="file for the logs of the service's processes; none are kept without it")
    return ask.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Prints the report as JSON; gives 1 where something was lost, doubled or mixed up, or an error rate or growth is above its aim."""
    asked = _read_arguments(words)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # database, disk and processes are put away then too
    told = run(asked.database, asked)
    print(json.dumps({"machine": machine_facts(), **told}, indent=1))
    grows = any((one["mb_an_hour"] or 0) >= 1 for one in told["memory"].values())
    return int(grows or told["error_percent_outside_faults"] >= 0.1 or any(told[name] for name in _COUNTS))


if __name__ == "__main__":
    sys.exit(main())
