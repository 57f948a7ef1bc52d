"""Mixed traffic: new deals, the same again, batches, the flat form, stored answers, the door, bad requests and the small routes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from threading import Event, Lock, Thread, local
from typing import Any

import httpx2

from benchmarks.faults.callers import Callers
from benchmarks.faults.crm import as_request
from benchmarks.faults.deals import KnownDeal
from benchmarks.faults.world import KEY, SECRET
from serving.crm.signed_doors import sign

_THREADS = 4
_TIMEOUT_S = 30.0
_BATCH = 5
_KEPT_IDS = 200
_BAD = (b"{", b"[]", b'{"id": "D"}', b'{"id": "D", "text": 7}', b'{"deal": {}, "documents": []}', b"\xff")
Ask = Callable[[], tuple[httpx2.Response, bool]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Args:
        kind: What was asked.
        started_s: On the monotonic clock.
        ended_s: On the monotonic clock.
        status: Of the answer; 0 where none came.
        is_right: Whether it was the answer that belongs to it.
    """

    kind: str
    started_s: float
    ended_s: float
    status: int
    is_right: bool


@dataclass
class Traffic:
    """Asks at a steady rate until it is stopped; nothing is asked twice because of an error.

    Args:
        callers: Where is kept what was accepted.
        deals: Those that may be told, each once.
        rate: Requests a second.
        seed: Of the mixture.
        asked: What was asked so far.
    """

    callers: Callers
    deals: Sequence[KnownDeal]
    rate: float
    seed: int
    asked: list[Asked] = field(default_factory=list)
    _stop: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _own: local = field(default_factory=local)
    _threads: list[Thread] = field(default_factory=list)
    _known: list[tuple[KnownDeal, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Sets what is left to tell and the luck."""
        self._left, self._luck = iter(self.deals), random.Random(self.seed)

    def start(self) -> None:
        """Begins to ask."""
        self._threads = [Thread(target=self._ask_on, daemon=True) for _ in range(_THREADS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends once the last answers are there."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT_S)

    def _ask_on(self) -> None:
        pause_s = _THREADS / self.rate
        due_s = time.monotonic() + self._luck.random() * pause_s
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + pause_s, time.monotonic() - pause_s)
            kinds = self._kinds()
            self._ask_once(
                kind := self._luck.choices(list(kinds), [weight for weight, _ in kinds.values()])[0], kinds[kind][1]
            )

    def _kinds(self) -> Mapping[str, tuple[int, Ask]]:
        """Gives each kind of request with its weight."""
        return {
            "assessment": (30, self._tell_new),
            "the same again": (10, self._tell_again),
            "batch": (4, self._tell_batch),
            "flat": (8, self._tell_flat),
            "stored answer": (15, self._read_stored),
            "door": (15, self._tell_door),
            "bad request": (6, self._tell_bad),
            "small routes": (12, self._read_small),
        }

    def _ask_once(self, kind: str, ask: Ask) -> None:
        started_s = time.monotonic()
        try:
            answer, is_right = ask()
            status = answer.status_code
        except httpx2.TransportError:
            status, is_right = 0, False
        with self._lock:
            self.asked.append(Asked(kind, started_s, time.monotonic(), status, is_right))

    def _tell_new(self) -> tuple[httpx2.Response, bool]:
        [deal] = self._take(1)
        answer = self._post("/v1/assessments", as_request(deal))
        return answer, answer.is_success and self._keep(deal, answer.json())

    def _tell_again(self) -> tuple[httpx2.Response, bool]:
        known = self._find_known()
        if known is None:
            return self._tell_new()
        deal, told_id = known
        answer = self._post("/v1/assessments", as_request(deal))
        return answer, answer.status_code == 200 and answer.json()["id"] == told_id and self._keep(deal, answer.json())

    def _tell_batch(self) -> tuple[httpx2.Response, bool]:
        deals = self._take(_BATCH)
        answer = self._post("/v1/assessments:batch", {"items": [as_request(deal) for deal in deals]})
        if not answer.is_success:
            return answer, False
        kept = [self._keep(deal, item) for deal, item in zip(deals, answer.json()["items"], strict=True)]
        return answer, all(kept)

    def _tell_flat(self) -> tuple[httpx2.Response, bool]:
        [deal] = self._take(1)
        answer = self._post("/v1/assessments:flat", {"dealId": deal.id, "note": deal.text})
        if not answer.is_success:
            return answer, False
        told = answer.json()
        with self.callers.lock:
            self.callers.ids.setdefault(deal.id, set()).add(told["assessmentId"])
        return answer, (told["dealId"], told["primaryReason"]) == (deal.id, deal.reason)

    def _tell_door(self) -> tuple[httpx2.Response, bool]:
        [deal] = self._take(1)
        body = json.dumps({"id": f"event-{deal.number}", "deals": [{"id": deal.id}]}).encode()
        answer = self._send("POST", "/doors/deals", body, sign(body, secret=SECRET, at=datetime.now(UTC)))
        if answer.is_success:
            with self.callers.lock:
                self.callers.told.add(deal.id)
        return answer, answer.is_success

    def _tell_bad(self) -> tuple[httpx2.Response, bool]:
        answer = self._send("POST", "/v1/assessments", self._luck.choice(_BAD))
        return answer, answer.status_code in (400, 422)

    def _read_stored(self) -> tuple[httpx2.Response, bool]:
        known = self._find_known()
        if known is None:
            return self._read_small()
        deal, told_id = known
        answer = self._send("GET", f"/v1/assessments/{told_id}")
        return answer, answer.is_success and deal.is_answer(answer.json())

    def _read_small(self) -> tuple[httpx2.Response, bool]:
        answer = self._send("GET", self._luck.choice(("/v1/taxonomy", "/metrics", "/readyz", "/healthz")))
        return answer, answer.is_success

    def _take(self, count: int) -> list[KnownDeal]:
        with self._lock:
            return list(islice(self._left, count))

    def _find_known(self) -> tuple[KnownDeal, str] | None:
        with self._lock:
            return self._luck.choice(self._known) if self._known else None

    def _keep(self, deal: KnownDeal, answer: dict[str, Any]) -> bool:
        """Says whether the answer is the deal's, which then counts as accepted."""
        if "error" in answer:
            return False
        is_right = deal.is_answer(answer)
        with self.callers.lock:
            self.callers.ids.setdefault(deal.id, set()).add(answer["id"])
            self.callers.wrong.update([] if is_right else [deal.id])
        with self._lock:
            self._known = [*self._known[1 - _KEPT_IDS :], (deal, answer["id"])]
        return is_right

    def _post(self, path: str, told: object) -> httpx2.Response:
        return self._send("POST", path, json.dumps(told).encode())

    def _send(
        self, method: str, path: str, body: bytes | None = None, proof: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        url = f"http://127.0.0.1:{self._luck.choice(self.callers.ports)}{path}"
        headers = {"Content-Type": "application/json", **(proof or {"Authorization": f"Bearer {KEY}"})}
        return self._client().request(method, url, content=body, headers=headers)

    def _client(self) -> httpx2.Client:
        if not hasattr(self._own, "client"):
            self._own.client = httpx2.Client(timeout=_TIMEOUT_S)
        client: httpx2.Client = self._own.client
        return client
