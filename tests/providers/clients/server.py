"""Server of the clients' tests, in a separate process so that it can be killed: python -m … FOLDER PORT.

The model obeys the last user message, "STATE KIND …": how this message's first turn ends, and the kind of the
later turns' answer. The state `hold` waits for a file in the folder, so that a test can act meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from agent_core import (
    Agent,
    RetryPolicy,
    Runtime,
    StreamingOptions,
    action_tool,
    async_tool,
    define_agent_api,
)
from agent_core.domain.model_adapter import Source
from agent_core.errors import ModelError
from agent_core.support.settings import Settings
from agent_core.testing import Reasoning, ScriptedModel, ToolUse

DENIED = ModelError("The key is wrong.", kind="auth")
LATER = ModelError("Busy.", kind="rate_limited", retryable=True, retry_after=60)
AT_ONCE = ModelError("Cut off.", kind="network", retryable=True)


@action_tool
async def look(n: int) -> str:
    """Look."""
    return f"seen {n}"


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@async_tool
async def ask(question: str) -> None:
    """Ask a person."""


Turn = list[Any]
KINDS: dict[str, Callable[[str], list[Turn]]] = {
    "text": lambda re: [[re, " at ", "length."]],
    "files": lambda re: [[re, " with a file."]],
    "reasoning": lambda re: [[Reasoning("Hm, "), Reasoning("well: "), re, " thought over."]],
    "sources": lambda re: [
        [re, " read.", Source("https://a.example/x", "A"), Source("https://b.example/", "")]
    ],
    "tools": lambda re: [["Let me look. ", _look(1), _look(2)], [Reasoning("Once more."), _look(3)], [re]],
    "approval": lambda re: [[Reasoning("May I?"), "I pay. ", ToolUse("pay", {"amount": 1})], [re, " paid."]],
    "human": lambda re: [[ToolUse("ask", {"question": "Which?"})], [re, " asked."]],
    "both": lambda re: [
        ["So: ", ToolUse("pay", {"amount": 2}), ToolUse("ask", {"question": "?"}), _look(4)],
        [re, " done."],
    ],
}


def _look(n: int) -> ToolUse:
    return ToolUse("look", {"n": n})


class Model:
    """Script of the model.

    Args:
        folder: folder in which the tests create the files that release the model.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked: Counter[str] = Counter()

    def answer(self, messages: list[dict[str, Any]]) -> Iterator[Any] | Turn:
        """Return the next turn."""
        place, prompt = next(
            (n, _text(m)) for n, m in reversed(list(enumerate(messages))) if m["role"] == "user"
        )
        state, kind, name = prompt.split(" ", 2)
        steps = KINDS[kind](f"Re {name}")
        step = steps[sum(message["role"] == "assistant" for message in messages[place:])]
        self._asked[prompt] += 1
        first = self._asked[prompt] == 1
        thread = name.partition(" ")[0]
        if state == "hold":
            return self._held(step, self._folder / thread)
        if not first:
            return step
        if state == "retrying":  # held until the page has read: later readers see nothing of it
            return self._held(["Half", LATER], self._folder / f"{thread}-fails")
        broken: dict[str, Turn] = {
            "failed": [Reasoning("Hm."), "Half", _look(9), DENIED],
            "stopped": [Reasoning("Hm."), "Half", 60.0],
            "interrupted": ["Half", 60.0],
            "retried": [Reasoning("Hm."), "Half", _look(9), 0.05, AT_ONCE],
        }
        return broken.get(state, step)

    def _held(self, step: Turn, file: Path) -> Iterator[Any]:
        """Yield the step's first fragment, wait until `file` exists, then yield the rest."""
        yield step[0]
        while not file.exists():
            yield 0.02
        yield from step[1:]


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return next(part["text"] for part in content if part.get("text", "").count(" ") > 1)


@contextlib.asynccontextmanager
async def application(folder: Path) -> AsyncGenerator[Starlette]:
    """Yield the app: /agents with the defaults, and /eager, where every message interrupts."""
    settings = Settings(lease=1.0, heartbeat=0.2, poll=0.2, reconcile=0.2, pulse=0.05)
    async with Runtime(f"sqlite:///{folder}/agents.db", settings=settings) as runtime:
        agent = Agent(
            "assistant",
            ScriptedModel(Model(folder).answer),
            tools=[look, pay, ask],
            save_stream_deltas=StreamingOptions(throttle_ms=5, include_tool_input_deltas=True),
            retry=RetryPolicy(max_attempts=3, initial_delay=0, jitter=0),
        )
        api = define_agent_api(runtime, agent)
        yield Starlette(routes=[api.mount("/agents"), api.mount("/eager", when_busy="interrupt")])


async def main(folder: str, port: str) -> None:
    """Serve until the process ends."""
    async with application(Path(folder)) as app:
        # Clients reuse connections that were idle for up to 5 s; the server must not close one just then.
        quiet: dict[str, Any] = {"lifespan": "off", "ws": "none", "log_level": "warning"}
        config = uvicorn.Config(app, port=int(port), timeout_keep_alive=75, **quiet)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
