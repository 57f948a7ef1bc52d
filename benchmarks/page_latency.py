"""How long pages take to their first byte: at 0, 1, 30 and 50,000 lost deals that all wait, all in the window that reports count.

The real app answers on a port of its own process with the shipped classifier; a signed-in client loads each page in turn over one
connection. The first load of a page is not counted. Prints a table.

Run: nice -n 19 python -m benchmarks.page_latency [--deals 0 1 30 50000]
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table as Grid
from sqlalchemy import insert

from lossnlp.assessment import Assessment
from lossnlp.taxonomy import get_default_taxonomy
from serving.app import create_app
from serving.people.first_person import DEMO_EMAIL, make_demo_person
from serving.schema import migrate, open_database
from serving.server import open_port, serve
from serving.settings import Settings
from serving.store import Database, now
from serving.tables import (
    AssessmentRow,
    DealRow,
    LossElementRow,
    LossReasonRow,
    LossRow,
    ReviewCauseRow,
    ReviewRow,
    Table,
)

AIM_MS, LOADS = 300, 20
CHUNK, START_S = 5_000, 120.0
PAGES = ("/review", "/review/deals/1", "/losses", "/winbacks")
TAXONOMY = get_default_taxonomy()
TEAMS = ("North", "South", "West", None)
CAUSES = ("primary_reason_uncertain", "rep_buyer_conflict", "audit_sample")
DAYS = 170  # of the six months that reports count where no window is chosen


def main() -> None:
    """Measures and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--deals", type=int, nargs="+", default=[0, 1, 30, 50_000])
    chosen = parser.parse_args()
    grid = Grid("Deals", "Page", "p50, ms", "p95, ms", title=f"First byte, {LOADS} loads a page; aim {AIM_MS} ms")
    for deals in chosen.deals:
        with tempfile.TemporaryDirectory() as folder, _served(Path(folder), deals) as client:
            for path in PAGES if deals else [path for path in PAGES if "/deals/" not in path]:
                middle, slow = _measure(client, path)
                grid.add_row(f"{deals:,}", path, f"{middle:.0f}", f"{slow:.0f}")
    console = Console()
    console.print(grid)
    console.print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} in the last minute")


def _measure(client: httpx2.Client, path: str) -> tuple[float, float]:
    """Gives the median and the 95th percentile of the times to the first byte, in ms."""
    times = [_first_byte_ms(client, path) for _ in range(LOADS + 1)][1:]
    return statistics.median(times), statistics.quantiles(times, n=20, method="inclusive")[-1]


def _first_byte_ms(client: httpx2.Client, path: str) -> float:
    started = time.perf_counter()
    with client.stream("GET", path) as answer:
        if answer.status_code != 200:
            raise SystemExit(f"{path} answered {answer.status_code}.")
        chunks = answer.iter_raw()
        next(chunks)
        took_ms = 1000 * (time.perf_counter() - started)
        for _ in chunks:  # the connection is free again once all has been read
            pass
    return took_ms


@contextmanager
def _served(folder: Path, deals: int) -> Iterator[httpx2.Client]:
    """Gives a signed-in client of an app with so many deals."""
    settings = Settings(var_dir=folder, api_key=SecretStr("only-for-this-benchmark"), env="development")
    migrate(settings.database_url)
    database = open_database(settings.database_url)
    password = make_demo_person(database, folder).read_text(encoding="ascii").strip()
    fill(database, deals)
    database.close()
    listener = open_port("127.0.0.1", 0)
    service = get_context("spawn").Process(target=_serve, args=(settings, listener), daemon=True)
    service.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx2.Client(base_url=url, timeout=START_S) as client:
            client.post("/sign-in", data={"email": DEMO_EMAIL, "password": password})
            yield client
    finally:
        service.kill()
        service.join()
        listener.close()


def _serve(settings: Settings, listener: socket.socket) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the log
    serve(create_app(settings), listener)


def fill(database: Database, deals: int) -> None:
    """Puts so many lost deals into an empty database, all of which wait."""
    chance = random.Random(1)
    for low in range(1, deals + 1, CHUNK):
        rows: dict[type[Table], list[dict[str, Any]]] = {}
        for number in range(low, min(low + CHUNK, deals + 1)):
            for kind, row in _rows(number, chance):
                rows.setdefault(kind, []).append(row)
        with database.writing() as session:
            for kind, values in rows.items():
                session.execute(insert(kind), values)
            session.commit()


def _rows(number: int, chance: random.Random) -> Iterator[tuple[type[Table], dict[str, Any]]]:
    """Gives all that is kept of one deal."""
    deal_id, assessment_id, at = f"D-{number}", f"{number:036d}", now()
    code, sure = chance.choice(TAXONOMY.codes), chance.random()
    lost_on = at.date() - timedelta(days=chance.randrange(DAYS))
    shared = {"amount": round(chance.lognormvariate(10, 1)), "team": chance.choice(TEAMS)}
    deal = {**shared, "currency": "EUR", "owner": f"Owner {number % 40}", "account": f"Account {number}"}
    elements = {element: chance.choice(("gap", "covered", "not_mentioned")) for element in TAXONOMY.element_codes}
    read = reading(deal_id, code, sure, elements)
    yield DealRow, {"id": deal_id, "closed_on": lost_on, "received_at": at, **deal}
    said = {"model_version": read["model"]["version"], "primary_reason": code}
    answer = {"id": assessment_id, "content_sha256": "0" * 64, "assessment": read, "review_required": True}
    yield AssessmentRow, {**answer, **said, "deal_id": deal_id, "created_at": at}
    review = {"assessment_id": assessment_id, "deal_id": deal_id, "uncertainty": 1 - sure, "state": "waiting"}
    yield ReviewRow, {**review, **said, **shared, "id": number, "wanted": 1, "created_at": at}
    yield ReviewCauseRow, {"review_id": number, "cause": chance.choice(CAUSES)}
    loss = {"deal_id": deal_id, "assessment_id": assessment_id, "lost_on": lost_on, "read_reason": code}
    revisit_on = lost_on + timedelta(days=chance.randrange(30, 400)) if chance.random() < 0.5 else None
    way_back = {"winback": chance.choice(("open", "unclear", "closed")), "revisit_on": revisit_on}
    yield LossRow, {**loss, **said, **deal, **way_back, "confidence": sure}
    yield LossReasonRow, {"deal_id": deal_id, "code": code, "is_primary": True}
    for element, state in elements.items():
        if state != "not_mentioned":
            yield LossElementRow, {"deal_id": deal_id, "element": element, "state": state}


def reading(deal_id: str, code: str, sure: float, elements: dict[str, str]) -> dict[str, Any]:
    """Gives an assessment that answers so, as it is stored.

    Args:
        deal_id: The deal.
        code: Its primary reason.
        sure: Confidence in it, 0 to 1.
        elements: The state of each MEDDPICC element.
    """
    words = "They told us on the phone what decided it, and that is what stands here."
    quote = {"document_id": "note", "start": 0, "end": len(words), "text": words, "role": "rep"}
    named = TAXONOMY.get_reason(code)
    reason = {"code": code, "label": named.label, "group": named.group, "primary": True, "confidence": sure}
    flags = ("external_only", "insufficient_detail", "rep_buyer_conflict", "stated_reason_conflict")
    read = {
        "deal_id": deal_id,
        "reasons": [{**reason, "evidence": [quote]}],
        "meddpicc": {element: {"state": state, "confidence": 0.8} for element, state in elements.items()},
        "attribution": {"value": "mixed", "confidence": 0.8},
        "flags": {name: {"value": False, "confidence": 0.8} for name in flags},
        "winback": {"state": "open", "confidence": 0.8, "evidence": [quote]},
        "review": {"required": True, "because": ["primary_reason_uncertain"]},
        "model": {"version": "m-1", "taxonomy_version": TAXONOMY.version},
    }
    return Assessment.model_validate(read).model_dump(mode="json")


if __name__ == "__main__":
    main()
