"""Denials on their way into the audit log: found in answered requests, and bounded so that who is refused cannot fill the database."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from anyio import CapacityLimiter, to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.types import Scope

from serving.audit.chain import write_entry
from serving.audit.entries import Act, Entry
from serving.logs import describe_error
from serving.store import Database

MOST_OF_ONE = 20
MOST_OF_ALL = 200
_MINUTE_S = 60.0
_DENIED = (401, 403)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal that is told with another status than 401 or 403, such as a sign-in's form that comes back.

    Args:
        act: What was refused.
        object: Whom it was about: `person ID`, or `nobody` where there is no such account. Never what was typed.
    """

    act: Act
    object: str


class DenialBound:
    """Lets through so many denials a minute of one caller, and so many of all; counts the rest.

    Args:
        clock: Gives seconds that never go back; tests hand in their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.dropped = 0
        self._clock = clock
        self._minute = 0
        self._written: Counter[str] = Counter()

    def admits(self, who: str) -> bool:
        """Says whether this caller's denial is to be written; if not, it is counted as dropped."""
        minute = int(self._clock() / _MINUTE_S)
        if minute != self._minute:
            self._minute = minute
            self._written.clear()
        if self._written[who] >= MOST_OF_ONE or self._written.total() >= MOST_OF_ALL:
            self.dropped += 1
            return False
        self._written[who] += 1
        return True

    def take_dropped(self) -> int:
        """Gives how many were dropped since this was last asked."""
        dropped, self.dropped = self.dropped, 0
        return dropped


class DenialLog:
    """Writes denials, one at a time and off the event loop.

    Args:
        database: Where the audit log stands.
        bound: How many are written.
    """

    def __init__(self, database: Database, bound: DenialBound | None = None) -> None:
        self._database = database
        self._bound = bound or DenialBound()
        self._limiter = CapacityLimiter(1)

    async def note(self, entry: Entry) -> None:
        """Writes a denial down, with how many were dropped before it; where the database is away, it counts as dropped."""
        if not self._bound.admits(entry.who):
            return
        dropped = self._bound.take_dropped()
        try:
            counted = replace(entry, dropped=dropped)
            await to_thread.run_sync(write_entry, self._database, counted, limiter=self._limiter)
        except SQLAlchemyError as error:
            self._bound.dropped += dropped + 1
            _log.error("denial_not_written", **describe_error(error))

    def close(self) -> None:
        """Writes down how many were dropped since the last row, where any were; called when the service stops."""
        dropped = self._bound.take_dropped()
        if not dropped:
            return
        try:
            write_entry(self._database, Entry("service", "denials_dropped", "", dropped=dropped))
        except SQLAlchemyError as error:
            _log.error("dropped_denials_not_written", dropped=dropped, **describe_error(error))


def find_denial(scope: Scope, *, status: int, route: str, request_id: str) -> Entry | None:
    """Gives what is written down of an answered request, None where nobody was refused.

    Args:
        scope: Of the request.
        status: That it was answered with.
        route: The path template: the path itself may hold anything that a caller likes.
        request_id: Of the request.
    """
    request = Request(scope)
    denial: Denial | None = getattr(request.state, "denial", None)
    if denial is None:
        if status not in _DENIED:
            return None
        denial = Denial("request", f"{scope['method']} {route}")
    return Entry(name_caller(request), denial.act, denial.object, "denied", request_id)


def name_caller(request: Request) -> str:
    """Gives who sent a request: a known key, a signed-in person, or else the address that it came from."""
    key, viewer = getattr(request.state, "key", None), getattr(request.state, "viewer", None)
    if key is not None:
        return f"key {key.name}"
    if viewer is not None:
        return f"person {viewer.person_id}"
    return f"address {request.client.host}" if request.client else "address unknown"
