"""What surrounds every request: its id, log line and metrics, the note of a denial, and the last handler for what nobody caught."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.addresses import has_one_length, is_readable
from serving.audit.denials import DenialLog, find_denial
from serving.logs import describe_error
from serving.metrics import Metrics
from serving.problems import ProblemError, problem_response, unexpected_problem
from serving.traces import NO_TRACES, Begun, Traces

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_CLIENT_LEFT = 499
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Exchange:
    """One request while it is being answered."""

    scope: Scope
    send: Send
    request_id: str
    started_s: float = field(default_factory=time.perf_counter)
    status: int | None = None

    async def send_marked(self, message: Message) -> None:
        """Sends on, with the request id and the standing headers put into the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self.send(message)

    @property
    def route(self) -> str:
        """The path template; the path itself may hold anything a caller likes and is neither logged nor counted."""
        return getattr(self.scope.get("route"), "path", "unmatched")


class RequestScope:
    """Wraps an ASGI app.

    Args:
        app: What answers.
        metrics: Where requests are counted.
        denials: Where denied requests are written down.
        traces: Begins a trace for each request.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, denials: DenialLog, traces: Traces = NO_TRACES) -> None:
        self._app = app
        self._metrics = metrics
        self._denials = denials
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; nothing escapes to the server, which would log messages that quote the input."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        exchange = _Exchange(scope, send, _request_id(scope))
        _hold_model(scope)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        with self._traces.begin("request", headers=dict(Headers(scope=scope))) as begun:
            try:
                await self._answer(exchange, receive)
            finally:
                self._note(exchange, begun)
                await self._note_denial(exchange)

    async def _answer(self, exchange: _Exchange, receive: Receive) -> None:
        scope = exchange.scope
        try:
            if (fault := _find_fault(scope)) is not None:
                return await problem_response(fault)(scope, receive, exchange.send_marked)
            await self._app(scope, receive, exchange.send_marked)
        except ClientDisconnect:
            exchange.status = _CLIENT_LEFT
        except Exception as error:  # noqa: BLE001 (the app's last handler)
            _log.error("unexpected_error", route=exchange.route, **describe_error(error))
            if exchange.status is None:
                await problem_response(unexpected_problem(error))(scope, receive, exchange.send_marked)

    async def _note_denial(self, exchange: _Exchange) -> None:
        status, route = exchange.status or _CLIENT_LEFT, exchange.route
        denial = find_denial(exchange.scope, status=status, route=route, request_id=exchange.request_id)
        if denial is not None:
            await self._denials.note(denial)

    def _note(self, exchange: _Exchange, begun: Begun) -> None:
        seconds = time.perf_counter() - exchange.started_s
        method = exchange.scope["method"] if exchange.scope["method"] in _METHODS else "other"
        status = exchange.status or _CLIENT_LEFT
        self._metrics.count_request(method, exchange.route, status=status, seconds=seconds)
        facts = {"http.request.method": method, "http.route": exchange.route, "http.response.status_code": status}
        begun.name(f"{method} {exchange.route}", {**facts, "lossnlp.request_id": exchange.request_id})
        _log.info("request", method=method, route=exchange.route, status=status, latency_ms=round(seconds * 1000, 1))


def _hold_model(scope: Scope) -> None:
    """Gives the request an intake of its own: it ends on the model that it began with, whatever is put in service meanwhile."""
    intake = getattr(scope["app"].state, "intake", None) if "app" in scope else None
    if intake is not None:
        scope.setdefault("state", {})["intake"] = intake.holding_still()


def _find_fault(scope: Scope) -> ProblemError | None:
    """Gives what is wrong with a request before it is read."""
    if not is_readable(scope):
        return ProblemError(400, "An address holds no zero characters; leave them out.")
    if not has_one_length(scope):
        detail = "Send Content-Length or Transfer-Encoding, not both."
        return ProblemError(400, detail, headers={"Connection": "close"})
    return None


def _request_id(scope: Scope) -> str:
    """Gives the caller's X-Request-ID where it is plain, else a new one."""
    offered = Headers(scope=scope).get("x-request-id", "")
    return offered if _REQUEST_ID.fullmatch(offered) else uuid4().hex
