"""Write OpenTelemetry spans and metrics of the work of a process.

Import this module only to trace: it needs the package opentelemetry-api, and nothing else in agent_core does.

A span is written when its work has ended, by the process that did it. Its ids are derived from those of the
rows: so all processes that work on a turn, one after another, write into one trace, under the same parent.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Generator, Sequence
from contextvars import ContextVar
from typing import Any

from agent_core.agent import Agent
from agent_core.api.base import HasStore, store_of
from agent_core.domain.events.run_events import (
    OutcomeReceived,
    PauseEnded,
    RunEvent,
    StepEnded,
    TitleEnded,
    ToolEnded,
    TurnEnded,
    TurnStart,
)
from agent_core.errors import ValidationError
from agent_core.monitoring import genai
from agent_core.monitoring.genai import Attributes
from agent_core.store.store import Store
from agent_core.support.logs import get_logger

try:
    from opentelemetry import context as contexts
    from opentelemetry import metrics, trace
except ImportError as error:
    raise ImportError(
        'Tracing needs OpenTelemetry: pip install "reflex-durable-agents[otel]"', name=error.name
    ) from error

_log = get_logger(__name__)
_SCOPE = "agent_core"
_CHILD, _LINK = "child", "link"
_inside_tool: ContextVar[bool] = ContextVar("agent_core_inside_tool", default=False)


class Tracing:
    """Writes spans and metrics of a runtime until `close`; create it before the runtime is opened, or later.

    Each turn is a trace: `invoke_agent`, with a `chat` for each attempt at a model step and an `execute_tool` for
    each attempt at a tool call. While these run, their span is the current one, so that spans of your own, and
    of libraries, become its children. A turn that is begun inside a tool continues the trace of the tool; one
    that is begun elsewhere has a link to the current span of its sender.

    Args:
        runtime: the runtime, or a store.
        tracer_provider: creates the spans; by default the global one.
        meter_provider: creates the histograms; by default the global one.
        capture_content: whether prompts, answers, arguments and results are recorded, without secrets; by
            default as OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT says, and else not.

    Raises:
        ValidationError: the runtime is traced already.
    """

    def __init__(
        self,
        runtime: HasStore | Store,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        capture_content: bool | None = None,
    ) -> None:
        self._store = store_of(runtime, "Tracing")
        if self._store.tracing is not None:
            raise ValidationError("This runtime is traced already; close its Tracing first.")
        self._provider = tracer_provider
        self._tracer: trace.Tracer | None = None
        self._ids = _DerivedIds()
        self._content = genai.captures_content(os.environ) if capture_content is None else capture_content
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider, schema_url=genai.SCHEMA_URL)
        self._duration = meter.create_histogram(
            *("gen_ai.client.operation.duration", "s", "GenAI operation duration."),
            explicit_bucket_boundaries_advisory=genai.SECONDS,
        )
        self._tokens = meter.create_histogram(
            *("gen_ai.client.token.usage", "{token}", "Number of input and output tokens used."),
            explicit_bucket_boundaries_advisory=genai.TOKENS,
        )
        self._store.tracing = self
        self._store.observers.add(self._observe)

    def close(self) -> None:
        """Write no more; the providers stay open."""
        self._store.observers.remove(self._observe)
        self._store.tracing = None

    # --- see `agent_core.domain.events.run_events.Tracing` ---

    def sender(self) -> str | None:
        """Return the trace context of the calling code, to be stored with the turn that it starts."""
        span = trace.get_current_span().get_span_context()
        if not span.is_valid:
            return None
        relation = _CHILD if _inside_tool.get() else _LINK
        return f"{relation} {span.trace_id:032x} {span.span_id:016x} {span.trace_flags:02x}"

    @contextlib.contextmanager
    def executing(self, turn: TurnStart, work: str) -> Generator[None]:
        """Make the span of `work` the current one for a block."""
        token = None
        inside = _inside_tool.set(work.startswith("tool:"))
        try:
            token = contexts.attach(_in(contexts.get_current(), self._span(turn, work)))
        except Exception:
            _log.exception("The span of %s cannot be made the current one; nothing else is affected.", work)
        try:
            yield
        finally:
            if token is not None:
                contexts.detach(token)
            _inside_tool.reset(inside)

    # --- spans ---

    def _observe(self, event: RunEvent) -> None:
        if isinstance(event, StepEnded):
            if event.turn is not None and event.model:
                self._step_ended(event, event.turn)
        elif isinstance(event, ToolEnded | OutcomeReceived):
            if event.turn is not None:
                self._tool_ended(event, event.turn)
        elif isinstance(event, PauseEnded | TitleEnded | TurnEnded) and event.turn is not None:
            if isinstance(event, PauseEnded):
                self._pause_ended(event, event.turn)
            elif isinstance(event, TitleEnded):
                self._title_ended(event, event.turn)
            else:
                self._turn_ended(event, event.turn)

    def _step_ended(self, step: StepEnded, turn: TurnStart) -> None:
        model = genai.model_attributes(step.model)
        attributes = {
            **self._common("chat", step.thread_id, step.agent),
            **model,
            "gen_ai.request.stream": True,
            **genai.answer_attributes(step),
            **_attempt(step.attempt, step.outcome, step.recovered),
        }
        if self._content and step.content is not None:
            attributes |= genai.step_content(step.content, step.finish_reason)
        name = f"chat {model['gen_ai.request.model']}"
        times = step.started_at, step.ended_at
        work = f"model:{step.seq}"
        self._write(turn, work, name, trace.SpanKind.CLIENT, times, attributes, step.error, step.words)
        self._measure(step, attributes)

    def _title_ended(self, title: TitleEnded, turn: TurnStart) -> None:
        model = genai.model_attributes(title.model)
        attributes = {
            **self._common("chat", title.thread_id, title.agent),
            **model,
            "gen_ai.request.stream": True,
            **genai.usage_attributes(title.usage),
            "agent_core.purpose": "title",
        }
        name, work = f"chat {model['gen_ai.request.model']}", f"title:{title.seq}"
        times = title.started_at, title.ended_at
        self._write(turn, work, name, trace.SpanKind.CLIENT, times, attributes, title.error, title.words)
        self._measure(title, attributes)

    def _pause_ended(self, pause: PauseEnded, turn: TurnStart) -> None:
        attributes = {
            **self._common("pause", pause.thread_id, pause.agent),
            "agent_core.pause.kind": pause.kind,
            "agent_core.outcome": "cancelled" if pause.stopped else "ended",
        }
        work, times = f"pause:{pause.started_at:.3f}", (pause.started_at, pause.ended_at)
        self._write(turn, work, "pause", trace.SpanKind.INTERNAL, times, attributes, None, None)

    def _tool_ended(self, call: ToolEnded | OutcomeReceived, turn: TurnStart) -> None:
        error = call.error
        if isinstance(call, OutcomeReceived):
            outcome, recovered = "succeeded" if error is None else "failed", False
        else:
            outcome, recovered = call.outcome, call.recovered
            error = error or (outcome if outcome in ("in_doubt", "sealed") else None)
        if outcome == "handed_over":
            return  # its span ends with its outcome
        if error in ("stopped", "passed_over"):
            outcome, error = "cancelled", None
        attributes = {
            **self._common("execute_tool", call.thread_id, call.agent),
            **genai.tool_attributes(call),
            **_attempt(call.attempt, outcome, recovered),
        }
        if self._content and call.content is not None:
            attributes |= genai.tool_content(call.content)
        work, name = f"tool:{call.tool_call_id}:{call.attempt}", f"execute_tool {call.name}"
        times = call.started_at, call.ended_at
        self._write(turn, work, name, trace.SpanKind.INTERNAL, times, attributes, error, call.words)

    def _turn_ended(self, ended: TurnEnded, turn: TurnStart) -> None:
        attributes = self._of_turn(turn, ended.agent) | {"agent_core.turn.status": ended.status}
        began = ended.ended_at if turn.started_at is None else turn.started_at
        name, times = f"invoke_agent {ended.agent}", (began, ended.ended_at)
        kind = trace.SpanKind.INTERNAL
        self._write(turn, _root(turn), name, kind, times, attributes, ended.error, ended.words)

    def _of_turn(self, turn: TurnStart, agent: str) -> Attributes:
        known = self._store.agents.get(agent)
        model = genai.model_attributes(known.model.name) if isinstance(known, Agent) else {}
        return {**self._common("invoke_agent", turn.thread_id, agent), **model}

    def _common(self, operation: str, thread_id: str, agent: str) -> Attributes:
        return {
            "gen_ai.operation.name": operation,
            "gen_ai.conversation.id": thread_id,
            "gen_ai.agent.name": agent,
            "agent_core.worker": self._store.process,
        }

    def _write(
        self,
        turn: TurnStart,
        work: str,
        name: str,
        kind: trace.SpanKind,
        times: tuple[float, float],
        attributes: Attributes,
        error: str | None,
        words: str | None,
    ) -> None:
        links: Sequence[trace.Link] = ()
        if work == _root(turn):
            relation, sender = _sender(turn)
            parent = _in(contexts.Context(), sender if relation == _CHILD else None)
            links = [trace.Link(sender)] if relation == _LINK and sender else ()
        else:
            parent = _in(contexts.Context(), self._span(turn, _root(turn)))
        if error is not None:
            attributes |= {"error.type": error}
        span = self._span(turn, work)
        self._ids.trace_id, self._ids.span_id = span.trace_id, span.span_id
        began, ended = (int(each * 1e9) for each in times)
        written = self._derived_tracer().start_span(
            name, parent, kind=kind, attributes=attributes, links=links, start_time=began
        )
        if error is not None:
            written.set_status(trace.Status(trace.StatusCode.ERROR, genai.plain(words)))
        written.end(max(began, ended))

    def _span(self, turn: TurnStart, work: str) -> trace.SpanContext:
        """Return the ids of a span of a turn, whether or not it has been written."""
        relation, sender = _sender(turn)
        span_id = genai.span_name(turn, work, 8)
        if relation == _CHILD and sender is not None:
            return trace.SpanContext(sender.trace_id, span_id, is_remote=True, trace_flags=sender.trace_flags)
        trace_id = genai.span_name(turn, None, 16)
        flags = trace.TraceFlags.SAMPLED if self._samples(turn, trace_id) else trace.TraceFlags.DEFAULT
        return trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(flags))

    def _samples(self, turn: TurnStart, trace_id: int) -> bool:
        """Whether the SDK's sampler samples the trace of a turn; every process gets the same answer."""
        sampler: Any = getattr(self._derived_tracer(), "sampler", None)
        if sampler is None:
            return True
        attributes: Attributes = {"gen_ai.operation.name": "invoke_agent"}
        attributes["gen_ai.conversation.id"] = turn.thread_id
        kind = trace.SpanKind.INTERNAL
        asked = sampler.should_sample(contexts.Context(), trace_id, "invoke_agent", kind, attributes)
        return bool(asked.decision.is_sampled())

    def _derived_tracer(self) -> trace.Tracer:
        """Return a tracer whose spans get derived ids.

        A tracer belongs to the code that asked for it, and `id_generator` is an attribute of the SDK's. A tracer
        without it chooses the ids of its spans itself: they are in the right trace, beside their parent.
        """
        if self._tracer is not None:
            return self._tracer
        provider = self._provider or trace.get_tracer_provider()
        tracer: Any = provider.get_tracer(_SCOPE, schema_url=genai.SCHEMA_URL)
        if hasattr(tracer, "id_generator"):
            tracer.id_generator = self._ids
        if not isinstance(provider, trace.ProxyTracerProvider):  # until then no SDK is configured
            self._tracer = tracer
        return tracer

    # --- metrics ---

    def _measure(self, step: StepEnded | TitleEnded, attributes: Attributes) -> None:
        of_model = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")
        labels = {key: attributes[key] for key in (*of_model, "gen_ai.response.model") if key in attributes}
        ended = {} if step.error is None else {"error.type": step.error}
        self._duration.record(max(0.0, step.ended_at - step.started_at), labels | ended)
        if step.usage is not None:
            self._tokens.record(step.usage.input_tokens, labels | {"gen_ai.token.type": "input"})
            self._tokens.record(step.usage.output_tokens, labels | {"gen_ai.token.type": "output"})


class _DerivedIds(threading.local):
    """The ids of the next span of this thread, in place of the SDK's random ones."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id

    def is_trace_id_random(self) -> bool:
        return False


def _root(turn: TurnStart) -> str:
    return f"turn:{turn.cursor}"


def _attempt(number: int, outcome: str, recovered: bool) -> Attributes:
    more: Attributes = {"agent_core.recovered": True} if recovered else {}
    return {"agent_core.attempt": number, "agent_core.outcome": outcome, **more}


def _sender(turn: TurnStart) -> tuple[str | None, trace.SpanContext | None]:
    """Return how a turn is related to the span of its sender, and that span; (None, None): there is none."""
    try:
        relation, trace_id, span_id, flags = (turn.trace or "").split(" ")
        numbers = int(trace_id, 16), int(span_id, 16)
        found = trace.SpanContext(*numbers, is_remote=True, trace_flags=trace.TraceFlags(int(flags, 16)))
    except ValueError:
        return None, None
    return (relation, found) if found.is_valid else (None, None)


def _in(context: contexts.Context, span: trace.SpanContext | None) -> contexts.Context:
    return context if span is None else trace.set_span_in_context(trace.NonRecordingSpan(span), context)
