"""The entrance: requests about deals are let in as far as there is room, and given up when their caller leaves.

Everything here runs on the event loop, so a request that finds no room is told at once, while every thread is busy.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from serving.errors import CallerLeftError
from serving.intake import Intake
from serving.load.caller import Caller
from serving.problems import FieldFault, ProblemError
from serving.settings import Settings

T = TypeVar("T")
TIMEOUT_HEADER = "Request-Timeout"
PRIORITY_HEADER = "Priority"
MAX_TIMEOUT_S = 3600.0
_URGENCY = re.compile(r"(?:^|,)\s*u=([0-7])\s*(?:$|[,;])")
_USUAL_URGENCY = 3

# How the two headers are described in the OpenAPI document.
HEADERS: list[dict[str, Any]] = [
    {
        "name": TIMEOUT_HEADER,
        "in": "header",
        "required": False,
        "description": "How long the caller waits for the answer, in seconds. What would come later is answered 503 at once.",
        "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_TIMEOUT_S},
        "example": 2.5,
    },
    {
        "name": PRIORITY_HEADER,
        "in": "header",
        "required": False,
        "description": "RFC 9218: a request with an urgency after the usual, `u=4` to `u=7`, lets others go first.",
        "schema": {"type": "string"},
        "example": "u=6",
    },
]


class Entrance:
    """Lets requests in: so many that ask for one deal, and half as many that ask for many.

    Args:
        settings: What the installation has set.
    """

    def __init__(self, settings: Settings) -> None:
        self._places = {"live": settings.max_waiting, "bulk": max(1, settings.max_waiting // 2)}
        self._taken: Counter[str] = Counter()
        self._threads = CapacityLimiter(sum(self._places.values()))

    @property
    def has_room(self) -> bool:
        """Whether a request for one deal would be let in at this moment."""
        return self._taken["live"] < self._places["live"]

    async def answer(self, request: Request, intake: Intake, work: Callable[[Intake], T]) -> T:
        """Gives the answer of work about deals, done in a thread.

        Args:
            request: The request, its body read.
            intake: With its caller.
            work: Makes the answer.

        Raises:
            OverloadError: There is no room, or the caller's time would be over first.
            ClientDisconnect: The caller has left.
        """
        caller = intake.caller
        if self._taken[caller.row] >= self._places[caller.row]:
            raise intake.line.refuse("full", caller)
        self._taken[caller.row] += 1
        watch = asyncio.create_task(_watch(request, caller))
        try:
            # Abandoned only when the server stops; the thread ends soon after, for its caller leaves here.
            return await to_thread.run_sync(work, intake, limiter=self._threads, abandon_on_cancel=True)
        except CallerLeftError:
            raise ClientDisconnect from None
        finally:
            caller.leave()
            watch.cancel()
            self._taken[caller.row] -= 1


async def _watch(request: Request, caller: Caller) -> None:
    """Notes that a caller has left."""
    while (await request.receive())["type"] != "http.disconnect":
        continue
    caller.leave()


def read_caller(request: Request, *, is_bulk: bool = False) -> Caller:
    """Gives who asks: how long they wait by `Request-Timeout`, and by `Priority` whether others may go first.

    Args:
        request: The request.
        is_bulk: Whether it asks for many deals.

    Raises:
        ProblemError: 422 where the time cannot be read.

    Source: RFC 9218, Extensible Prioritization Scheme for HTTP; draft-thomson-hybi-http-timeout, which names `Request-Timeout`.
    """
    settings: Settings = request.app.state.settings
    usual_s = settings.batch_timeout_s if is_bulk else settings.request_timeout_s
    told = request.headers.get(TIMEOUT_HEADER)
    urgency = _URGENCY.search(request.headers.get(PRIORITY_HEADER, ""))
    may_wait = urgency is not None and int(urgency[1]) > _USUAL_URGENCY
    return Caller(is_bulk=is_bulk or may_wait, patience_s=usual_s if told is None else _read_timeout(told))


def _read_timeout(told: str) -> float:
    try:
        timeout_s = float(told)
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        message = f"Header '{TIMEOUT_HEADER}': give seconds above 0 and up to {MAX_TIMEOUT_S:g}, such as 2.5."
        raise ProblemError(422, message, errors=[FieldFault(field=TIMEOUT_HEADER, message=message)])
    return timeout_s
