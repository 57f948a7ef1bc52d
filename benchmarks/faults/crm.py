"""A CRM on a port that fails as it is told to, before or after a write has landed, and the connector to it."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import httpx2

from benchmarks.faults.deals import KnownDeal
from serving.crm.protocol import CrmError, FieldChange, Fields, FieldSpec, LostPage, SendResult, SetupStep
from serving.crm.rules import PRIMARY_REASON

TIMEOUT_S = 2.0
PERSONS_REASON = "competitor"
_LATE_S = 0.4
_ONE_CALL = 25


class CrmFault(StrEnum):
    """What can befall a write."""

    AWAY = "CRM answers 503 and writes nothing"
    FAILED = "CRM writes half of the call, then answers 500"
    LANDED = "CRM writes, then answers 502"
    HUNG_UP = "CRM writes, then hangs up without an answer"
    SILENT = "CRM writes, then is silent until the time is over"
    LATE = "CRM writes after the caller's time is over"


@dataclass
class CrmState:
    """What stands in the CRM, and what it is told to do.

    Args:
        deals: The deals that were lost.
        fields: Of each deal.
        writes: How often each field of each deal was written.
        ordered: Faults of the next writes.
        injected: How often each fault has befallen a write.
        away_until_s: Until when it answers nobody, on the monotonic clock.
    """

    deals: dict[str, KnownDeal]
    fields: dict[str, Fields] = field(default_factory=dict)
    writes: Counter[tuple[str, str]] = field(default_factory=Counter)
    ordered: deque[CrmFault] = field(default_factory=deque)
    injected: Counter[str] = field(default_factory=Counter)
    away_until_s: float = 0.0
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """Sets what persons have set."""
        self.fields = {
            one.id: {PRIMARY_REASON: PERSONS_REASON} if one.is_persons else {} for one in self.deals.values()
        }

    def find_fault(self) -> CrmFault | None:
        """Gives what befalls this write."""
        with self.lock:
            fault = self.ordered.popleft() if self.ordered else None
            self.injected.update([fault.value] if fault else [])
            return fault

    def write(self, changes: Sequence[dict[str, Any]]) -> None:
        """Sets the fields."""
        with self.lock:
            for change in changes:
                self.fields[change["deal_id"]].update(change["values"])
                self.writes.update((change["deal_id"], name) for name in change["values"])

    def read(self, path: str, deal_ids: Sequence[str]) -> dict[str, Any]:
        """Gives the fields, or the deals as requests."""
        with self.lock:
            if path == "/fields":
                return {deal_id: dict(self.fields[deal_id]) for deal_id in deal_ids}
            return {deal_id: as_request(self.deals[deal_id]) for deal_id in deal_ids}


def as_request(deal: KnownDeal) -> dict[str, Any]:
    """Gives a deal as a request of the published contract."""
    return {"deal": {"id": deal.id}, "documents": [{"id": "note", "kind": "rep_note", "text": deal.text}]}


@contextmanager
def serving_crm(state: CrmState) -> Iterator[str]:
    """Gives the URL of the CRM while it answers."""
    with _Server(state) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, state: CrmState) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.state = state

    def handle_error(self, *_told: object) -> None:
        """Keeps quiet about callers that were killed."""


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Answers one call."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if time.monotonic() < self.server.state.away_until_s:
            self._answer(503, {})
        elif self.path == "/send":
            self._take(body)
        else:
            self._answer(200, self.server.state.read(self.path, body))

    def log_message(self, *_words: object) -> None:
        """Says nothing."""

    def _take(self, changes: list[dict[str, Any]]) -> None:
        state, fault = self.server.state, self.server.state.find_fault()
        if fault is CrmFault.LATE:
            time.sleep(TIMEOUT_S + _LATE_S)
        written = {CrmFault.AWAY: 0, CrmFault.FAILED: len(changes) // 2}
        state.write(changes[: written.get(fault, len(changes)) if fault else len(changes)])
        if fault is CrmFault.SILENT:
            time.sleep(TIMEOUT_S + _LATE_S)
        if fault in (CrmFault.HUNG_UP, CrmFault.SILENT, CrmFault.LATE):
            self.close_connection = True
            return
        told = {CrmFault.AWAY: 503, CrmFault.FAILED: 500, CrmFault.LANDED: 502}
        self._answer(told[fault] if fault else 200, [change["deal_id"] for change in changes])

    def _answer(self, status: int, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)


class LineCrm:
    """The connector: it tries once, and says that it does not know where no answer came.

    Args:
        url: Of the CRM.
    """

    name = "demo"
    at_once = _ONE_CALL
    writes_at_once = _ONE_CALL

    def __init__(self, url: str) -> None:
        self._line = httpx2.Client(base_url=url, timeout=TIMEOUT_S)

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Gives the deals as requests."""
        found: dict[str, dict[str, Any]] = self._call("/requests", list(deal_ids))
        return found

    def fetch_fields(self, deal_ids: Sequence[str]) -> dict[str, Fields]:
        """Gives the fields of the deals."""
        found: dict[str, Fields] = self._call("/fields", list(deal_ids))
        return found

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        """Gives one result a change."""
        told = [{"deal_id": change.deal_id, "values": dict(change.values)} for change in changes]
        return [SendResult(deal_id) for deal_id in self._call("/send", told)]

    def find_lost(self, since: datetime | None = None, *, cursor: str | None = None) -> LostPage:  # noqa: ARG002
        """Gives nothing: deals are told here, not polled."""
        return LostPage(())

    def plan_setup(self, fields: Sequence[FieldSpec]) -> list[SetupStep]:
        """Gives that every field stands."""
        return [SetupStep(one.name, "stands") for one in fields]

    set_up: Callable[..., list[SetupStep]] = plan_setup

    def _call(self, path: str, body: object) -> Any:  # noqa: ANN401 (JSON)
        try:
            answer = self._line.post(path, json=body)
        except httpx2.TransportError as error:
            raise CrmError(f"no answer: {type(error).__name__}") from None
        if answer.is_error:
            raise CrmError(f"answered {answer.status_code}")
        return answer.json()
