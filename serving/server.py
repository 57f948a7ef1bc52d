"""Runs the app on a port: in the foreground, or in a thread beside something else."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import uvicorn
from fastapi import FastAPI

from serving.connections import MOST_HEAD_BYTES, Patience, patient_protocol
from serving.errors import ConfigurationError
from serving.settings import Settings

_GRACE_S = 20
# Longer than callers and proxies keep idle connections: who closes first meets no call on its way, which would be reset.
_KEPT_S = 75
_START_S = 60.0
_HEALTH_S = 60  # a process that loads a model on a busy machine may not answer its supervisor for seconds
_SWITCH_S = 0.0005


@dataclass(frozen=True, slots=True)
class Wire:
    """How the service is reached beyond the address.

    Args:
        cert: PEM file of the certificate; None speaks no TLS.
        key: PEM file of its key.
        proxies: Addresses or networks whose word on a caller's address and scheme is believed; none given, uvicorn's own rule holds.
        patience: How long slow callers are waited for.
    """

    cert: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()
    patience: Patience = field(default_factory=Patience)

    @classmethod
    def of(cls, settings: Settings) -> Wire:
        """Gives the wire that an installation has set."""
        patience = Patience(
            head_s=settings.head_timeout_s, body_s=settings.body_timeout_s, most=settings.max_connections
        )
        return cls(settings.tls_cert, settings.tls_key, settings.behind_proxy, patience)


PLAIN = Wire()


def open_port(host: str, port: int) -> socket.socket:
    """Gives a listening socket; port 0 takes any free one.

    Raises:
        ConfigurationError: The port is in use, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        cause = os.strerror(error.errno) if error.errno else "no such address"
        message = (
            f"Cannot listen on {host}:{port} ({cause}). Stop the program that uses it, or choose another with --port."
        )
        raise ConfigurationError(message, field="port") from None
    # Taken over by every connection. Else the second packet of an answer waits for the caller's delayed acknowledgement, 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(app: FastAPI, listener: socket.socket, wire: Wire = PLAIN) -> None:
    """Answers requests until the process is told to stop; those under way are finished first.

    From then on the process's threads take turns every half millisecond, not every five: a door passes from thread to thread several
    times for one answer, and would wait for those that classify each time.
    """
    take_turns_sooner()
    uvicorn.Server(server_config(app, wire=wire)).run(sockets=[listener])


def take_turns_sooner() -> None:
    """Makes the process's threads take turns every half millisecond."""
    sys.setswitchinterval(_SWITCH_S)


@contextmanager
def serving_beside(app: FastAPI, listener: socket.socket, wire: Wire = PLAIN) -> Iterator[str]:
    """Gives the base URL of the app while it answers in a thread.

    Raises:
        ConfigurationError: The app did not start; its log says why.
    """
    server = uvicorn.Server(server_config(app, wire=wire))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="lossnlp-serve")
    thread.start()
    try:
        _await_start(server, thread)
        host, port = listener.getsockname()[:2]
        yield f"{'https' if wire.cert else 'http'}://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(_GRACE_S)


def server_config(app: FastAPI | str, *, workers: int = 1, wire: Wire = PLAIN) -> uvicorn.Config:
    """Gives how the server runs.

    Args:
        app: The app, or where the function stands that makes it, `module:function`, for several processes.
        workers: Processes.
        wire: How it is reached.
    """
    # The app logs its own requests, by route and without the caller's text; uvicorn would log full paths.
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        http=patient_protocol(wire.patience),  # type: ignore[arg-type]  # it calls it as it would a class
        ws="none",
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=wire.cert,
        ssl_keyfile=wire.key,
        forwarded_allow_ips=list(wire.proxies) or None,
        timeout_keep_alive=_KEPT_S,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_worker_healthcheck=_HEALTH_S,
    )


def _await_start(server: uvicorn.Server, thread: Thread) -> None:
    for _ in range(int(_START_S / 0.05)):
        if server.started:
            return
        thread.join(0.05)
        if not thread.is_alive():
            break
    raise ConfigurationError("The service did not start; its log says why.")
