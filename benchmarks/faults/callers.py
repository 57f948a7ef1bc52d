"""Who calls the service: each deal is told until it is accepted, over the endpoint or at the door for any CRM."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock, local

import httpx2

from benchmarks.faults.crm import as_request
from benchmarks.faults.deals import KnownDeal
from benchmarks.faults.world import KEY, SECRET
from serving.crm.signed_doors import sign

_AT_ONCE = 8
_TIMEOUT_S = 20.0
_PAUSE_S = 0.1
_PATIENCE_S = 300.0
_HURRIED_S = 0.005


@dataclass
class Callers:
    """What they tell and what they are answered.

    Args:
        ports: Of the servers.
        ids: The answers' ids of each deal that was told over the endpoint.
        told: Deals that the door has accepted.
        wrong: Deals that were answered with another's result.
        answers: How often each status came; 0 stands for no answer.
        lock: Held while any of these changes.
    """

    ports: Sequence[int]
    ids: dict[str, set[str]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)
    _own: local = field(default_factory=local)

    @property
    def accepted(self) -> set[str]:
        """The deals that the service has said it has."""
        with self.lock:
            return self.told | self.ids.keys()

    def tell_all(self, deals: Sequence[KnownDeal]) -> None:
        """Tells all deals; returns when each is accepted."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._tell, deals))

    def _tell(self, deal: KnownDeal) -> None:
        """Tells one: three in ten at the door, one twice at once, one by a caller who first leaves before the answer."""
        place = deal.number % 10
        if place < 3:
            self._tell_door(deal)
        elif place == 3:
            with ThreadPoolExecutor(2) as pair:
                list(pair.map(self._ask, [deal, deal]))
        else:
            if place == 4:
                self._leave(deal)
            self._ask(deal)

    def _ask(self, deal: KnownDeal) -> None:
        answer = self._until_accepted("/v1/assessments", json.dumps(as_request(deal)).encode(), is_signed=False)
        with self.lock:
            self.ids.setdefault(deal.id, set()).add(answer["id"])
            self.wrong.update([] if deal.is_answer(answer) else [deal.id])

    def _tell_door(self, deal: KnownDeal) -> None:
        body = json.dumps({"id": f"event-{deal.number}", "deals": [{"id": deal.id}]}).encode()
        self._until_accepted("/doors/deals", body, is_signed=True)
        with self.lock:
            self.told.add(deal.id)

    def _leave(self, deal: KnownDeal) -> None:
        try:
            body = json.dumps(as_request(deal)).encode()
            self._send("/v1/assessments", body, is_signed=False, timeout_s=_HURRIED_S)
        except httpx2.TransportError:
            self._count(0)

    def _until_accepted(self, path: str, body: bytes, *, is_signed: bool) -> dict[str, str]:
        until_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until_s:
            try:
                answer = self._send(path, body, is_signed=is_signed)
            except httpx2.TransportError:
                self._count(0)
            else:
                self._count(answer.status_code)
                if answer.is_success:
                    told: dict[str, str] = answer.json()
                    return told
            time.sleep(_PAUSE_S)
        raise RuntimeError(f"{path} accepts nothing any more.")

    def _send(self, path: str, body: bytes, *, is_signed: bool, timeout_s: float = _TIMEOUT_S) -> httpx2.Response:
        proof = sign(body, secret=SECRET, at=datetime.now(UTC)) if is_signed else {"Authorization": f"Bearer {KEY}"}
        url = f"http://127.0.0.1:{random.choice(self.ports)}{path}"
        return self._client().post(
            url, content=body, headers={"Content-Type": "application/json", **proof}, timeout=timeout_s
        )

    def _client(self) -> httpx2.Client:
        if not hasattr(self._own, "client"):
            self._own.client = httpx2.Client()
        client: httpx2.Client = self._own.client
        return client

    def _count(self, status: int) -> None:
        with self.lock:
            self.answers[status] += 1
