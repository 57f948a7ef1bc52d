"""Drives deals through four servers and two workers while they, the database, its disk, the clock and the CRM fail; counts what is lost.

The servers' endpoint and the door for any CRM take the deals in, the workers read those of the door and write all values into a CRM.
A deal counts as accepted once it was answered 2xx. Whatever was accepted has to stand in the database once and in the CRM once, with the
deal's own words. The classifier is a stand-in that reads four words; the workers' clock runs sixty times as fast, so that a lease of
fifteen minutes lasts fifteen seconds.
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
from threading import Thread
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from benchmarks.faults.callers import Callers
from benchmarks.faults.counts import count_faults, count_open
from benchmarks.faults.deals import KnownDeal
from benchmarks.faults.injected import plan_faults
from benchmarks.faults.world import SERVERS, WORKERS, Kind, World, open_world
from benchmarks.machine import machine_facts
from serving.store import Database
from tests.serving.postgres_server import has_postgres

_QUIET_S = 20.0
_STEP_S = 2.0
_SIX_HOURS_S = 21_600.0
_MOST_S = 600.0


def run(kind: Kind, count: int, faults: int, *, seed: int, log_file: Path | None = None) -> dict[str, Any]:
    """Gives what became of the deals.

    Args:
        kind: Of the database.
        count: Deals.
        faults: That are injected while they are told.
        seed: Of the order of the faults.
        log_file: Where the service's processes write their logs; None keeps none.
    """
    deals = {one.id: one for one in map(KnownDeal, range(count))}
    with open_world(kind, deals, seed=seed, log_file=log_file) as world:
        world.start_all()
        callers, started_s = Callers(world.ports), time.monotonic()
        telling = Thread(target=callers.tell_all, args=(list(deals.values()),), daemon=True)
        telling.start()
        injected = _inject(world, callers, faults, telling=telling)
        telling.join()
        with closing(world.database()) as database:
            left = settle(world, database)
            found = count_faults(world, callers, database)
    sizes = {"database": kind, "deals": count, "faults": sum(injected.values()), "servers": SERVERS, "workers": WORKERS}
    spent = {"seconds": round(time.monotonic() - started_s, 1), "seed": seed, "own_disk": world.has_own_disk}
    return {**sizes, **found, "left_open": left, "by_fault": dict(sorted(injected.items())), **spent}


def _inject(world: World, callers: Callers, faults: int, *, telling: Thread) -> Counter[str]:
    """Gives how often each fault happened: they are spread over the deals, and go on while the last ones are told."""
    injected: Counter[str] = Counter()
    each = len(world.crm.deals) / max(1, faults)
    for number, (name, happen) in enumerate(plan_faults(world, faults)):
        while len(callers.accepted) < number * each and telling.is_alive():
            time.sleep(0.01)
        happen(world)
        injected[name] += 1
        _tell(f"{world.kind}: {number + 1} of {faults} faults, {len(callers.accepted)} deals accepted")
    return injected


def settle(world: World, database: Database) -> int:
    """Gives what is still open after leases and pauses have run out: the clock is set ahead, step by step, as days pass."""
    until_s = time.monotonic() + _MOST_S
    left = _count_open(database)
    while left and time.monotonic() < until_s:
        time.sleep(_QUIET_S if world.luck.random() < 0.5 else _STEP_S)
        world.jump(_SIX_HOURS_S)
        left = _count_open(database)
        _tell(f"{world.kind}: {left} still open")
    return left


def _count_open(database: Database) -> int:
    try:
        return count_open(database)
    except SQLAlchemyError:  # its connection was cut by the last fault
        return 1


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    ask = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--deals", type=int, default=10_000, help="for each database")
    ask.add_argument("--faults", type=int, default=300, help="for each database")
    ask.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    ask.add_argument("--seed", type=int, default=28)
    ask.add_argument("--log", type=Path, help="file for the logs of the service's processes; none are kept without it")
    return ask.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Prints the counts as JSON; gives 1 where anything was lost, doubled or mixed up."""
    asked = _read_arguments(words)
    kinds: list[Kind] = ["sqlite", "postgres"] if asked.database == "both" else [asked.database]
    if "postgres" in kinds and not has_postgres():
        kinds.remove("postgres")
        _tell("PostgreSQL's server programs (initdb, pg_ctl) are not on this machine: left out.")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # database, disk and processes are put away then too
    runs = [run(kind, asked.deals, asked.faults, seed=asked.seed, log_file=asked.log) for kind in kinds]
    print(json.dumps({"machine": machine_facts(), "runs": runs}, indent=1))
    return int(
        any(one[name] for one in runs for name in ("lost", "doubled", "mixed_up", "persons_overwritten", "left_open"))
    )


if __name__ == "__main__":
    sys.exit(main())
