"""Logs: one JSON object a line, with request id and deal id, never with text of a deal."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import structlog
from structlog.types import EventDict, Processor

from lossnlp.errors import LossNlpError
from serving.settings import Settings

_QUIET = ("httpx2", "httpcore2", "sqlalchemy", "alembic")


def describe_error(error: BaseException) -> dict[str, Any]:
    """Gives what may be logged of an exception: its type, and the places it came through.

    Its message is left out: libraries quote the value they choked on, and here that value is a customer's words.
    """
    frames = traceback.extract_tb(error.__traceback__)
    cause = error.__cause__ or error.__context__
    facts = {
        "error": type(error).__name__,
        "where": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }
    return facts | ({"cause": type(cause).__name__} if cause else {})


def short_cause(error: Exception) -> str:
    """Gives a short cause; messages of foreign errors may quote a deal and are left out."""
    return error.message if isinstance(error, LossNlpError) else type(error).__name__


def configure_logs(settings: Settings) -> None:
    """Sends the service's own log and that of every library to standard error, as JSON lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_error_text,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(_json_formatter(shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a log that cannot be written would else be dumped, exception text and all


def _json_formatter(shared: list[Processor]) -> structlog.stdlib.ProcessorFormatter:
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ]
    return structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=shared)


def _without_error_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Gives the event with any exception reduced to type and places, also for what a library logs."""
    error = _error_of(event.pop("exc_info", None))
    record: logging.LogRecord | None = event.get("_record")
    if record is not None:
        record.exc_info = record.exc_text = None
    return {**event, **describe_error(error)} if error else event


def _error_of(exc_info: object) -> BaseException | None:
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    return error if isinstance(error, BaseException) else None
