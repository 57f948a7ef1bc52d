"""Load on a service, from tools that others keep: wrk for as much as it takes, Locust at a fixed rate.

wrk takes next to nothing of the processors that the service needs, and its script gives every request a deal of its own; it cannot keep a
rate. Locust can, needs some processor time for it, and its times are those of about two-second users: a stall shows in full up to then.
oha, wrk2 and vegeta come from no package index that Python or Debian projects use; hey and bombardier send one body again and again,
which the service would answer from its store.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.served import KEY, Served
from benchmarks.turns import Turn, percentile

CONNECTIONS = 32
_FOLDER = Path(__file__).parent
_USER_S = 2.0  # between two requests of one user
_HIGHEST_MS = 60_000


@dataclass(frozen=True)
class Load:
    """What a service is given.

    Args:
        service: The service.
        bodies: File of request bodies, one a line, `DEAL-ID` where the id goes.
        seconds: How long.
    """

    service: Served
    bodies: Path
    seconds: float


def has_wrk() -> bool:
    """Says whether wrk is here."""
    return shutil.which("wrk") is not None


def write_bodies(service: Served, texts: list[str], path: Path) -> Path:
    """Gives the file of a service's request bodies."""
    path.write_text("".join(f"{service.body(text, 'DEAL-ID')}\n" for text in texts), encoding="utf-8")
    return path


def fill_up(load: Load) -> Turn:
    """Gives a turn in which a service answers as many requests as it can, from 32 connections that send one after the other.

    Raises:
        RuntimeError: Some were not answered.
    """
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{load.seconds:g}s",
        "--timeout",
        "60s",
        "-s",
        str(_FOLDER / "load.lua"),
    ]
    address = load.service.url + load.service.path
    before_s = load.service.cpu_s()
    told = _run([*command, address, "--", str(load.bodies), uuid4().hex, KEY], {})
    found = json.loads(told.splitlines()[-1])
    if found["failed"] or not found["requests"]:
        raise RuntimeError(f"{found['failed']} of {found['requests']} requests to {load.service.path} failed")
    return Turn(found["requests"], found["seconds"], load.service.cpu_s() - before_s)


@dataclass(frozen=True)
class AtRate:
    """How a service did at a rate: what it was asked and answered a second, p50 and p99 in ms, and the share that failed."""

    asked_per_s: float
    answered_per_s: float
    p50_ms: float
    p99_ms: float
    failed: float


def send_at(load: Load, rate: float, *, python: str) -> AtRate:
    """Gives how a service answers at a fixed rate.

    Args:
        load: What it is given.
        rate: Requests a second.
        python: That has locust.
    """
    users = max(1, math.ceil(rate * _USER_S))
    told = {
        "LOAD_BODIES": str(load.bodies),
        "LOAD_PATH": load.service.path,
        "LOAD_KEY": KEY,
        "LOAD_PREFIX": uuid4().hex,
    }
    length = ["-u", str(users), "-r", str(users), "-t", f"{math.ceil(load.seconds)}s"]
    command = [
        python,
        "-m",
        "locust",
        "-f",
        str(_FOLDER / "locust_load.py"),
        "--headless",
        "--json",
        "--exit-code-on-error",
        "0",
    ]
    found = _run([*command, *length, "--host", load.service.url], {**told, "LOAD_EACH": str(rate / users)})
    return read_locust(json.loads(found[found.index("[") :]), rate, seconds=math.ceil(load.seconds))


def read_locust(told: list[dict[str, Any]], rate: float, *, seconds: float) -> AtRate:
    """Gives what Locust's JSON says.

    Args:
        told: One entry an address.
        rate: Requests a second that it was asked for.
        seconds: How long it sent.
    """
    (one,) = told or [{"num_requests": 0, "num_failures": 0, "response_times": {}}]
    times = [float(ms) for ms, times in one["response_times"].items() for _ in range(times)] or [_HIGHEST_MS]
    failed = one["num_failures"] / max(1, one["num_requests"])
    answered = (one["num_requests"] - one["num_failures"]) / seconds
    return AtRate(rate, answered, percentile(times, 50), percentile(times, 99), failed)


def _run(command: list[str], told: dict[str, str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | told).stdout
