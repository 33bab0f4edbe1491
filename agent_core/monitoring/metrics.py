"""Count what runs in this process, and write it with the state of the database in Prometheus' text format.

The format (https://prometheus.io/docs/instrumenting/exposition_formats/) is a few lines of text, which needs no
library. Counters belong to the process, and start at 0 with it: Prometheus adds up the processes. Gauges whose
help says "in the database" are the same in every process: take their maximum, not their sum.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from agent_core.domain.events.run_events import (
    RunEvent,
    StepEnded,
    TitleEnded,
    ToolEnded,
    TurnEnded,
    WorkerLost,
)
from agent_core.domain.model_adapter import Usage
from agent_core.runtime import Runtime
from agent_core.store.outbox import dead_letters
from agent_core.store.wake_ups import due_work

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MAX_SERIES = 1000  # of one metric: a model name may come from anywhere


class _Metric(NamedTuple):
    name: str
    kind: str
    help: str


_TURNS = _Metric("agent_core_turns_total", "counter", "Turns that ended here, by their thread's status.")
_STEPS = _Metric("agent_core_model_steps_total", "counter", "Attempts at model steps that ended, by outcome.")
_SECONDS = _Metric(
    "agent_core_model_step_seconds_total", "counter", "Seconds that attempts at model steps took."
)
_TOKENS = _Metric("agent_core_tokens_total", "counter", "Tokens of model requests, by model and type.")
_COST = _Metric(
    "agent_core_cost_usd_total", "counter", "Cost of model requests in US dollars, as far as known."
)
_TOOLS = _Metric("agent_core_tool_calls_total", "counter", "Attempts at tool calls that ended, by outcome.")
_TOOL_SECONDS = _Metric(
    "agent_core_tool_call_seconds_total", "counter", "Seconds that attempts at tool calls took."
)
_RETRIES = _Metric("agent_core_retries_total", "counter", "Attempts after which another one follows.")
_IN_DOUBT = _Metric(
    "agent_core_tool_calls_in_doubt_total", "counter", "Tool calls whose process died while they ran."
)
_SEALED = _Metric("agent_core_sealed_total", "counter", "Steps and tool calls that were sealed.")
_TAKEOVERS = _Metric(
    "agent_core_takeovers_total", "counter", "Wake-ups of lost workers that were released here."
)
_COUNTERS = (_TURNS, _STEPS, _SECONDS, _TOKENS, _COST, _TOOLS, _TOOL_SECONDS)
_COUNTERS_AT_ZERO = (_RETRIES, _IN_DOUBT, _SEALED, _TAKEOVERS)

_DUE = _Metric("agent_core_due_wake_ups", "gauge", "Due wake-ups in the database that no worker has leased.")
_OLDEST = _Metric(
    "agent_core_oldest_due_seconds", "gauge", "How long the oldest of them in the database has waited."
)
_RUNNING = _Metric("agent_core_running", "gauge", "Steps and tools that run in this process.")
_WAITING = _Metric("agent_core_waiting", "gauge", "Steps and tools that wait for a slot in this process.")
_SLOTS = _Metric("agent_core_max_parallelism", "gauge", "Slots for steps and tools in this process.")
_EVENTS = _Metric("agent_core_outbox_events", "gauge", "Events of the outbox in the database, by state.")
_OLDEST_EVENT = _Metric(
    "agent_core_oldest_outbox_event_seconds",
    "gauge",
    "How long the oldest pending event in the database waits.",
)
_KINDS = ("schedule", "step", "timeout", "tool")
_TOKEN_TYPES = ("input", "output", "cached", "cache_write", "reasoning")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Series:
    metric: _Metric
    values: Mapping[Labels, float]


class Metrics:
    """The metrics of a process, counted from now on until `close`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()  # events come from the scheduler's thread, too
        self._counts: dict[_Metric, dict[Labels, float]] = {metric: {} for metric in _COUNTERS}
        self._counts |= {metric: {(): 0.0} for metric in _COUNTERS_AT_ZERO}
        runtime.store.observers.add(self._observe)

    def close(self) -> None:
        """Count no more."""
        self._runtime.store.observers.remove(self._observe)

    async def text(self) -> str:
        """Return the metrics in Prometheus' text format.

        Raises:
            DatabaseError: the database does not answer.
        """
        now = self._runtime.store.clock.now()
        due = await self._runtime.store.read(due_work.unleased, now)
        queues = await self._runtime.queue()
        outbox = await self._runtime.store.read(dead_letters.counts)
        waits = 0.0 if outbox.oldest_at is None else max(0.0, now - outbox.oldest_at)
        gauges = [
            _Series(_DUE, {_labels(kind=kind): _work(due, kind).wake_ups for kind in _KINDS}),
            _Series(_OLDEST, {_labels(kind=kind): _work(due, kind).oldest_wait for kind in _KINDS}),
            _Series(_RUNNING, {_labels(kind=kind[:-1]): each.running for kind, each in queues.items()}),
            _Series(_WAITING, {_labels(kind=kind[:-1]): each.waiting for kind, each in queues.items()}),
            _Series(_SLOTS, {_labels(kind=kind[:-1]): each.max_parallelism for kind, each in queues.items()}),
            _Series(_EVENTS, {_labels(state=name): getattr(outbox, name) for name in ("pending", "dead")}),
            _Series(_OLDEST_EVENT, {(): waits}),
        ]
        with self._lock:
            counters = [_Series(metric, dict(values)) for metric, values in self._counts.items()]
        return "".join(_lines(series) for series in [*gauges, *counters])

    def _observe(self, event: RunEvent) -> None:
        with self._lock:
            if isinstance(event, StepEnded):
                self._count_step(event)
            elif isinstance(event, ToolEnded):
                self._count_tool(event)
            elif isinstance(event, TurnEnded):
                self._add(_TURNS, 1, end=event.status)
            elif isinstance(event, TitleEnded):
                self._count_usage(event.model, event.usage)
            elif isinstance(event, WorkerLost):
                self._add(_TAKEOVERS, event.wake_ups)

    def _count_step(self, step: StepEnded) -> None:
        self._add(_STEPS, 1, model=step.model, outcome=step.outcome)
        self._add(_SECONDS, max(0.0, step.ended_at - step.started_at), model=step.model)
        if step.outcome == "retried":
            self._add(_RETRIES, 1)
        if step.outcome == "sealed":
            self._add(_SEALED, 1)
        self._count_usage(step.model, step.usage)

    def _count_usage(self, model: str, usage: Usage | None) -> None:
        if usage is not None:
            for kind in _TOKEN_TYPES:
                self._add(_TOKENS, getattr(usage, f"{kind}_tokens"), model=model, type=kind)
            if usage.cost is not None:
                self._add(_COST, usage.cost, model=model)

    def _count_tool(self, tool: ToolEnded) -> None:
        self._add(_TOOLS, 1, tool=tool.name, outcome=tool.outcome)
        self._add(_TOOL_SECONDS, max(0.0, tool.ended_at - tool.started_at), tool=tool.name)
        extra = {"retried": _RETRIES, "in_doubt": _IN_DOUBT, "sealed": _SEALED}.get(tool.outcome)
        if extra is not None:
            self._add(extra, 1)

    def _add(self, metric: _Metric, number: float, **labels: str) -> None:
        values, key = self._counts[metric], _labels(**labels)
        if key not in values and len(values) >= _MAX_SERIES:
            key = _labels(**dict.fromkeys(labels, "other"))
        values[key] = values.get(key, 0.0) + number


def _work(due: Mapping[str | None, due_work.DueWork], kind: str) -> due_work.DueWork:
    return due.get(kind, due_work.DueWork(0, 0.0))


def _labels(**labels: str) -> Labels:
    return tuple(labels.items())


def _lines(series: _Series) -> str:
    name, kind, words = series.metric
    head = f"# HELP {name} {words}\n# TYPE {name} {kind}\n"
    return head + "".join(
        f"{name}{_braced(labels)} {_number(each)}\n" for labels, each in series.values.items()
    )


def _braced(labels: Iterable[tuple[str, str]]) -> str:
    inner = ",".join(f'{name}="{_escape(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
