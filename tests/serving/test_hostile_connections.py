"""Callers that are slow, flood, or send what is no request, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, NoReturn

import httpx2
import pytest

from serving.app import create_app
from serving.connections import Patience
from serving.server import Wire, open_port, serving_beside
from serving.settings import Settings
from tests.serving.conftest import KEY
from tests.serving.plain_http import NO_TLS

_FAILING_S = 20.0  # how long a test waits for what never comes
_HEAD = f"POST /v1/assessments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
Serve = Callable[[Patience], tuple[str, int]]


@pytest.fixture
def serve(settings: Settings, assessor: Any) -> Iterator[Serve]:
    """Serves the app with so much patience, and gives its address."""
    with ExitStack() as running:

        def begin(patience: Patience) -> tuple[str, int]:
            listener = open_port("127.0.0.1", 0)
            running.enter_context(
                serving_beside(create_app(settings, assessor=assessor), listener, Wire(patience=patience))
            )
            host, port = listener.getsockname()[:2]
            return host, port

        yield begin


def reply(address: tuple[str, int], *sent: bytes) -> bytes:
    """Gives all that is answered to raw bytes until the other side hangs up."""
    with socket.create_connection(address, timeout=_FAILING_S) as line:
        for part in sent:
            line.sendall(part)
        return read_all(line)


def read_all(line: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionResetError):
        while part := line.recv(65536):
            parts.append(part)
    return b"".join(parts)


def send_for_ever(line: socket.socket, asked: bytes) -> NoReturn:
    while True:
        line.sendall(asked)


def is_alive(address: tuple[str, int]) -> bool:
    with httpx2.Client(verify=NO_TLS) as client:
        return client.get(f"http://{address[0]}:{address[1]}/healthz").status_code == 200


@pytest.mark.parametrize("sent", [b"", b"POST /v1/asse", _HEAD.encode()], ids=["silent", "half a line", "half a head"])
def test_head_that_never_ends_is_let_go(serve: Serve, sent: bytes) -> None:
    address = serve(Patience(head_s=0.2))
    assert reply(address, sent) == b""
    assert is_alive(address)


def test_second_head_has_its_time_too(serve: Serve) -> None:
    address = serve(Patience(head_s=0.5))
    answered = reply(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal")
    assert answered.count(b"HTTP/1.1 200") == 1


def test_body_that_never_ends_is_let_go(serve: Serve) -> None:
    address = serve(Patience(body_s=0.2))
    assert reply(address, _HEAD.encode() + b"Content-Length: 100\r\n\r\n", b'{"id": "D-1"') == b""
    assert is_alive(address)


def test_caller_who_never_reads_is_let_go(serve: Serve) -> None:
    address = serve(Patience(reading_s=0.2))
    with socket.create_connection(address, timeout=_FAILING_S) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 400
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            send_for_ever(line, asked)
    assert is_alive(address)


def test_connections_beyond_the_most_are_closed(serve: Serve) -> None:
    address = serve(Patience(most=3))
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(socket.create_connection(address, timeout=_FAILING_S))
        assert reply(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    assert is_alive(address)


@pytest.mark.parametrize(
    "flood",
    [
        b"X-A: 1\r\n" * 100_000,
        b"X-A: " + b"a" * 1_000_000,
        b"Cookie: " + b"a=b; " * 200_000 + b"\r\n\r\n",
    ],
    ids=["many", "long", "cookies"],
)
def test_header_flood_is_refused(serve: Serve, flood: bytes) -> None:
    address = serve(Patience())
    with socket.create_connection(address, timeout=_FAILING_S) as line:
        with suppress(OSError):  # it hangs up before all was sent
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + flood)
        assert read_all(line).split(b"\r\n")[0] in (b"HTTP/1.1 400 ", b"HTTP/1.1 400 Bad Request", b"")
    assert is_alive(address)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00" + b"\xff" * 512,
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-\xff\xfe: 1\r\n\r\n",
        b"GET /%ff%fe%00 HTTP/1.1\r\nHost: x\r\nX-A: \x00\r\n\r\n",
    ],
    ids=["tls", "two lengths", "other length", "huge chunk", "odd name", "zero in a value"],
)
def test_what_is_no_request_is_refused(serve: Serve, sent: bytes) -> None:
    address = serve(Patience(head_s=1, body_s=1))
    first_line = reply(address, sent).split(b"\r\n")[0]
    assert b" 2" not in first_line[8:10]
    assert is_alive(address)


def test_hundred_megabytes_are_cut_off(serve: Serve) -> None:
    host, port = serve(Patience())
    part = b"x" * 1024 * 1024
    with socket.create_connection((host, port), timeout=_FAILING_S) as line:
        line.sendall(_HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            line.sendall(b"100000\r\n" + part + b"\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 413")
    assert is_alive((host, port))
