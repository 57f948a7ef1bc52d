"""How fast doors answer while the classifier is busy, beside `GET /healthz` in the same run; what got lost or doubled.

The doors are called in turn, the peer as often as each of them. The real app answers on a port of its own process, over an inbox with a
past and with its log on, while two threads of that process assess notes with the shipped classifier without rest. Calls leave on a fixed
schedule whatever the answers do, and each latency counts from the moment its call was due, so that a stall is not hidden by the calls it
held up. Every tenth call at a door is sent a second time, as CRMs do. At the end the process is killed: what it has answered has to stand
in the inbox. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread

import httpx2
from pydantic import SecretStr
from sqlalchemy import insert

from lossnlp.deal import Deal
from serving import inbox
from serving.app import create_app
from serving.crm.signed_doors import sign
from serving.intake import Assessor
from serving.logs import configure_logs
from serving.model.loading import load_assessor
from serving.schema import migrate, open_database
from serving.server import open_port, serve
from serving.settings import Settings
from serving.store import now
from serving.tables import InboxRow

NOTE = (
    "Second call with Marta went fine but on the third their finance director joined and asked what it would save them in a year. "
    "I had no number ready and said we would send one. We sent it ten days later, by then they had renewed with the old supplier "
    "for two years. Price was never the issue, they said."
)
SECRET = "only-for-this-benchmark-and-long-enough"  # noqa: S105
SETTLED_EVENTS = 20_000
CLASSIFIER_THREADS = 2
CLIENT_THREADS = 64
START_S = 120.0
Send = Callable[[httpx2.Client, int], httpx2.Response]


@dataclass(frozen=True, slots=True)
class Call:
    """One call and how it was answered.

    Args:
        number: Its place in the schedule.
        latency_ms: From when it was due to its answer.
        status: Of the answer; 0 where none came.
    """

    number: int
    latency_ms: float
    status: int


def main() -> None:
    """Measures and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long calls are sent")
    parser.add_argument("--rate", type=float, default=50.0, help="calls a second at the doors together")
    chosen = parser.parse_args()
    os.environ["LOSSNLP_DOOR_DEALS_SECRET"] = SECRET
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(var_dir=Path(folder), api_key=SecretStr(SECRET), crm="demo", log_level="info")
        migrate(settings.database_url)
        _seed(settings)
        print(json.dumps(_measure(settings, seconds=chosen.seconds, rate=chosen.rate), indent=1))


def _seed(settings: Settings) -> None:
    """Gives the inbox a past."""
    settled = {"crm": "demo", "door": "deals", "state": "taken", "tries": 1}
    settled |= dict.fromkeys(("received_at", "due_at", "settled_at"), now())
    rows = [settled | {"key": f"deals old-{n} old-{n}", "deal_id": f"old-{n}"} for n in range(SETTLED_EVENTS)]
    database = open_database(settings.database_url)
    with database.writing() as session:
        session.execute(insert(InboxRow), rows)
        session.commit()
    database.close()


def _measure(settings: Settings, *, seconds: float, rate: float) -> dict[str, object]:
    listener, context = open_port("127.0.0.1", 0), get_context("spawn")
    log, log_end = context.Pipe(duplex=False)
    service = context.Process(target=_serve, args=(settings, listener, log_end), daemon=True)
    service.start()
    log_end.close()
    Thread(target=_drain, args=(log,), daemon=True).start()
    try:
        url, limits = f"http://127.0.0.1:{listener.getsockname()[1]}", httpx2.Limits(max_connections=None)
        with httpx2.Client(base_url=url, timeout=30.0, limits=limits) as client:
            _await_start(client)
            each = rate / len(_DOORS)
            calls = _send_all(client, count=round(seconds * each), rate=each)
    finally:
        service.kill()
        service.join()
        listener.close()
    return (
        {"seconds": seconds, "calls_a_second": rate, "cpus": os.cpu_count()}
        | _figures(calls)
        | _compare(settings, calls)
    )


def _serve(settings: Settings, listener: socket.socket, log_end: Connection) -> None:
    """Runs the app beside a classifier that never rests."""
    os.dup2(log_end.fileno(), 2)  # the log goes to standard error
    configure_logs(settings)
    assessor = load_assessor(settings)
    for _ in range(CLASSIFIER_THREADS):
        Thread(target=_keep_busy, args=(assessor,), daemon=True).start()
    serve(create_app(settings, assessor=assessor), listener)


def _keep_busy(assessor: Assessor) -> None:
    deal = Deal.from_request({"id": "busy", "text": NOTE, "closed_at": "2026-11-20"})
    while True:
        assessor.assess(deal)


def _drain(log: Connection) -> None:
    while os.read(log.fileno(), 65_536):
        pass


def _await_start(client: httpx2.Client) -> None:
    until_s = time.perf_counter() + START_S
    while time.perf_counter() < until_s:
        try:
            if client.get("/readyz", timeout=2.0).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise SystemExit("The service did not start.")


def _send_all(client: httpx2.Client, *, count: int, rate: float) -> dict[str, list[Call]]:
    """Gives the calls at each address.

    Args:
        client: Open towards the service.
        count: Calls at each address.
        rate: Calls a second at each address.
    """
    futures: dict[str, list[Future[Call]]] = {name: [] for name in _SENDERS}
    with ExitStack() as stack:
        # One pool each: calls at one address that wait must not keep those at another from leaving.
        pools = {name: stack.enter_context(ThreadPoolExecutor(CLIENT_THREADS)) for name in _SENDERS}
        start_s = time.perf_counter() + 0.5
        for number in range(count):
            for place, (name, send) in enumerate(_SENDERS.items()):
                due_s = start_s + (number + place / len(_SENDERS)) / rate
                time.sleep(max(0.0, due_s - time.perf_counter()))
                times = 2 if name != "healthz" and number % 10 == 0 else 1
                futures[name] += [pools[name].submit(_timed, send, client, number, due_s) for _ in range(times)]
    return {name: [future.result() for future in of_one] for name, of_one in futures.items()}


def _timed(send: Send, client: httpx2.Client, number: int, due_s: float) -> Call:
    try:
        status = send(client, number).status_code
    except httpx2.TransportError:
        status = 0
    return Call(number, 1000 * (time.perf_counter() - due_s), status)


def _tell_deals(client: httpx2.Client, number: int) -> httpx2.Response:
    body = json.dumps({"id": f"event-{number}", "deals": [{"id": f"deals-{number}"}]}).encode()
    headers = {"Content-Type": "application/json", **sign(body, secret=SECRET, at=now())}
    return client.post("/doors/deals", content=body, headers=headers)


def _tell_flow(client: httpx2.Client, number: int) -> httpx2.Response:
    told = {"dealId": f"flow-{number}", "eventKey": f"event-{number}"}
    return client.post("/doors/flow", json=told, headers={"Authorization": f"Bearer {SECRET}"})


def _ask_health(client: httpx2.Client, _number: int) -> httpx2.Response:
    return client.get("/healthz")


_DOORS: dict[str, Send] = {"deals": _tell_deals, "flow": _tell_flow}
_SENDERS: dict[str, Send] = _DOORS | {"healthz": _ask_health}


def _figures(calls: dict[str, list[Call]]) -> dict[str, object]:
    return {
        name: {
            "calls": len(of_one),
            "answers": dict(Counter(str(call.status) if call.status else "none" for call in of_one)),
            "latency_ms": _spread([call.latency_ms for call in of_one]),
        }
        for name, of_one in calls.items()
    }


def _compare(settings: Settings, calls: dict[str, list[Call]]) -> dict[str, object]:
    """Gives how many answered events the inbox lacks, and how many events it holds twice."""
    database = open_database(settings.database_url)
    with database.reading() as session:
        rows = Counter(row.deal_id for row in inbox.find_events(session, states=["due"]))
    database.close()
    answered = {f"{name}-{call.number}" for name in _DOORS for call in calls[name] if call.status == 200}
    return {
        "answered_events": len(answered),
        "lost_events": sum(deal_id not in rows for deal_id in answered),
        "doubled_events": sum(times > 1 for times in rows.values()),
    }


def _spread(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)
    return {
        f"p{percent}": round(ranked[min(len(ranked) - 1, len(ranked) * percent // 100)], 1) for percent in (50, 95, 99)
    } | {"highest": round(ranked[-1], 1)}


if __name__ == "__main__":
    main()
