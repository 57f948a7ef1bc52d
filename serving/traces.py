"""Traces of OpenTelemetry: how long the parts of a request took, in spans that carry names and numbers and no text of a deal.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set. Nothing is set up for the whole process: what other
libraries would trace, with messages that may quote a deal, goes nowhere.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog

from serving.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_tracer: ContextVar[Tracer | None] = ContextVar("lossnlp_tracer", default=None)


@dataclass(frozen=True, slots=True)
class Begun:
    """What was begun, while it runs.

    Args:
        span: Its span; None where nothing is traced.
    """

    span: Span | None = None

    def name(self, name: str, facts: Mapping[str, str | int]) -> None:
        """Names it once it is known what it is, and adds facts: of closed sets, or numbers."""
        if self.span is not None:
            self.span.update_name(name)
            self.span.set_attributes(dict(facts))


@dataclass(frozen=True, slots=True)
class Traces:
    """Begins traces.

    Args:
        provider: Where spans go; None traces nothing.
    """

    provider: TracerProvider | None = None

    @contextmanager
    def begin(self, name: str, *, headers: Mapping[str, str] | None = None, **facts: str | int) -> Iterator[Begun]:
        """Gives a context that is traced, with the parts that `part` names in it; its log lines carry the trace's id.

        Args:
            name: What is done.
            headers: Of the request that asks for it, whose `traceparent` is gone on with.
            facts: Of closed sets, or numbers.
        """
        if self.provider is None:
            yield Begun()
            return
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 (of the extra 'trace')
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        tracer = self.provider.get_tracer("lossnlp")
        parent = TraceContextTextMapPropagator().extract(headers or {})
        kind = SpanKind.SERVER if headers is not None else SpanKind.CONSUMER
        token = _tracer.set(tracer)
        try:
            with _span(tracer, name, facts, context=parent, kind=kind) as span:
                trace_id = format(span.get_span_context().trace_id, "032x")
                with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                    yield Begun(span)
        finally:
            _tracer.reset(token)

    def close(self) -> None:
        """Sends what waits to be sent."""
        if self.provider is not None:
            self.provider.shutdown()


NO_TRACES = Traces()


@contextmanager
def part(name: str, **facts: str | int) -> Iterator[None]:
    """Gives a context that is a part of the trace that is under way here; where none is, it does nothing.

    Args:
        name: What is done.
        facts: Of closed sets, or numbers; never words of a deal.
    """
    tracer = _tracer.get()
    if tracer is None:
        yield
        return
    with _span(tracer, name, facts):
        yield


def open_traces(environment: Mapping[str, str] = os.environ) -> Traces:
    """Gives the traces that OpenTelemetry's own variables ask for.

    Args:
        environment: OTEL_EXPORTER_OTLP_ENDPOINT is the collector's address, OTLP over HTTP; the other variables are read by the SDK.

    Raises:
        ConfigurationError: An address is set, and lossnlp's extra 'trace' is not installed.
    """
    if not any(environment.get(name) for name in _ENDPOINTS) or environment.get("OTEL_SDK_DISABLED", "") == "true":
        return NO_TRACES
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError:
        message = "Traces need OpenTelemetry; run: pip install 'lossnlp[trace]', or unset OTEL_EXPORTER_OTLP_ENDPOINT."
        raise ConfigurationError(message, field=_ENDPOINTS[0]) from None
    named = {"service.name": environment.get("OTEL_SERVICE_NAME", "lossnlp"), "service.version": version("lossnlp")}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider)


@contextmanager
def _span(tracer: Tracer, name: str, facts: Mapping[str, str | int], **options: Any) -> Iterator[Span]:
    """Gives a span; of an error it keeps the type, as its message may quote a deal."""
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 (of the extra 'trace')

    told = {f"lossnlp.{key}": value for key, value in facts.items()}
    with tracer.start_as_current_span(
        name, attributes=told, record_exception=False, set_status_on_exception=False, **options
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise
