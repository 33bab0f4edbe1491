"""A small world in which every loss and every repetition can be seen afterwards.

The model is a function of what it is sent, so each step has one right answer; the tools write each
execution to a file that is only ever appended to, which a SIGKILL cannot take back.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_core import Agent, RetryPolicy, StreamingOptions, ToolContext, errors
from agent_core.messages import Message
from agent_core.runner.tool_calls import IN_DOUBT
from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import action_tool

ROUNDS = 3
"""Model steps with tool calls in each turn; one more step ends it."""


class Effects:
    """What really happened, one line each: a verb and whom it happened to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, *words: object) -> None:
        """Write one line; lines of several processes do not mix (O_APPEND)."""
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, (" ".join(map(str, words)) + "\n").encode())
        os.close(file)

    def count(self) -> dict[str, int]:
        """Return how often each line stands there."""
        counts: dict[str, int] = {}
        for line in self._path.read_text().splitlines() if self._path.exists() else []:
            counts[line] = counts.get(line, 0) + 1
        return counts


def make_agent(effects: Effects, pace: float) -> Agent:
    """Return the agent of this world; `pace` is how long each of its small waits takes, in seconds."""

    @action_tool
    def charge(ctx: ToolContext) -> str:
        """Charge: must not happen twice."""
        time.sleep(pace)
        effects.note("charge", ctx.idempotency_key)
        time.sleep(pace)
        return "charged"

    @action_tool(retry=True)
    def measure(ctx: ToolContext) -> str:
        """Measure: may happen again."""
        effects.note("measure", ctx.idempotency_key)
        return "measured"

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        asked = max(n for n, message in enumerate(messages) if message["role"] == "user")
        step = sum(message["role"] == "assistant" for message in messages[asked:])
        prompt = messages[asked]["content"]
        effects.note("ask", prompt, step)
        if step == ROUNDS:
            return ["The ", pace, "end ", pace, f"of {prompt}."]
        if step == 1 and effects.count()[f"ask {prompt} {step}"] == 1:
            return ["Oh", pace, errors.ModelError("Busy.", kind="rate_limited", retryable=True)]
        uses = [ToolUse(name, {}, id=f"{prompt}-{step}-{name}") for name in ("charge", "measure")]
        return [f"Step {step} ", pace, f"of {prompt}.", pace, *uses]

    return Agent(
        "chaos",
        ScriptedModel(turn),
        tools=[charge, measure],
        retry=RetryPolicy(max_attempts=5, initial_delay=pace, jitter=0),
        save_stream_deltas=StreamingOptions(throttle_ms=5),
    )


@dataclass
class Verdict:
    """What a run cost; `lost`, `doubled` and `stuck` must be 0."""

    threads: int = 0
    steps: int = 0
    kills: int = 0
    asked: int = 0
    in_doubt: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list[str])

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or stuck."""
        return not (self.lost or self.doubled or self.stuck)

    def judge(self, thread_id: str, status: str, messages: list[Message], effects: dict[str, int]) -> None:
        """Add one thread, whose prompts were all sent and had all the time they needed."""
        self.threads += 1
        if status != "completed":
            self.stuck += 1
            self.notes.append(f"{thread_id} is {status}")
            return
        for question, reply in zip(messages[::2], messages[1::2], strict=False):
            self._judge_turn(thread_id, question.text, reply, effects)
        if len(messages) % 2:
            self._lose(f"{thread_id} has an unanswered message")

    def _judge_turn(self, thread_id: str, prompt: str, reply: Message, effects: dict[str, int]) -> None:
        said = [part["text"] for part in reply.parts if part["type"] == "text"]
        right = [f"Step {step} of {prompt}." for step in range(ROUNDS)] + [f"The end of {prompt}."]
        self.steps += len(said)
        if len(said) > len(right):
            self._double(f"{thread_id} says {said}")
        elif said != right:
            self._lose(f"{thread_id} says {said}")
        calls = [part for part in reply.parts if "toolCallId" in part]
        if len(calls) != 2 * ROUNDS:
            self._lose(f"{thread_id} has {len(calls)} calls")
        for part in calls:
            self._judge_call(thread_id, part, effects)
        self.asked += sum(effects.get(f"ask {prompt} {step}", 0) for step in range(ROUNDS + 1))

    def _judge_call(self, thread_id: str, part: dict[str, Any], effects: dict[str, int]) -> None:
        verb = part["type"].removeprefix("tool-")
        times = effects.get(f"{verb} {thread_id}:{part['toolCallId']}", 0)
        if verb == "charge" and part.get("errorText") == IN_DOUBT:
            self.in_doubt += 1
        elif part["state"] != "output-available" or times == 0:
            self._lose(f"{thread_id} has {part}, which happened {times} times")
        if verb == "charge" and times > 1:
            self._double(f"{thread_id} charged {times} times in {part['toolCallId']}")

    def _lose(self, note: str) -> None:
        self.lost += 1
        self.notes.append(note)

    def _double(self, note: str) -> None:
        self.doubled += 1
        self.notes.append(note)

    def table(self) -> str:
        """Return the figures, for people."""
        names = ("threads", "steps", "kills", "asked", "in_doubt", "lost", "doubled", "stuck", "seconds")
        line = "  ".join(f"{name} {getattr(self, name):g}" for name in names)
        return "\n".join([line, *self.notes[:10]])
