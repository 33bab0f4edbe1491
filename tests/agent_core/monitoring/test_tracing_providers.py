"""Tracing with providers, samplers and exporters of the application: theirs decide, and their faults harm no turn."""

# The library is optional:
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent_core.domain.model_adapter import Usage
from agent_core.errors import ModelError, ValidationError
from agent_core.testing import eventually
from tests.support.agents import agent_on, finished, runtime_of

pytest.importorskip(
    "opentelemetry.sdk", reason="opentelemetry-sdk is not installed: requirements-dev.txt has it"
)

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from agent_core.monitoring.tracing import Tracing
from tests.support.traces import Traces, traced


@pytest.mark.sqlite
async def test_exporter_and_sampler_that_fail_harm_no_turn(path: Path) -> None:
    class Failing(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise RuntimeError("no collector")

    class Unfair(TraceIdRatioBased):
        def should_sample(self, *args: Any, **options: Any) -> Any:
            raise RuntimeError("no decision")

    for traces in (Traces(), Traces(sampler=Unfair(1.0))):
        traces.provider.add_span_processor(SimpleSpanProcessor(Failing()))
        async with traced(path, lambda _: ["Yes."], traces=traces) as (api, _):
            assert (await finished(api, await api.create_thread("Hi"))).status == "completed"


@pytest.mark.sqlite
async def test_turn_is_sampled_as_one(path: Path) -> None:
    traces = Traces(sampler=ParentBased(TraceIdRatioBased(0.5)))
    async with traced(path, lambda _: ["Yes."], traces=traces) as (api, _):
        for number in range(12):
            await finished(api, await api.create_thread("Hi", thread_id=f"t{number}"))
        await eventually(
            lambda: len(traces.named("chat scripted")) == len(traces.named("invoke_agent assistant"))
        )
    roots, steps = (
        {span.context.trace_id for span in traces.named(name)}
        for name in ("invoke_agent assistant", "chat scripted")
    )
    assert roots == steps
    assert len(roots) <= 12


@pytest.mark.sqlite
async def test_tracer_that_chooses_its_own_ids_stays_in_the_trace(path: Path) -> None:
    class Foreign(trace.TracerProvider):
        def get_tracer(self, *args: Any, **options: Any) -> trace.Tracer:
            real = traces.provider.get_tracer(*args)

            class Wrapped(trace.Tracer):
                def start_span(self, *args: Any, **options: Any) -> trace.Span:
                    return real.start_span(*args, **options)

                start_as_current_span: Any = None

            return Wrapped()

    traces = Traces()
    async with agent_on(path, [["Yes."]]) as api:
        Tracing(runtime_of(api), tracer_provider=Foreign())
        with pytest.raises(ValidationError, match="traced already"):
            Tracing(runtime_of(api))
        await finished(api, await api.create_thread("Hi"))
        await traces.one("invoke_agent assistant")
    assert len({span.context.trace_id for span in traces.named("chat scripted")}) == 1


@pytest.mark.sqlite
async def test_durations_and_tokens_are_histograms(path: Path) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    turns = [["Yes.", Usage(10, 2, 12)], [ModelError("no", kind="auth")]]
    async with agent_on(path, turns) as api:
        Tracing(runtime_of(api), meter_provider=provider)
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        await api.send_message(thread.id, "Again")
        await finished(api, thread)
        data: Any = reader.get_metrics_data()
        found = json.loads(data.to_json())
    (scope,) = found["resource_metrics"][0]["scope_metrics"]
    metrics = {each["name"]: each for each in scope["metrics"]}
    duration, tokens = metrics["gen_ai.client.operation.duration"], metrics["gen_ai.client.token.usage"]
    assert (duration["unit"], tokens["unit"]) == ("s", "{token}")
    points = duration["data"]["data_points"]
    assert {point["attributes"].get("error.type") for point in points} == {None, "auth"}
    assert all(point["attributes"]["gen_ai.request.model"] == "scripted" for point in points)
    used = {p["attributes"]["gen_ai.token.type"]: p["sum"] for p in tokens["data"]["data_points"]}
    assert used == {"input": 10, "output": 2}
