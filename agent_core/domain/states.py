"""Define the states of threads, streams and tool calls, and every legal transition.

These tables are the specification: the store builds the WHERE of each write from them, the tests
cover every pair of state and event, and docs/explanation/lifecycle.md draws them. A pair that is not listed is
illegal, and its write has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class ThreadStatus(StrEnum):
    """Status of a thread; the first two count as running."""

    STREAMING = "streaming"
    AWAITING = "awaiting_tool_results"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


class StreamStatus(StrEnum):
    """Status of a stream, the record of one attempt at a model step."""

    STREAMING = "streaming"
    COMMITTED = "committed"
    PARTIAL = "partial"
    SUPERSEDED = "superseded"


class CallStatus(StrEnum):
    """Status of a tool call; the last three are its possible outcomes."""

    APPROVAL = "approval"
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"


RUNNING = frozenset({ThreadStatus.STREAMING, ThreadStatus.AWAITING})
IDLE = frozenset(ThreadStatus) - RUNNING
OUTCOMES = frozenset({CallStatus.SUCCEEDED, CallStatus.FAILED, CallStatus.DENIED})
OPEN_CALLS = frozenset(CallStatus) - OUTCOMES

X = TypeVar("X", bound=StrEnum)
T, S, C = ThreadStatus, StreamStatus, CallStatus

THREAD: dict[str, dict[ThreadStatus, ThreadStatus]] = {
    "send": dict.fromkeys(IDLE, T.STREAMING),
    "resume": {T.FAILED: T.STREAMING, T.STOPPED: T.STREAMING, T.COMPLETED: T.STREAMING},
    "claim": {T.STREAMING: T.STREAMING},
    "retry": {T.STREAMING: T.STREAMING},
    "call_tools": {T.STREAMING: T.AWAITING},
    "tools_done": {T.AWAITING: T.STREAMING},
    "finish": {T.STREAMING: T.COMPLETED},
    "fail": {T.STREAMING: T.FAILED},
    "stop": dict.fromkeys(RUNNING, T.STOPPED),
    "show": dict.fromkeys(IDLE, T.COMPLETED),
    "show_unfinished": dict.fromkeys(IDLE, T.STOPPED),
}
"""event -> {source status: target status}, for threads.

show: another branch is selected; show_unfinished: a branch whose last reply is incomplete."""

STREAM: dict[str, dict[StreamStatus, StreamStatus]] = {
    "commit": {S.STREAMING: S.COMMITTED},
    "cut": {S.STREAMING: S.PARTIAL},
    "replace": {S.PARTIAL: S.SUPERSEDED},
    "keep": {S.PARTIAL: S.COMMITTED},
}
"""commit: the step completed. cut: its attempt failed, was stopped or lost its process.
replace: the next attempt produced its first token. keep: a person sent a message after the cut."""

CALL: dict[str, dict[CallStatus, CallStatus]] = {
    "approve": {C.APPROVAL: C.PENDING},
    "deny": {C.APPROVAL: C.DENIED},
    "claim": {C.PENDING: C.RUNNING, C.RUNNING: C.RUNNING},
    "retry": {C.RUNNING: C.PENDING},
    "hand_over": {C.RUNNING: C.WAITING},
    "succeed": dict.fromkeys(OPEN_CALLS - {C.APPROVAL}, C.SUCCEEDED),
    "fail": dict.fromkeys(OPEN_CALLS - {C.APPROVAL}, C.FAILED),
    "close": dict.fromkeys(OPEN_CALLS, C.FAILED),
}
"""hand_over: an async tool's callback returned, and the outcome will come from outside.
close: the thread was stopped; the call can no longer be approved or denied."""


def sources(table: Mapping[str, Mapping[X, X]], event: str) -> list[str]:
    """Return the source states of `event`, as stored in the rows."""
    return sorted(table[event])
