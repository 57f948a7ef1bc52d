"""Connections that end: each part of an exchange has its time, and a process holds only so many at once.

A caller that sends a head or a body byte by byte, or never reads its answer, is let go; so is one that comes while too many are held.
A head that grows past 64 KiB is refused by the parser itself, which is why it is always this one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection is waited for.

    Args:
        head_s: For the whole head of a request, from the first byte of it (of a new connection: from its opening), in seconds.
        body_s: For the whole body, from the end of the head, in seconds.
        reading_s: For a caller to read some of an answer that it has stopped reading, in seconds.
        most: Connections that a process holds at once.
    """

    head_s: float = 15.0
    body_s: float = 120.0
    reading_s: float = 60.0
    most: int = 900


def patient_protocol(patience: Patience) -> partial[PatientProtocol]:
    """Gives what makes the protocol of a connection, as the server wants it."""
    return partial(PatientProtocol, patience=patience)


class PatientProtocol(H11Protocol):
    """Speaks HTTP/1.1 as the server's own protocol does, and lets a connection go whose time is over.

    Args:
        patience: How long is waited.
        given: What the server gives its protocol.
    """

    def __init__(self, *, patience: Patience, **given: Any) -> None:
        super().__init__(**given)
        self._patience = patience
        self._deadline: asyncio.TimerHandle | None = None
        self._awaits: str | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a head; one connection too many ends at once."""
        if len(self.connections) >= self._patience.most:
            super().connection_made(transport)
            transport.abort()
            return
        super().connection_made(transport)
        self._await("head", self._patience.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        self._await(None)
        self._let_read()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Reads on, and waits for what is missing now: the rest of a head, the rest of a body, or nothing."""
        super().handle_events()
        state = self.conn.their_state
        if self.transport.is_closing() or state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR):
            self._await(None)
        elif state is h11.SEND_BODY:
            self._await("body", self._patience.body_s)
        elif self.conn.trailing_data[0]:
            self._await("head", self._patience.head_s)
        else:
            self._await(None)

    def pause_writing(self) -> None:
        """Begins to wait for the caller to read."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._patience.reading_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Goes on: the caller has read."""
        self._let_read()
        super().resume_writing()

    def _await(self, part: str | None, seconds: float = 0.0) -> None:
        """Waits for a part of a request; its time runs from when it was waited for first."""
        if part == self._awaits:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._awaits = part
        self._deadline = self.loop.call_later(seconds, self.transport.abort) if part else None

    def _let_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
