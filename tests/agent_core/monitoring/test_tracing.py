"""Traces of turns, written with OpenTelemetry's own SDK."""

# The library is optional:
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, Budget, CallContext, ToolContext, action_tool, async_tool
from agent_core.context.thread_title import ModelTitle
from agent_core.domain.events.run_events import TurnEnded
from agent_core.domain.model_adapter import Usage
from agent_core.errors import ModelError
from agent_core.monitoring import Metrics
from agent_core.testing import ToolUse, eventually
from tests.support.agents import AT_ONCE, agent_on, finished, live, runtime_of, waiting
from tests.support.limits import answer

pytest.importorskip(
    "opentelemetry.sdk", reason="opentelemetry-sdk is not installed: requirements-dev.txt has it"
)

from opentelemetry import trace
from opentelemetry.trace import StatusCode

from tests.support.traces import Traces, at, parent, traced


@async_tool
def ask() -> None:
    """Ask somebody."""


async def test_turn_is_a_trace_of_its_attempts(path: Path) -> None:
    @action_tool
    async def works(secret: str) -> str:
        """Work."""
        with trace.get_tracer("app", tracer_provider=traces.provider).start_as_current_span("inner"):
            return "private result"

    @action_tool
    async def fails() -> str:
        """Fail."""
        raise RuntimeError("no, token=abcdef123456")

    traces = Traces()
    turns = [
        [ModelError("busy", kind="rate_limited", retryable=True)],
        [ToolUse("works", {"secret": "private argument"}), ToolUse("fails")],
        ["private answer", Usage(10, 2, 12, cached_tokens=4)],
    ]
    async with traced(path, turns, traces=traces, tools=[works, fails], retry=AT_ONCE) as (api, _):
        thread = await api.create_thread("private prompt", title="private title")
        await finished(api, thread)
        root = await traces.one("invoke_agent assistant")
        (reply,) = [m for m in await api.list_messages(thread.id) if m.role == "assistant"]
        turn = (await api.timeline(thread.id))[0]
    assert {span.context.trace_id for span in traces.spans if span.context} == {root.context.trace_id}
    retried, asked, answered = sorted(traces.named("chat scripted"), key=lambda span: span.start_time or 0)
    (worked,), (failed,), (inner,) = (
        traces.named(name) for name in ("execute_tool works", "execute_tool fails", "inner")
    )
    assert root.parent is None
    assert {parent(span) for span in (retried, asked, answered, worked, failed)} == {root.context.span_id}
    assert parent(inner) == worked.context.span_id
    for span in traces.spans:
        if span is not inner:
            assert at(span, "gen_ai.conversation.id") == thread.id
            assert at(span, "gen_ai.agent.name") == "assistant"
            assert root.start_time <= span.start_time <= span.end_time <= root.end_time
    assert abs(turn.started_at.timestamp() * 1e9 - (root.start_time or 0)) < 1e9
    assert (at(retried, "error.type"), retried.status.status_code) == ("rate_limited", StatusCode.ERROR)
    assert [at(span, "agent_core.attempt") for span in (retried, asked, answered)] == [1, 2, 1]
    assert at(answered, "gen_ai.usage.input_tokens") == 10
    assert at(answered, "gen_ai.usage.cache_read.input_tokens") == 4
    assert at(answered, "gen_ai.response.finish_reasons") == ("stop",)
    assert at(answered, "gen_ai.operation.name") == "chat"
    assert (at(failed, "error.type"), failed.status.status_code) == ("RuntimeError", StatusCode.ERROR)
    assert failed.status.description == "no, token=[hidden]"
    assert at(worked, "gen_ai.tool.call.id").startswith("call")
    assert worked.status.status_code == StatusCode.UNSET
    assert "private" not in "".join(span.to_json() for span in traces.spans)
    assert reply.text == "private answer"


async def test_turn_that_a_tool_begins_is_part_of_the_tools_trace_and_others_have_a_link(path: Path) -> None:
    @action_tool
    async def delegate(ctx: ToolContext) -> str:
        """Ask another agent."""
        return (await api.create_thread("Do it", thread_id="inner")).id

    def answers(messages: list[dict[str, Any]]) -> Any:
        if messages[-1]["content"] == "Do it" and not failed:
            failed.append(True)
            return [ModelError("no", kind="auth")]
        return [ToolUse("delegate")] if messages[-1]["content"] == "Please" else ["Done."]

    failed: list[bool] = []
    async with traced(path, answers, tools=[delegate]) as (api, traces):
        own = trace.get_tracer("app", tracer_provider=traces.provider)
        with own.start_as_current_span("request") as request:
            await api.create_thread("Please", thread_id="outer")
        await finished(api, "outer")
        assert (await finished(api, "inner")).status == "failed"
        await traces.some("invoke_agent assistant", 2)
        await api.resume_thread("inner")
        await finished(api, "inner")
        turns = await traces.some("invoke_agent assistant", 3)
        await traces.some("chat scripted", 4)
        (tool,) = traces.named("execute_tool delegate")
    (outer,) = [span for span in turns if at(span, "gen_ai.conversation.id") == "outer"]
    inner = [span for span in turns if span is not outer]
    answers_of_inner = [
        span for span in traces.named("chat scripted") if at(span, "gen_ai.conversation.id") == "inner"
    ]
    assert [link.context.span_id for link in outer.links] == [request.get_span_context().span_id]
    assert outer.parent is None
    assert outer.context.trace_id != request.get_span_context().trace_id
    assert {span.context.trace_id for span in (*inner, *answers_of_inner)} == {outer.context.trace_id}
    assert {parent(span) for span in inner} == {tool.context.span_id}
    assert [parent(span) for span in answers_of_inner] == [span.context.span_id for span in inner]
    assert not any(span.links for span in inner)


async def test_stopped_and_resumed_turn_stays_in_one_trace(path: Path) -> None:
    turns = [["Begin. ", 600.0], [ToolUse("ask")], ["Done."]]
    async with traced(path, turns, tools=[ask]) as (api, traces):
        thread = await api.create_thread("Hi")
        await live(api, thread.id, "Begin.")
        await api.stop_thread(thread.id)
        stopped = await traces.one("invoke_agent assistant")
        cut = await traces.one("chat scripted")
        await api.resume_thread(thread.id)
        (call,) = await waiting(api, thread.id)
        assert not traces.named("execute_tool ask")
        await api.add_tool_result(call, "Yes", thread_id=thread.id)
        await finished(api, thread)
        asked = await traces.one("execute_tool ask")
        _, completed = await traces.some("invoke_agent assistant", 2)
    assert (at(stopped, "agent_core.turn.status"), stopped.status.status_code) == (
        "stopped",
        StatusCode.UNSET,
    )
    assert (at(cut, "agent_core.outcome"), parent(cut)) == ("cancelled", stopped.context.span_id)
    assert at(completed, "agent_core.turn.status") == "completed"
    assert completed.context.trace_id == stopped.context.trace_id
    assert completed.context.span_id != stopped.context.span_id
    assert parent(asked) == completed.context.span_id
    assert at(asked, "agent_core.outcome") == "succeeded"


async def test_pause_is_a_span_when_it_ends_and_when_it_is_stopped(path: Path) -> None:
    async with traced(path, answer) as (api, traces):
        await api.limits.set_budget(Budget(tokens=0), user_id="ann")
        for name in ("goes-on", "stopped"):
            await api.create_thread("Hi", thread_id=name, ctx=CallContext("ann"))
            await eventually(lambda name=name: _is_paused(api, name))
        await api.stop_thread("stopped")
        await traces.one("pause")
        await api.limits.set_budget(Budget(tokens=1_000_000), user_id="ann")
        await finished(api, "goes-on")
        pauses = await traces.some("pause", 2)
        turns = await traces.some("invoke_agent assistant", 2)
    found = {at(span, "gen_ai.conversation.id"): span for span in pauses}
    ends = {
        name: (at(span, "agent_core.pause.kind"), at(span, "agent_core.outcome"))
        for name, span in found.items()
    }
    assert ends == {"goes-on": ("budget", "ended"), "stopped": ("budget", "cancelled")}
    for turn in turns:
        pause = found[at(turn, "gen_ai.conversation.id")]
        assert parent(pause) == turn.context.span_id
        assert turn.start_time <= pause.start_time <= pause.end_time <= turn.end_time


async def _is_paused(api: AgentApi, thread_id: str) -> bool:
    thread = await api.get_thread(thread_id)
    return thread is not None and (thread.retry_state or {}).get("kind") == "budget"


@pytest.mark.sqlite  # as above
@pytest.mark.parametrize("fails", [False, True])
async def test_request_for_a_title_is_a_span_of_its_turn(path: Path, fails: bool) -> None:
    last: Any = ModelError("no", kind="auth") if fails else "A title"
    turns = [["Done."], [last, Usage(5, 2, 7)][: 1 if fails else 2]]
    async with traced(path, turns, title=ModelTitle()) as (api, traces):
        metrics = Metrics(runtime_of(api))
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        turn = await traces.one("invoke_agent assistant")
        asked = await traces.some("chat scripted", 2)
        counted = await metrics.text()
    (span,) = [each for each in asked if at(each, "agent_core.purpose") == "title"]
    assert (span.context.trace_id, parent(span)) == (turn.context.trace_id, turn.context.span_id)
    assert at(span, "error.type") == ("auth" if fails else None)
    assert at(span, "gen_ai.usage.output_tokens") == (None if fails else 2)
    assert ('agent_core_tokens_total{model="scripted",type="output"} 2' in counted) is not fails


@pytest.mark.sqlite  # the outcomes are written alike
async def test_stop_ends_the_span_of_a_call_that_waits(path: Path) -> None:
    async with traced(path, [[ToolUse("ask")]], tools=[ask]) as (api, traces):
        thread = await api.create_thread("Hi")
        await waiting(api, thread.id)
        await api.stop_thread(thread.id)
        span = await traces.one("execute_tool ask")
        await traces.one("invoke_agent assistant")
    assert (at(span, "agent_core.outcome"), span.status.status_code) == ("cancelled", StatusCode.UNSET)


@pytest.mark.sqlite
async def test_failed_turn_has_the_kind_of_its_error(path: Path) -> None:
    async with traced(path, [[ModelError("Bad key sk-abcdefghijkl.", kind="auth")]]) as (api, traces):
        await finished(api, await api.create_thread("Hi"))
        root = await traces.one("invoke_agent assistant")
        (asked,) = traces.named("chat scripted")
    for span in (root, asked):
        assert (at(span, "error.type"), span.status.status_code) == ("auth", StatusCode.ERROR)
        assert "sk-abc" not in (span.status.description or "sk-abc")


@pytest.mark.sqlite
async def test_content_is_recorded_only_when_asked_for_and_without_secrets(path: Path) -> None:
    @action_tool
    async def look(place: str, api_key: str) -> dict[str, Any]:
        """Look."""
        return {"found": ["sk-abcdefghijklmnop", 3]}

    call = ToolUse("look", {"place": "Oslo", "api_key": "hunter"}, "call_1")
    turns = [[call], ["It is here."]]
    async with traced(path, turns, tools=[look], content=True, system="Be kind.") as (api, traces):
        await finished(api, await api.create_thread("Where is sk-abcdefghijklmnop?"))
        await traces.one("invoke_agent assistant")
    _, last = traces.named("chat scripted")
    (tool,) = traces.named("execute_tool look")
    sent = json.loads(at(last, "gen_ai.input.messages"))
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[0]["parts"] == [{"type": "text", "content": "Where is [hidden]?"}]
    assert sent[1]["parts"][0]["arguments"] == {"place": "Oslo", "api_key": "[hidden]"}
    assert json.loads(at(last, "gen_ai.system_instructions")) == [{"type": "text", "content": "Be kind."}]
    (answer,) = json.loads(at(last, "gen_ai.output.messages"))
    assert answer["parts"] == [{"type": "text", "content": "It is here."}]
    assert json.loads(at(tool, "gen_ai.tool.call.arguments")) == {"place": "Oslo", "api_key": "[hidden]"}
    assert json.loads(at(tool, "gen_ai.tool.call.result")) == {"found": ["[hidden]", 3]}


ORDINARY = """
import asyncio, sys
from agent_core import Agent, Runtime, define_internal_agent_api
from agent_core.monitoring import Metrics
from agent_core.testing import ScriptedModel

async def main():
    async with Runtime("sqlite://") as runtime:
        Metrics(runtime)
        api = define_internal_agent_api(runtime, Agent("assistant", ScriptedModel([["Yes."]])))
        thread = await api.create_thread("Hi")
        assert (await api.wait_until_idle(thread.id)).status == "completed"

asyncio.run(main())
assert not [name for name in sys.modules if name.startswith("opentelemetry")], "imported"
sys.modules["opentelemetry"] = None
try:
    import agent_core.monitoring.tracing
except ImportError as error:
    print(error)
"""


def test_nothing_is_imported_without_tracing_and_a_missing_package_is_named() -> None:
    run = subprocess.run([sys.executable, "-c", ORDINARY], capture_output=True, text=True, timeout=100)
    assert run.stdout == 'Tracing needs OpenTelemetry: pip install "reflex-durable-agents[otel]"\n', (
        run.stderr
    )


async def test_showing_another_branch_ends_no_turn(path: Path) -> None:
    ended: list[TurnEnded] = []

    def note(event: object) -> None:
        if isinstance(event, TurnEnded):
            ended.append(event)

    async with agent_on(path, [["One."], ["Two. ", ModelError("no", kind="auth")]]) as api:
        api.store.observers.add(note)
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        first = (await api.list_messages(thread.id))[-1]
        await api.regenerate(thread.id, first.id)
        await finished(api, thread)
        await eventually(lambda: len(ended) == 2)
        await api.select_branch(thread.id, first.id)
        assert (await api.get_thread(thread.id)).status == "completed"  # type: ignore[union-attr]
    assert [(event.status, event.error) for event in ended] == [("completed", None), ("failed", "auth")]
    assert all(
        event.turn and event.turn.started_at and event.turn.started_at <= event.ended_at for event in ended
    )
