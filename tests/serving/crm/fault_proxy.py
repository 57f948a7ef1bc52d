"""An HTTP proxy that stands between a connector and a CRM on a port, and breaks the answers that it is told to break."""

from __future__ import annotations

import json
import random
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any, Literal

Moment = Literal["before", "after"]
_LONGEST_S = 10.0
_OWN_TO_A_LEG = frozenset({"host", "connection", "accept-encoding", "content-length", "transfer-encoding"})


class Fault(StrEnum):
    """What can happen to one request."""

    LIMITED = "429 with Retry-After, not passed on"
    FAILED = "500, not passed on"
    AWAY = "503, not passed on"
    RESET = "done, then a reset in the middle of the answer"
    LOST = "done, then hung up without an answer"
    STALLED = "done, then silence until the client hangs up"
    CUT = "done, then half of the JSON as if it were all"
    PAGE = "done, then a page for people with status 200"
    GARBLED = "done, then bytes that are not what their encoding says"


TURNED_AWAY = {Fault.LIMITED: 429, Fault.FAILED: 500, Fault.AWAY: 503}


def random_faults(seed: int, *, share: float) -> Iterator[Fault | None]:
    """Gives for each request the fault that befalls it, or None; the same seed gives the same plan."""
    chance = random.Random(seed)
    faults = list(Fault)
    while True:
        yield chance.choice(faults) if chance.random() < share else None


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class FaultProxy:
    """What the proxy is told, and what it has done.

    Args:
        upstream: Host and port of the CRM.
        limit_body: The vendor's body of a 429.
        retry_after: The vendor's `Retry-After` with it.
        plan: Gives for each request the fault that befalls it, where none is ordered.
        url: Of the proxy.
        injected: How often each fault has befallen a request.
        endured: How many silences the client has sat through to their end, though it should have a limit of its own.
        seen: How many requests have come in, those for a token aside.
        passed: Path and body of each request that has reached the CRM.
    """

    upstream: str
    limit_body: object = field(default_factory=dict)
    retry_after: str = "2"
    plan: Iterator[Fault | None] = field(default_factory=lambda: iter(()))
    url: str = ""
    injected: Counter[Fault] = field(default_factory=Counter)
    endured: int = 0
    seen: int = 0
    passed: list[tuple[str, bytes]] = field(default_factory=list)
    _ordered: list[tuple[str, Fault]] = field(default_factory=list)
    _acts: list[tuple[Moment, str, Callable[[bytes], object]]] = field(default_factory=list)
    _busy: int = 0
    _changed: Condition = field(default_factory=Condition)

    def order(self, *faults: Fault, into: str = "") -> None:
        """Makes the next requests suffer the faults, one each, where their path holds `into`."""
        self._ordered += [(into, fault) for fault in faults]

    def meanwhile(self, act: Callable[[bytes], object], *, into: str, when: Moment) -> None:
        """Makes somebody act in the CRM during the next request whose path holds `into`.

        Args:
            act: Is given the body of the request.
            into: Part of the path.
            when: `before` the request is passed on or turned away, or `after` that and before the client hears of it.
        """
        self._acts.append((when, into, act))

    def let_act(self, when: Moment, path: str, body: bytes) -> None:
        """Lets everybody act whose moment this is."""
        ready = [one for one in self._acts if one[0] == when and one[1] in path]
        for one in ready:
            self._acts.remove(one)
            one[2](body)

    def find_fault(self, path: str) -> Fault | None:
        """Gives what befalls this request."""
        with self._changed:
            self.seen += "oauth2/token" not in path
            at = next((at for at, (into, _) in enumerate(self._ordered) if into in path), None)
            fault = self._ordered.pop(at)[1] if at is not None else next(self.plan, None)
            self.injected.update([fault] if fault else [])
            return fault

    def wait_idle(self, *, seen: int = 0) -> None:
        """Returns when no request is on its way, so that nothing that the client has given up can still arrive.

        Args:
            seen: How many requests must have come in; one that the client has given up at once may not have been read yet.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and self.seen >= seen, timeout=_LONGEST_S)

    @contextmanager
    def on_its_way(self) -> Iterator[None]:
        """Counts a request for `wait_idle`."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._changed:
            self._busy += more
            self._changed.notify_all()


@contextmanager
def fault_proxy(upstream_url: str, **told: Any) -> Iterator[FaultProxy]:
    """Gives a running proxy in front of the CRM; further words as in `FaultProxy`."""
    proxy = FaultProxy(upstream_url.removeprefix("http://"), **told)
    with _Server(proxy) as server:
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # they are joined, so that no socket outlives its test

    def __init__(self, proxy: FaultProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Leg)
        self.proxy = proxy

    def shutdown_request(self, request: Any) -> None:
        """Hangs up politely, but for a connection that is to be reset."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER):
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keeps quiet about a client that has hung up."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Leg(BaseHTTPRequestHandler):
    """One client's connection."""

    protocol_version = "HTTP/1.1"
    timeout = _LONGEST_S
    server: _Server

    def do_GET(self) -> None:
        """Passes a request on, with the fault that befalls it."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.proxy.on_its_way():
            self._suffer(self.server.proxy.find_fault(self.path), body)

    do_POST = do_PATCH = do_GET  # noqa: N815

    def log_message(self, *_words: object) -> None:
        """Says nothing."""

    def _suffer(self, fault: Fault | None, body: bytes) -> None:
        proxy = self.server.proxy
        proxy.let_act("before", self.path, body)
        answer = self._refusal(TURNED_AWAY[fault]) if fault in TURNED_AWAY else self._pass_on(body)
        proxy.let_act("after", self.path, body)
        if fault is None or fault in TURNED_AWAY:
            self._send(answer)
        elif fault is Fault.CUT:
            self._send(_Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2]))
        elif fault is Fault.PAGE:
            self._send(_page(200))
        elif fault is Fault.GARBLED:
            self._send(_Answer(answer.status, {**answer.headers, "Content-Encoding": "gzip"}, answer.body))
        else:
            self._break_off(fault, answer)

    def _break_off(self, fault: Fault, answer: _Answer) -> None:
        """Ends the connection without a whole answer."""
        self.close_connection = True
        if fault is Fault.RESET:
            self._send(answer, only=len(answer.body) // 2)
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if fault is Fault.STALLED:
            try:
                self.connection.recv(1)
            except TimeoutError:
                self.server.proxy.endured += 1

    def _refusal(self, status: int) -> _Answer:
        """Gives a refusal: the vendor's own where there were too many calls, else the page of a gateway."""
        if status == 429:
            headers = {"Content-Type": "application/json", "Retry-After": self.server.proxy.retry_after}
            return _Answer(status, headers, json.dumps(self.server.proxy.limit_body).encode())
        return _page(status)

    def _pass_on(self, body: bytes) -> _Answer:
        self.server.proxy.passed.append((self.path, body))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_TO_A_LEG}
        with closing(HTTPConnection(self.server.proxy.upstream, timeout=_LONGEST_S)) as upstream:
            upstream.request(self.command, self.path, body or None, headers)
            response = upstream.getresponse()
            kept = {name: value for name, value in response.getheaders() if name.lower() not in _OWN_TO_A_LEG}
            return _Answer(response.status, kept, response.read())

    def _send(self, answer: _Answer, *, only: int | None = None) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[:only])


def _page(status: int) -> _Answer:
    """Gives what a gateway says to people."""
    return _Answer(status, {"Content-Type": "text/html"}, b"<html><body>Try again later</body></html>")
