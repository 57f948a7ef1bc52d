"""The app behind a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from serving.app import create_app
from serving.errors import ConfigurationError
from serving.server import open_port, serving_beside
from serving.settings import Settings
from tests.serving.plain_http import NO_TLS

HEADERS = {"Authorization": "Bearer test-key-that-is-long-enough", "Content-Type": "application/json"}


@pytest.fixture
def served(settings: Settings, assessor: Any) -> Iterator[httpx2.Client]:
    app = create_app(settings.model_copy(update={"max_body_bytes": 4096}), assessor=assessor)
    with (
        serving_beside(app, open_port("127.0.0.1", 0)) as url,
        httpx2.Client(base_url=url, headers=HEADERS, verify=NO_TLS) as client,
    ):
        yield client


def endless_parts(count: int) -> Iterator[bytes]:
    yield b'{"id": "D-1", "text": "'
    for _ in range(count):
        yield b"x" * 512


def test_deal_is_answered_over_the_wire(served: httpx2.Client) -> None:
    response = served.post("/v1/assessments", json={"id": "D-1", "text": "price"})
    assert response.status_code == 201


def test_chunked_body_is_cut_at_limit(served: httpx2.Client) -> None:
    response = served.post("/v1/assessments", content=endless_parts(16))
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


def test_announced_body_is_refused_unread(served: httpx2.Client) -> None:
    response = served.post("/v1/assessments", content=b"x" * 8192)
    assert response.status_code == 413


def test_small_chunked_body_is_taken(served: httpx2.Client) -> None:
    parts = [b'{"id": "D-1", ', b'"text": "price"}']
    assert served.post("/v1/assessments", content=iter(parts)).status_code == 201


def test_service_goes_on_after_refusal(served: httpx2.Client) -> None:
    served.post("/v1/assessments", content=endless_parts(64))
    assert served.get("/healthz").status_code == 200


def test_taken_port_is_one_message() -> None:
    with open_port("127.0.0.1", 0) as listener, pytest.raises(ConfigurationError, match="--port"):
        open_port("127.0.0.1", listener.getsockname()[1])


def test_accepted_connection_sends_small_packets_at_once() -> None:
    with open_port("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
