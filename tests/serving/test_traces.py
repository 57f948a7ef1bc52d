"""Traces: what a request and the worker are seen to do, and that no word of a deal is in a span."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from serving.app import create_app
from serving.crm.demo import DemoCrm
from serving.settings import Settings
from serving.store import Database
from serving.traces import NO_TRACES, Traces, open_traces, part
from serving.worker import Worker
from tests.serving.conftest import KEY

CANARY = "canary-sings-at-dawn"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(kept: InMemorySpanExporter) -> Iterator[Traces]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    yield Traces(provider)
    provider.shutdown()


@pytest.fixture
def traced(settings: Settings, assessor: Any, traces: Traces) -> Iterator[TestClient]:
    app = create_app(settings, assessor=assessor, traces=traces)
    with TestClient(app, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def finished(kept: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in kept.get_finished_spans()}


def test_request_is_traced_by_its_parts(traced: TestClient, kept: InMemorySpanExporter) -> None:
    traced.post("/v1/assessments", json={"id": "D-1", "text": "price"}, headers={"X-Request-ID": "abc-1"})
    spans = finished(kept)
    request = spans["POST /v1/assessments"]
    assert {"classify", "read database", "write database"} <= set(spans)
    assert {span.context.trace_id for span in spans.values()} == {request.context.trace_id}
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/assessments",
        "http.response.status_code": 201,
        "lossnlp.request_id": "abc-1",
    }


def test_trace_of_the_caller_goes_on(traced: TestClient, kept: InMemorySpanExporter) -> None:
    traced.get("/healthz", headers={"traceparent": PARENT})
    [span] = kept.get_finished_spans()
    assert f"{span.context.trace_id:032x}" in PARENT
    assert span.parent is not None
    assert span.parent.is_remote


def test_no_text_reaches_a_span(traced: TestClient, kept: InMemorySpanExporter) -> None:
    traced.post("/v1/assessments", json={"id": "D-1", "text": f"legal {CANARY}"})
    traced.post("/v1/assessments", json={"id": "D-2", "text": f"explode {CANARY}"})
    traced.post("/v1/assessments:batch", json={"items": [{"id": "D-3", "text": f"explode {CANARY}"}]})
    traced.get(f"/v1/{CANARY}?q={CANARY}")
    told = "".join(span.to_json() for span in kept.get_finished_spans())
    assert CANARY not in told
    assert '"error.type": "RuntimeError"' in told


def test_write_backs_are_traced(settings: Settings, client: TestClient, traces: Traces, kept: Any) -> None:
    client.post("/v1/assessments", json={"id": "OV-2133", "text": "They said price was the problem."})
    Worker(Database(settings.database_url), DemoCrm(), traces=traces).send_due()
    spans = finished(kept)
    assert {"send write-backs", "fetch from CRM", "send to CRM", "write database"} <= set(spans)
    assert (spans["send write-backs"].attributes or {})["lossnlp.write_backs"] == 1


def test_log_lines_carry_the_trace(
    settings: Settings,
    assessor: Any,
    traces: Traces,
    kept: InMemorySpanExporter,
    set_up_logs: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs(settings)
    with TestClient(create_app(settings, assessor=assessor, traces=traces)) as client:
        client.get("/healthz")
    trace_id = f"{finished(kept)['GET /healthz'].context.trace_id:032x}"
    assert f'"trace_id": "{trace_id}"' in capsys.readouterr().err


def test_nothing_is_traced_without_an_endpoint() -> None:
    assert open_traces({}) is NO_TRACES
    assert open_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}) is NO_TRACES
    with NO_TRACES.begin("request") as begun, part("classify"):
        begun.name("another", {"lossnlp.deals": 1})


def test_endpoint_sends_spans_under_our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    opened = open_traces()
    assert opened.provider is not None
    assert opened.provider.resource.attributes["service.name"] == "lossnlp"
    opened.close()
