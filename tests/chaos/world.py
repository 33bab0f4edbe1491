"""Agent whose every loss and every repetition can be detected afterwards.

The model is a function of its request, so each step has one right answer; the tools append each execution to
a file, which a SIGKILL cannot take back.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent_core import Agent, RetryPolicy, StreamingOptions, ToolContext, errors
from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import action_tool, async_tool
from tests.chaos.trap import Trap

ROUNDS = 3
"""Model steps with tool calls in a turn of work; one more step ends the turn."""

Use = tuple[str, dict[str, Any]]
WORK: list[list[Use]] = [[("charge", {}), ("measure", {})]] * ROUNDS
SCRIPTS: dict[str, list[list[Use]]] = {
    "approval": [[("pay", {"amount": 1}), ("pay", {"amount": 2}), ("pay", {"amount": 3}), ("measure", {})]],
    "outside": [[("ask", {}), ("charge", {})], [("remind", {})]],
    "flaky": [[("flaky", {}), ("measure", {})], [("flaky", {})]],
    "queue": [],
    "short": [[("charge", {}), ("measure", {})]],
}
"""Tool calls of each step, by the first word of the prompt; any other word means `WORK`."""


def script(prompt: str) -> list[list[Use]]:
    """Return the calls of each step of the turn that `prompt` begins."""
    return SCRIPTS.get(prompt.split()[0], WORK)


def texts(prompt: str) -> list[str]:
    """Return the model's text in each step of the turn that `prompt` begins."""
    steps = range(len(script(prompt)))
    return [*(f"Step {step} of {prompt}." for step in steps), f"The end of {prompt}."]


class Effects:
    """Log of the effects, one line each: a verb and its object."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trap = Trap(path.with_name("trap.set"))

    def note(self, *words: object) -> None:
        """Append one line; lines of several processes do not mix (O_APPEND)."""
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, (" ".join(map(str, words)) + "\n").encode())
        os.close(file)

    def first(self, *words: object) -> bool:
        """Return whether no process has asked with these words before."""
        folder = self._path.with_suffix(".once")
        folder.mkdir(exist_ok=True)
        try:
            (folder / "-".join(map(str, words))).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def lines(self) -> list[str]:
        """Return the lines in order."""
        return self._path.read_text().splitlines() if self._path.exists() else []

    def count(self) -> dict[str, int]:
        """Return how often each line occurs."""
        counts: dict[str, int] = {}
        for line in self.lines():
            counts[line] = counts.get(line, 0) + 1
        return counts


def make_agent(effects: Effects, pace: float, tool_pace: float | None = None) -> Agent:
    """Return the agent; `pace` is the length of its small waits, and `tool_pace` of its tools', in seconds."""
    return Agent(
        "chaos",
        ScriptedModel(_model(effects, pace)),
        tools=_tools(effects, pace if tool_pace is None else tool_pace),
        retry=RetryPolicy(max_attempts=5, initial_delay=pace, jitter=0),
        save_stream_deltas=StreamingOptions(throttle_ms=5),
    )


def _model(effects: Effects, pace: float) -> Callable[[list[dict[str, Any]]], list[Any]]:
    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        asked = max(n for n, message in enumerate(messages) if message["role"] == "user")
        step = sum(message["role"] == "assistant" for message in messages[asked:])
        prompt = messages[asked]["content"]
        effects.note("ask", prompt, step)
        if prompt.startswith("poison "):
            os.kill(os.getpid(), signal.SIGKILL)
        calls = script(prompt)
        if step == len(calls):
            return ["The ", pace, "end ", pace, f"of {prompt}."]
        if step == 1 and effects.first("busy", prompt):
            return ["Oh", pace, errors.ModelError("Busy.", kind="rate_limited", retryable=True)]
        names = [f"{prompt}-{step}-{name}" for name, _ in calls[step]]
        ids = [f"{name}{names[:n].count(name) or ''}" for n, name in enumerate(names)]
        uses = [ToolUse(use[0], use[1], id=name) for name, use in zip(ids, calls[step], strict=True)]
        return [f"Step {step} ", pace, f"of {prompt}.", pace, *uses]

    return turn


def _tools(effects: Effects, pace: float) -> list[Any]:
    @action_tool
    def charge(ctx: ToolContext) -> str:
        """Charge: must not happen twice."""
        time.sleep(pace)
        effects.note("charge", ctx.idempotency_key)
        if ctx.thread_id.startswith("work"):  # nobody stops these threads, so the call ends in doubt
            effects.trap.step_in()
        time.sleep(pace)
        return "charged"

    @action_tool(retry=True)
    def measure(ctx: ToolContext) -> str:
        """Measure: may happen again."""
        effects.note("measure", ctx.idempotency_key)
        return "measured"

    @action_tool(needs_approval=True)
    def pay(amount: int, ctx: ToolContext) -> str:
        """Pay: must not happen without a person's yes, nor twice, nor with another amount."""
        effects.note("pay", ctx.idempotency_key, amount)
        time.sleep(pace)
        return f"paid {amount}"

    @action_tool(retry=RetryPolicy(max_attempts=20, backoff="fixed", initial_delay=10 * pace, jitter=0))
    def flaky(ctx: ToolContext) -> str:
        """Fail twice before it works."""
        if ctx.attempt < 3:
            raise OSError("Not yet.")
        effects.note("flaky", ctx.idempotency_key)
        return "worked"

    @async_tool
    def ask(ctx: ToolContext) -> None:
        """Ask somebody, who answers when they like."""
        effects.note("asked", ctx.idempotency_key)

    @async_tool(timeout=0.5)
    def remind(ctx: ToolContext) -> None:
        """Ask somebody who never answers."""
        effects.note("reminded", ctx.idempotency_key)

    return [charge, measure, pay, flaky, ask, remind]
