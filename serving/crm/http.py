"""One way to talk to a CRM over HTTP: paced by its limits, tried again where that helps, and plain about what went wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx2
import structlog
from pyrate_limiter import Limiter, Rate
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from serving.crm.protocol import CrmError
from serving.outgoing import OutgoingError

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_DONE = frozenset({425, 429, 503})
_MAX_WAIT_S = 60.0
_MAX_MESSAGE = 300
_log = structlog.get_logger(__name__)


class CrmCallError(CrmError):
    """Says that one call to the CRM failed.

    Args:
        message: Short cause, without any text of a deal.
        status: HTTP status, or None where no whole answer came.
        answer: The decoded answer, or None where there is none.
        is_retryable: Whether the same call may succeed later.
        is_certain: Whether the call is known to have changed nothing.
        wait_s: How long the CRM asks to wait, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        answer: object = None,
        is_retryable: bool = False,
        is_certain: bool = True,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.answer = status, answer
        self.is_retryable, self.is_certain, self.wait_s = is_retryable, is_certain, wait_s


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a CRM may be called and how its answers are to be read.

    Args:
        limits: Most calls in a time, as (calls, seconds); all of them hold.
        retry_after: Unit of a plain number in `Retry-After`.
        tries: Most tries of one call.
        timeout_s: Longest wait for an answer.
        first_wait_s: Wait before the second try where the CRM does not say; it doubles from try to try.
    """

    limits: Sequence[tuple[int, float]] = ()
    retry_after: Literal["s", "ms"] = "s"
    tries: int = 5
    timeout_s: float = 30.0
    first_wait_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Request:
    """What goes with a call.

    Args:
        body: To be sent as JSON; None sends none.
        query: Parameters behind the path; a list repeats its name.
        headers: Beside those of the client.
    """

    body: object = None
    query: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None


Repeat = Literal["always", "undone", "never"]
_PLAIN = Request()


@dataclass(slots=True)
class CrmHttp:
    """JSON calls to one CRM; safe to share between threads.

    Args:
        client: With base URL and credentials.
        name: Of the CRM, for messages.
        pace: Its limits.
        sleep: Waits; tests hand in their own.
        find_message: Gives the cause out of a decoded refusal, in the CRM's words, or None.
    """

    client: httpx2.Client
    name: str
    pace: Pace = field(default_factory=Pace)
    sleep: Callable[[float], None] = time.sleep
    find_message: Callable[[object], str | None] = lambda _answer: None
    calls: int = 0
    _limiter: Limiter | None = None

    def __post_init__(self) -> None:
        """Makes the limiter where there are limits."""
        rates = [Rate(calls, round(seconds * 1000)) for calls, seconds in self.pace.limits]
        self._limiter = Limiter(rates) if rates else None

    def call(self, method: str, path: str, request: Request = _PLAIN, *, repeat: Repeat = "always") -> dict[str, Any]:
        """Gives the JSON object that a call answers with, an empty one where the answer is empty.

        Args:
            method: HTTP method.
            path: Below the base URL.
            request: Body, query and headers.
            repeat: Whether it may be tried again: `always` where doing it twice does no harm, `undone` only where the CRM is known
                not to have done it, `never` where it was decided on what had just been read and must not be sent later.

        Raises:
            CrmCallError: The CRM refused, or gave no usable answer in all tries.
        """
        answer = self._tried(method, path, request, repeat)
        if answer is None:
            return {}
        if not isinstance(answer, dict):
            raise CrmCallError(f"{self.name} answered {path} with something else than a JSON object.", is_certain=False)
        return answer

    def call_list(self, method: str, path: str, request: Request = _PLAIN, *, repeat: Repeat = "always") -> list[Any]:
        """Gives the JSON list that a call answers with; else as `call`.

        Raises:
            CrmCallError: The CRM refused, or gave no usable answer in all tries.
        """
        answer = self._tried(method, path, request, repeat)
        if not isinstance(answer, list):
            raise CrmCallError(f"{self.name} answered {path} with something else than a JSON list.", is_certain=False)
        return answer

    def _tried(self, method: str, path: str, request: Request, repeat: Repeat) -> object:
        trying = Retrying(
            stop=stop_after_attempt(1 if repeat == "never" else self.pace.tries),
            wait=self._wait_s,
            retry=retry_if_exception(lambda error: _may_try_again(error, repeat)),
            before_sleep=self._tell_wait,
            sleep=self.sleep,
            reraise=True,
        )
        doubts: list[CrmCallError] = []

        def once() -> object:
            try:
                return self._once(method, path, request)
            except CrmCallError as error:
                doubts.extend([error] if not error.is_certain else [])
                # What an earlier try may have done stays in doubt, however plainly a later one was turned away
                error.is_certain = not doubts
                raise

        return trying(once)

    def _once(self, method: str, path: str, request: Request) -> object:
        if self._limiter is not None:
            self._limiter.try_acquire(self.name)
        self.calls += 1
        try:
            response = self.client.request(
                method,
                path,
                json=request.body,
                params=request.query,
                headers=request.headers,
                timeout=self.pace.timeout_s,
            )
        except OutgoingError as error:
            raise CrmCallError(f"{self.name}: {error}", is_certain=method == "GET") from None
        except httpx2.ConnectError as error:
            raise CrmCallError(f"{self.name} cannot be reached ({type(error).__name__}).", is_retryable=True) from None
        except httpx2.RequestError as error:
            message = f"{self.name} gave no whole answer ({type(error).__name__})."
            raise CrmCallError(message, is_retryable=True, is_certain=method == "GET") from None
        return self._answer(response, method)

    def _answer(self, response: httpx2.Response, method: str) -> object:
        answer, is_whole = _decoded(response)
        if response.is_success and is_whole:
            return answer
        status = response.status_code
        is_busy = status in _BUSY or response.is_success
        cause = self.find_message(answer) if is_whole and answer is not None else None
        raise CrmCallError(
            f"{self.name} answered {status}" + (f": {cause[:_MAX_MESSAGE]}" if cause else "."),
            status=status,
            answer=answer,
            is_retryable=is_busy,
            is_certain=method == "GET" or not is_busy or status in _NOT_DONE,
            wait_s=_asked_wait_s(response.headers.get("retry-after"), unit=self.pace.retry_after),
        )

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_s if isinstance(error, CrmCallError) else None
        doubled = self.pace.first_wait_s * 2 ** (state.attempt_number - 1)
        return min(_MAX_WAIT_S, asked if asked is not None else doubled * random.uniform(0.75, 1.25))

    def _tell_wait(self, state: RetryCallState) -> None:
        _log.warning("crm_waits", crm=self.name, tried=state.attempt_number, wait_s=round(state.upcoming_sleep, 2))


def _may_try_again(error: BaseException, repeat: Repeat) -> bool:
    return isinstance(error, CrmCallError) and error.is_retryable and (repeat == "always" or error.is_certain)


def _decoded(response: httpx2.Response) -> tuple[object, bool]:
    """Gives the decoded body, and whether it is whole."""
    if not response.content:
        return None, True
    try:
        return response.json(), True
    except (ValueError, RecursionError):
        return None, False


def _asked_wait_s(asked: str | None, *, unit: Literal["s", "ms"]) -> float | None:
    """Gives the seconds that a `Retry-After` header asks for, None where it holds nothing usable."""
    if asked is None:
        return None
    try:
        return max(0.0, float(asked)) / (1000 if unit == "ms" else 1)
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None
