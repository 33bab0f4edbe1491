"""Spans that a test collects with OpenTelemetry's own SDK."""

# The library is optional:
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent_core import AgentApi
from agent_core.monitoring.tracing import Tracing
from agent_core.testing import eventually
from tests.support.agents import agent_on, runtime_of


class Traces:
    """The `ReadableSpan`s that were written, and the provider that writes them."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> Sequence[Any]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    async def some(self, name: str, count: int) -> list[Any]:
        await eventually(lambda: len(self.named(name)) == count)
        return self.named(name)

    async def one(self, name: str) -> Any:
        (span,) = await self.some(name, 1)
        return span


@asynccontextmanager
async def traced(
    path: Path, turns: Any, *, traces: Traces | None = None, content: bool | None = None, **options: Any
) -> AsyncGenerator[tuple[AgentApi, Traces]]:
    traces = traces or Traces()
    async with agent_on(path, turns, **options) as api:
        tracing = Tracing(runtime_of(api), tracer_provider=traces.provider, capture_content=content)
        yield api, traces
        tracing.close()


def at(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id
