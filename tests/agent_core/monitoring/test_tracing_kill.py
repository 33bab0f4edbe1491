"""A turn whose process is killed, in a real collector's eyes: OTLP over HTTP, in one trace."""

# The library is optional:
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, Runtime, action_tool, define_internal_agent_api
from agent_core.testing import ScriptedModel, ToolUse, eventually
from tests.support.agents import AT_ONCE, QUICK, finished, live
from tests.support.databases import prepare, prepared, url
from tests.support.processes.children import FORKED

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="requirements-dev.txt has it")

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agent_core.monitoring.tracing import Tracing
from tests.support.servers.collector import collector


@action_tool
async def works() -> str:
    """Work."""
    return "done"


def api_on(runtime: Runtime, turn: Any, address: str, service: str) -> AgentApi:
    provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces")))
    Tracing(runtime, tracer_provider=provider)
    agent = Agent("assistant", ScriptedModel(turn), tools=[works], retry=AT_ONCE)
    return define_internal_agent_api(runtime, agent)


def work_until_killed(database: str, address: str) -> None:
    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Begin. ", 600.0] if messages[-1]["role"] == "tool" else [ToolUse("works")]

    async def work() -> None:
        async with Runtime(database, settings=QUICK) as runtime:
            api_on(runtime, turn, address, "killed")
            await asyncio.sleep(600)

    asyncio.run(work())


async def test_turn_of_a_killed_process_is_one_trace(path: Path) -> None:
    prepare(path)
    with collector() as (address, received):
        child = FORKED.Process(target=work_until_killed, args=(url(path), address), daemon=True)
        child.start()
        try:
            async with Runtime(prepared(path), settings=QUICK, work=False) as runtime:
                api = api_on(runtime, lambda _: ["Done."], address, "heir")
                thread = await api.create_thread("Hi")
                await live(api, thread.id, "Begin.")
                await eventually(lambda: len(received) == 2)
                child.kill()
                child.join()
                assert child.exitcode == -signal.SIGKILL
                await runtime.begin_work()
                await finished(api, thread)
                await eventually(lambda: len(received) == 4)
        finally:
            child.kill()
            child.join()
    names = [(service, span.name) for service, span in received]
    assert names[:2] == [("killed", "chat scripted"), ("killed", "execute_tool works")]
    assert set(names[2:]) == {("heir", "chat scripted"), ("heir", "invoke_agent assistant")}
    spans = [span for _, span in received]
    (root,) = [span for span in spans if span.name.startswith("invoke_agent")]
    assert len({span.trace_id for span in spans}) == 1
    assert {span.parent_span_id for span in spans if span is not root} == {root.span_id}
    assert not root.parent_span_id
    assert root.start_time_unix_nano <= min(span.start_time_unix_nano for span in spans)
    (last,) = [span for service, span in received if service == "heir" and span is not root]
    attributes = {each.key: each.value for each in last.attributes}
    assert attributes["agent_core.recovered"].bool_value
