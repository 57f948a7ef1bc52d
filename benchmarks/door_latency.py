"""How fast a door answers while the classifier is busy, beside `GET /healthz` at the same rate in the same run; what got lost or doubled.

The real app answers on a port of its own process, in which the shipped classifier assesses notes in a loop. Calls leave on a fixed
schedule whatever the answers do, and each latency counts from the moment its call was due, so that a stall is not hidden by the
calls it held up. Every tenth call is sent a second time, as CRMs do. Prints JSON.
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
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

import httpx2
from pydantic import SecretStr

from lossnlp.deal import Deal
from serving import inbox
from serving.app import create_app, load_assessor
from serving.crm.signed_doors import sign
from serving.intake import Assessor
from serving.logs import configure_logs
from serving.schema import migrate, open_database
from serving.server import open_port, serve
from serving.settings import Settings
from serving.store import now

NOTE = (
    "Second call with Marta went fine but on the third their finance director joined and asked what it would save them in a year. "
    "I had no number ready and said we would send one. We sent it ten days later, by then they had renewed with the old supplier "
    "for two years. Price was never the issue, they said."
)
SECRET = "only-for-this-benchmark-and-long-enough"  # noqa: S105
CLIENT_THREADS = 64
START_S = 120.0


def main() -> None:
    """Measures and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long calls are sent")
    parser.add_argument("--rate", type=float, default=50.0, help="calls a second, to each of door and peer")
    chosen = parser.parse_args()
    os.environ["LOSSNLP_DOOR_DEALS_SECRET"] = SECRET
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(var_dir=Path(folder), api_key=SecretStr(SECRET), crm="demo", log_level="error")
        migrate(settings.database_url)
        print(json.dumps(_measure(settings, seconds=chosen.seconds, rate=chosen.rate), indent=1))


def _measure(settings: Settings, *, seconds: float, rate: float) -> dict[str, object]:
    listener = open_port("127.0.0.1", 0)
    service = get_context("spawn").Process(target=_serve, args=(settings, listener), daemon=True)
    service.start()
    try:
        url, limits = f"http://127.0.0.1:{listener.getsockname()[1]}", httpx2.Limits(max_connections=None)
        with httpx2.Client(base_url=url, timeout=30.0, limits=limits) as client:
            _await_start(client)
            figures = _send_all(client, count=round(seconds * rate), rate=rate)
    finally:
        service.terminate()
        service.join()
        listener.close()
    return {"seconds": seconds, "calls_a_second": rate, "cpus": os.cpu_count()} | figures | _compare(settings, figures)


def _serve(settings: Settings, listener: socket.socket) -> None:
    """Runs the app beside a classifier that never rests."""
    configure_logs(settings)
    assessor = load_assessor(settings)
    Thread(target=_keep_busy, args=(assessor,), daemon=True).start()
    serve(create_app(settings, assessor=assessor), listener)


def _keep_busy(assessor: Assessor) -> None:
    deal = Deal.from_request({"id": "busy", "text": NOTE, "closed_at": "2026-11-20"})
    while True:
        assessor.assess(deal)


def _await_start(client: httpx2.Client) -> None:
    until_s = time.perf_counter() + START_S
    while time.perf_counter() < until_s:
        try:
            if client.get("/readyz", timeout=2.0).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise SystemExit("The service did not start.")


def _send_all(client: httpx2.Client, *, count: int, rate: float) -> dict[str, object]:
    """Gives the latencies of door and peer, called in turn at the same rate."""
    door: list[Future[tuple[float, int]]] = []
    peer: list[Future[tuple[float, int]]] = []
    # One pool each: calls at the door that wait must not keep the peer's from leaving.
    with ThreadPoolExecutor(CLIENT_THREADS) as knocking, ThreadPoolExecutor(CLIENT_THREADS) as asking:
        start_s = time.perf_counter() + 0.5
        for number in range(count):
            due_s = start_s + number / rate
            time.sleep(max(0.0, due_s - time.perf_counter()))
            door += [
                knocking.submit(_timed, _knock, client, number, due_s) for _ in range(2 if number % 10 == 0 else 1)
            ]
            due_s += 0.5 / rate
            time.sleep(max(0.0, due_s - time.perf_counter()))
            peer.append(asking.submit(_timed, _ask_health, client, number, due_s))
    found = {name: [future.result() for future in futures] for name, futures in (("door", door), ("healthz", peer))}
    return {f"{name}_ms": _spread([ms for ms, _ in pairs]) for name, pairs in found.items()} | {
        "events": count,
        "door_calls": len(door),
        "answers": {
            name: dict(Counter("none" if not status else str(status) for _, status in pairs))
            for name, pairs in found.items()
        },
    }


def _timed(
    send: Callable[[httpx2.Client, int], httpx2.Response], client: httpx2.Client, number: int, due_s: float
) -> tuple[float, int]:
    """Gives the time from when the call was due to its answer, in ms, and the status; 0 where none came."""
    try:
        status = send(client, number).status_code
    except httpx2.TransportError:
        status = 0
    return 1000 * (time.perf_counter() - due_s), status


def _knock(client: httpx2.Client, number: int) -> httpx2.Response:
    body = json.dumps({"id": f"event-{number}", "deals": [{"id": f"deal-{number}"}]}).encode()
    headers = {"Content-Type": "application/json", **sign(body, secret=SECRET, at=now())}
    return client.post("/doors/deals", content=body, headers=headers)


def _ask_health(client: httpx2.Client, _number: int) -> httpx2.Response:
    return client.get("/healthz")


def _compare(settings: Settings, figures: dict[str, object]) -> dict[str, object]:
    """Gives how many events the inbox lacks and holds twice."""
    database = open_database(settings.database_url)
    with database.reading() as session:
        rows = Counter(row.deal_id for row in inbox.find_events(session))
    database.close()
    sent = [f"deal-{number}" for number in range(int(str(figures["events"])))]
    return {
        "lost_events": sum(deal_id not in rows for deal_id in sent),
        "doubled_events": sum(times > 1 for times in rows.values()),
    }


def _spread(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)
    return {
        f"p{percent}": round(ranked[min(len(ranked) - 1, len(ranked) * percent // 100)], 1) for percent in (50, 95, 99)
    } | {"highest": round(ranked[-1], 1)}


if __name__ == "__main__":
    main()
