"""Addresses that must not be called, and answers that never end, over real sockets."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from serving.crm.http import CrmCallError, CrmHttp
from serving.outgoing import OutgoingError, is_allowed, open_client
from serving.people.oidc import Attempt, OidcError, Provider
from serving.people.oidc_settings import OidcSettings
from serving.reports.winback_entries import Winback
from serving.reports.winback_notices import HandOverError, SignedCalls
from serving.tables import LossRow
from tests.serving.plain_http import NO_TLS

_MIB = 1024 * 1024
Answer = tuple[int, dict[str, str], bytes]
_REDIRECT: Answer = (302, {"Location": "/secret"}, b"")


@contextmanager
def answering(answer: Callable[[str], Answer]) -> Iterator[tuple[str, list[str]]]:
    """Gives the address of a server that answers by path, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 (the server's own names)

        def log_message(self, *_told: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def winback() -> Winback:
    day = date(2026, 12, 1)
    loss = LossRow(deal_id="D-1", lost_on=day, primary_reason="price", winback="open")
    return Winback(loss, day, None, "Price", (), None, None, "Shall we talk?")


def client(url: str, **options: Any) -> httpx2.Client:
    return open_client(base_url=url, verify=NO_TLS, **options)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "168.63.129.16",
        "100.100.100.200",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "0.0.0.0",  # noqa: S104
        "::",
        "224.0.0.1",
    ],
)
def test_metadata_and_link_local_addresses_are_refused(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.7", "fd12:3456::1", "93.184.216.34"])
def test_addresses_of_own_networks_are_allowed(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/latest/meta-data/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
    ],
)
def test_metadata_address_is_never_called_however_spelled(url: str) -> None:
    with client(url) as calls, pytest.raises(OutgoingError, match="link-local or metadata"):
        calls.get("/")


def test_crm_at_a_metadata_address_is_one_message() -> None:
    crm = CrmHttp(client("http://169.254.169.254"), "Example", sleep=lambda _s: None)
    with pytest.raises(CrmCallError, match="set another address") as caught:
        crm.call("GET", "/deals")
    assert (crm.calls, caught.value.is_retryable) == (1, False)


def test_crm_that_redirects_is_not_followed() -> None:
    with answering(lambda _path: _REDIRECT) as (url, asked):
        crm = CrmHttp(client(url), "Example", sleep=lambda _s: None)
        with pytest.raises(CrmCallError, match="302"):
            crm.call("GET", "/deals")
    assert asked == ["/deals"]


def test_reminders_follow_no_redirect(winback: Winback) -> None:
    with answering(lambda _path: _REDIRECT) as (url, asked), pytest.raises(HandOverError, match="302"):
        SignedCalls(client(url), f"{url}/hook", "s" * 32).hand_over(winback)
    assert asked == ["/hook"]


def provider_at(url: str) -> Provider:
    return Provider(OidcSettings(issuer=url, client_id="us", client_secret=SecretStr("secret")))


def test_provider_that_redirects_is_not_followed() -> None:
    with (
        answering(lambda _path: _REDIRECT) as (url, asked),
        pytest.raises(OidcError, match="did not answer as it should"),
    ):
        provider_at(url).address(Attempt.begin(""), callback="https://us.example/back")
    assert asked == ["/.well-known/openid-configuration"]


def test_provider_that_names_a_metadata_address_is_not_followed() -> None:
    def describe(_path: str) -> Answer:
        there = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), "http://169.254.169.254/x")
        return 200, {}, json.dumps({"issuer": url, **there}).encode()

    with answering(describe) as (url, asked):
        attempt = Attempt.begin("")
        with pytest.raises(OidcError, match="did not answer as it should"):
            provider_at(url).fetch_identity(
                attempt, {"state": attempt.state, "code": "c"}, callback="https://us.example"
            )
    assert asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    ("encoding", "pack"), [("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_answer_that_unpacks_without_end_is_cut_off(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(b"0" * 8 * _MIB)
    with (
        answering(lambda _path: (200, {"Content-Encoding": encoding}, bomb)) as (url, _),
        client(url, most_bytes=_MIB) as calls,
        pytest.raises(OutgoingError, match="larger than"),
    ):
        calls.get("/")


def test_packed_answer_of_a_usual_size_is_read() -> None:
    body = gzip.compress(json.dumps({"a": [1] * 100_000}).encode())
    with answering(lambda _path: (200, {"Content-Encoding": "gzip"}, body)) as (url, _):
        assert CrmHttp(client(url), "Example").call("GET", "/")["a"] == [1] * 100_000


@pytest.mark.parametrize(("encoding", "body"), [("br", b"x"), ("gzip", b"no gzip")])
def test_answer_packed_otherwise_is_refused(encoding: str, body: bytes) -> None:
    with (
        answering(lambda _path: (200, {"Content-Encoding": encoding}, body)) as (url, _),
        client(url) as calls,
        pytest.raises(httpx2.RequestError, match="compressed"),
    ):
        calls.get("/")


def test_crm_answer_nested_without_end_is_no_answer() -> None:
    with answering(lambda _path: (200, {}, b"[" * 200_000)) as (url, _):
        crm = CrmHttp(client(url), "Example", sleep=lambda _s: None)
        with pytest.raises(CrmCallError):
            crm.call("GET", "/deals", repeat="never")
