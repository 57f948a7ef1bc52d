"""Calls that the service makes: to no address that hands out a machine's own secrets, and with answers that end.

What is called is set by whoever runs the service (a CRM, a provider of sign-ins, a registry, an address for reminders), or named by
what they have set. Hosts of the own network and of this machine are allowed, for there CRMs and registries stand; link-local
addresses are not, for there clouds hand out credentials. No redirect is followed.

Source: OWASP, Server-Side Request Forgery Prevention; the metadata services of AWS, Azure, Google Cloud, Oracle and Alibaba Cloud.
"""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpx2

from serving.settings import MIB

_MOST_BYTES = 64 * MIB
_PIECE_BYTES = 64 * 1024
_HTTP_PORTS = {"http": 80, "https": 443}
# Beside link-local ones: AWS over IPv6, Azure, Oracle, Alibaba Cloud
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "168.63.129.16", "192.0.0.192", "100.100.100.200")))
_NAT64 = ip_network("64:ff9b::/96")
_ENCODINGS = frozenset({"gzip", "deflate"})


class OutgoingError(httpx2.RequestError):
    """Says that a call was not made, or its answer not taken, because of where it goes or what it holds."""


def open_client(
    *,
    most_bytes: int = _MOST_BYTES,
    hooks: Iterable[Callable[[httpx2.Response], None]] = (),
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> httpx2.Client:
    """Gives a client that follows no redirect, calls no link-local or metadata address, and takes no endless answer.

    Args:
        most_bytes: Most bytes of an answer, counted after it is decompressed.
        hooks: Called with each answer.
        headers: Sent with each call.
        options: Of `httpx2.Client`.
    """

    def hold(response: httpx2.Response) -> None:
        _check_peer(response)
        _hold_answer(response, most_bytes)

    return httpx2.Client(
        **options,
        headers={**(headers or {}), "Accept-Encoding": "gzip"},
        event_hooks={"request": [_check_host], "response": [hold, *hooks]},
        follow_redirects=False,
    )


def fetch_body(client: httpx2.Client, url: str, *, most_bytes: int, params: Mapping[str, str]) -> bytes:
    """Gives the body of an answer.

    Args:
        client: Makes the call.
        url: Of what is asked.
        most_bytes: Most bytes of the body.
        params: Of the query.

    Raises:
        HTTPStatusError: The answer says that there is none.
        HTTPError: No answer came, or one that is too large.
    """
    with client.stream("GET", url, params=params) as answer:
        return b"".join(read_parts(answer.raise_for_status(), most_bytes=most_bytes))


def read_parts(answer: httpx2.Response, *, most_bytes: int) -> Iterator[bytes]:
    """Gives the body of an answer in parts, no further than the limit.

    Raises:
        OutgoingError: It is larger.
    """
    yield from _counted(answer.iter_bytes(), most_bytes)


def is_allowed(address: str) -> bool:
    """Says whether an address may be called: none that is link-local, known for metadata, multicast or nobody's."""
    ip = _plain(ip_address(address.partition("%")[0]))
    return not (ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _METADATA)


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Gives the IPv4 address that an IPv6 one stands for, where it stands for one."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _check_host(request: httpx2.Request) -> None:
    """Passes when no address of the host is one that must not be called; a host that is not found is left to the call itself."""
    url = request.url
    try:
        found = socket.getaddrinfo(url.host, url.port or _HTTP_PORTS.get(url.scheme), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    if not all(is_allowed(str(place[4][0])) for place in found):
        raise _refused(url.host)


def _check_peer(response: httpx2.Response) -> None:
    """Passes when the answer came from where it may: a name can mean another address by the time it is called."""
    stream = response.extensions.get("network_stream")
    try:
        peer = stream.get_extra_info("server_addr") if stream is not None else None
    except OSError:
        raise httpx2.ReadError("The connection broke.") from None
    if isinstance(peer, tuple) and not is_allowed(str(peer[0])):
        response.close()
        raise _refused(response.request.url.host)


def _refused(host: str) -> OutgoingError:
    return OutgoingError(f"'{host}' is a link-local or metadata address, which is never called; set another address.")


def _hold_answer(response: httpx2.Response, most_bytes: int) -> None:
    """Makes an answer end at the limit; it is decompressed here, since a small one may stand for one without end."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    stream = response.stream
    if not isinstance(stream, httpx2.SyncByteStream) or response.is_stream_consumed:
        return
    if encoding in _ENCODINGS:
        del response.headers["content-encoding"]
        response.headers.pop("content-length", None)
    elif encoding != "identity":
        response.close()
        raise OutgoingError("The answer is compressed in a way that nobody asked for.")
    response.stream = _HeldStream(stream, most_bytes, is_compressed=encoding in _ENCODINGS)


class _HeldStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, most_bytes: int, *, is_compressed: bool) -> None:
        self._stream, self._most_bytes, self._is_compressed = stream, most_bytes, is_compressed

    def __iter__(self) -> Iterator[bytes]:
        """Gives the parts of the answer."""
        parts: Iterable[bytes] = self._stream
        return _counted(_decompressed(parts) if self._is_compressed else parts, self._most_bytes)

    def close(self) -> None:
        """Lets the connection go."""
        self._stream.close()


def _counted(parts: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    count = 0
    for part in parts:
        count += len(part)
        if count > most_bytes:
            raise OutgoingError(f"The answer is larger than {most_bytes} bytes.")
        yield part


def _decompressed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Gives what gzip or zlib packed, never more at once than a piece."""
    unpacking = zlib.decompressobj(wbits=47)
    try:
        for part in parts:
            waiting = part
            while waiting:
                yield unpacking.decompress(waiting, _PIECE_BYTES)
                waiting = unpacking.unconsumed_tail
        yield unpacking.flush(_PIECE_BYTES)
    except zlib.error:
        raise httpx2.DecodingError("The answer is not compressed as it says.") from None
