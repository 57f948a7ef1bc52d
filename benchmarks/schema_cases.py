"""Asks the service what its own OpenAPI document allows and forbids, one generated request after the other, and counts wrong answers.

The real app answers on a port, over an empty SQLite file. Schemathesis makes the requests: the examples, each edge of each schema, values
drawn within and outside of the schemas, and chains in which an answer's id is asked for again. Calls at the signed door are signed on
their way in, so that they come as far as its reader.

Run: python -m benchmarks.schema_cases [--cases 20000] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from pydantic import SecretStr
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.machine import machine_facts
from serving.app import create_app
from serving.crm.signed_doors import sign
from serving.intake import Assessor
from serving.load.entrance import TIMEOUT_HEADER
from serving.logs import configure_logs
from serving.model.loading import load_assessor
from serving.schema import migrate
from serving.server import open_port, serving_beside
from serving.settings import Settings
from serving.store import now

KEY = "only-for-this-benchmark-and-long-enough"
SECRET = "only-for-this-benchmark-and-32-characters"  # noqa: S105
_SIGNED = "/doors/deals"
_LENIENT = ("/doors/flow", "/v1/assessments:flat", "/v1/assessments:batch")
_EXAMPLES = 40


@dataclass
class Found:
    """What a run has come to.

    Args:
        cases: Requests that were sent and answered.
        failures: What was wrong and how to see it again, by operation and check.
        statuses: How often each operation answered with each status.
        chained: Requests that used what an earlier answer had given.
    """

    cases: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    chained: int = 0

    def add(self, scenario: ScenarioRecorder) -> None:
        """Counts the requests of a scenario and what its checks say."""
        self.cases += len(scenario.interactions)
        self.chained += sum(1 for node in scenario.cases.values() if node.parent_id and node.transition)
        for case_id, one in scenario.interactions.items():
            status = one.response.status_code if one.response else "none"
            self.statuses[f"{scenario.cases[case_id].value.operation.label} {status}"] += 1
        for case_id, checks in scenario.checks.items():
            for check in checks:
                if check.status is Status.FAILURE and check.failure_info is not None:
                    label = scenario.cases[case_id].value.operation.label
                    told = f"{check.failure_info.failure.message}\n{check.failure_info.code_sample}"
                    self.note(f"{label}: {check.name}: {check.failure_info.failure.title}", told)

    def note(self, name: str, told: str) -> None:
        """Keeps a failure, and tells it the first time."""
        if name not in self.failures:
            self.failures[name] = told
            print(f"{name}\n{told}\n", file=sys.stderr, flush=True)


@schemathesis.check
def problem_names_field_and_mend(_ctx: Any, response: Any, case: Any) -> None:  # noqa: ANN401 (of schemathesis)
    """Passes where an answer of 400 or more is a problem document with one message, and at 422 with the field at fault.

    A 503 has to say when to try again, and only a request that set a time of its own may get one.
    """
    status = response.status_code
    if status < 400 or response.request.method == "HEAD":
        return
    problem = response.json()
    assert problem["detail"].strip(), "The problem says nothing."  # noqa: S101
    if status == 422:
        faults = problem.get("errors", [])
        assert faults, "The problem names no field."  # noqa: S101
        assert all(one["message"].strip() for one in faults), "A field is named without a message."  # noqa: S101
    if status == 503:
        assert response.headers.get("retry-after"), "The problem does not say when to try again."  # noqa: S101
        assert TIMEOUT_HEADER in (case.headers or {}), "A request without a time of its own got none."  # noqa: S101


class Signer:
    """Signs the calls at the signed door on their way to the app.

    Args:
        app: That the calls go to.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the call on; its body is read whole where it is signed."""
        if scope["type"] != "http" or scope["path"] != _SIGNED:
            return await self._app(scope, receive, send)
        body, is_more = b"", True
        while is_more:
            part = await receive()
            body, is_more = body + part.get("body", b""), part.get("more_body", False)
        signed = sign(body, secret=SECRET, at=now())
        headers = [*scope["headers"], *((name.lower().encode(), value.encode()) for name, value in signed.items())]
        parts: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive_again() -> Message:
            return next(parts, None) or await receive()

        return await self._app(scope | {"headers": headers}, receive_again, send)


@contextmanager
def served(folder: Path, assessor: Assessor | None = None) -> Iterator[str]:
    """Gives the base URL of the app over a new database.

    Args:
        folder: Of the database.
        assessor: Reads the deals; None is the bundle that ships.
    """
    settings = Settings(var_dir=folder, api_key=SecretStr(KEY), crm="demo", audit_rate=0)
    migrate(settings.database_url)
    app = create_app(settings, assessor=assessor or load_assessor(settings))
    app.add_middleware(Signer)
    with serving_beside(app, open_port("127.0.0.1", 0)) as url:
        yield url


def ask_all(url: str, *, cases: int, seed: int, examples: int = _EXAMPLES) -> Found:
    """Gives what at least so many requests have come to; the edges of the schemas are asked for once, the rest is drawn anew each round.

    Args:
        url: Of the service.
        cases: Requests.
        seed: Of the first round.
        examples: That are drawn of an operation, in a round.
    """
    found, number = Found(), 0
    while found.cases < cases:
        schema = schemathesis.openapi.from_url(
            f"{url}/openapi.json", config=_configure(url, seed + number, examples, is_first=not number)
        )
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                found.add(event.recorder)
            elif isinstance(event, events.NonFatalError):
                found.note(f"{event.label}: {event.info.title}", str(event.info))
        number += 1
        print(f"{found.cases} of {cases} cases, {len(found.failures)} failures", file=sys.stderr, flush=True)
    return found


def _configure(url: str, seed: int, examples: int, *, is_first: bool) -> SchemathesisConfig:
    off = {"negative_data_rejection": {"enabled": False}}
    told: dict[str, Any] = {
        "seed": seed,
        "base-url": url,
        "headers": {"Authorization": f"Bearer {KEY}"},
        "continue-on-failure": True,
        "request-timeout": 60,
        "suppress-health-check": ["all"],
        "generation": {"max-examples": examples, "database": "none", "allow-extra-parameters": False},
        "phases": {"examples": {"enabled": is_first}, "coverage": {"enabled": is_first}},
        "checks": {
            "positive_data_acceptance": {"enabled": False},
            "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
        },
        # The first two take more than their schemas say, which are kept plain for Salesforce: null for a key, a transcript without
        # a note. A batch answers a bad item in its place.
        "operations": [{"include-path": path, "checks": off} for path in _LENIENT],
    }
    return SchemathesisConfig.from_dict(told)


def _read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    ask = argparse.ArgumentParser(prog="python -m benchmarks.schema_cases", description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--cases", type=int, default=20_000, help="requests at least (default: %(default)s)")
    ask.add_argument("--seed", type=int, default=1, help="of what is drawn (default: %(default)s)")
    return ask.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Prints the counts as JSON; gives 1 where an answer was wrong."""
    asked, started_s = _read_arguments(words), time.monotonic()
    os.environ["LOSSNLP_DOOR_DEALS_SECRET"] = SECRET
    configure_logs(Settings(log_level="error"))
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as url:
        found = ask_all(url, cases=asked.cases, seed=asked.seed)
    counts = {"cases": found.cases, "chained": found.chained, "failures": len(found.failures), "seed": asked.seed}
    spent = {"seconds": round(time.monotonic() - started_s, 1), "answers": dict(sorted(found.statuses.items()))}
    print(json.dumps({"machine": machine_facts(), **counts, **spent}, indent=1))
    return int(bool(found.failures))


if __name__ == "__main__":
    sys.exit(main())
