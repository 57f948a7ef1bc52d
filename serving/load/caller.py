"""Who waits for an answer: in which row, until when, and whether still."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Caller:
    """One request, or one process of ours, that wants deals read.

    Args:
        is_bulk: Whether it asks for many deals and can wait; who asks for one deal overtakes it.
        patience_s: How long it waits from now, in seconds; None waits for as long as it takes.
        clock: Gives seconds that never go back; tests hand in their own.
    """

    def __init__(
        self, *, is_bulk: bool = False, patience_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_bulk = is_bulk
        self.has_left = False
        self._clock = clock
        self._until_s = None if patience_s is None else clock() + patience_s
        self._awaited: set[Future[Any]] = set()

    @property
    def row(self) -> str:
        """The name of the row it waits in."""
        return "bulk" if self.is_bulk else "live"

    @property
    def remaining_s(self) -> float | None:
        """How long it still waits, in seconds, 0 at least; None for as long as it takes."""
        return None if self._until_s is None else max(0.0, self._until_s - self._clock())

    @property
    def is_gone(self) -> bool:
        """Says whether nobody waits any more: it has left, or its time is over."""
        return self.has_left or self.remaining_s == 0

    def await_answer(self, answer: Future[Any]) -> None:
        """Notes an answer that is given up when the caller leaves."""
        self._awaited.add(answer)
        answer.add_done_callback(self._awaited.discard)
        if self.has_left:
            answer.cancel()

    def leave(self) -> None:
        """Gives up all that has not begun; called when the connection is closed."""
        self.has_left = True
        for answer in tuple(self._awaited):
            answer.cancel()
