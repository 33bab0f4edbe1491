"""Tools of the demo: a harmless, working tool for each ability of tools."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field

from agent_core import RetryPolicy, Tool, ToolContext, action_tool, create_action_tool, create_async_tool
from chat_app.demo import library
from chat_app.demo.calculator import calculate

_MAX_SECONDS = 120


def demo_tools(data_dir: Path) -> dict[str, Tool]:
    """Return the tools by name; e-mails are written to outbox.jsonl in `data_dir`."""
    return {
        "clock": clock,
        "calculator": calculator,
        "search_docs": search_docs,
        "slow_task": slow_task,
        "unreliable_service": unreliable_service,
        "ask_human": ask_human,
        "send_email": _send_email(data_dir / "outbox.jsonl"),
    }


@action_tool(rerun_on_interrupt=True)
def clock(timezone: str = "UTC") -> dict[str, str]:
    """Tell the date and the time in a time zone, such as UTC or Europe/Berlin."""
    try:
        now = datetime.now(UTC if timezone.upper() == "UTC" else ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{timezone!r} is not a time zone. Use one such as Europe/Berlin.") from error
    return {"time": f"{now:%H:%M:%S}", "date": f"{now:%A, %d %B %Y}", "timezone": timezone}


@action_tool(rerun_on_interrupt=True)
def calculator(expression: str) -> dict[str, Any]:
    """Compute an arithmetic expression, such as "2 * (3 + 4)" or "sqrt(2) ^ 3"."""
    result = calculate(expression)
    # 5084, not 5084.0; beyond 2**53 floats do not represent every whole number exactly.
    exact = isinstance(result, float) and result.is_integer() and abs(result) < 2**53
    return {"expression": expression, "result": int(result) if exact else result}


@action_tool(rerun_on_interrupt=True)
def search_docs(query: str) -> dict[str, Any]:
    """Search this project's own documentation and return the sections that fit best."""
    found = library.search(query)
    results = [{"file": each.file, "heading": each.heading, "text": each.text} for each in found]
    return {"query": query, "results": results}


@action_tool(rerun_on_interrupt=True)
async def slow_task(ctx: ToolContext, seconds: float = 8.0) -> dict[str, Any]:
    """Work for some seconds (at most 120), reporting progress meanwhile."""
    seconds = min(max(seconds, 0.0), _MAX_SECONDS)
    steps = max(1, round(seconds * 2))
    for step in range(steps):
        await ctx.report({"done": step, "total": steps, "text": f"{round(100 * step / steps)} % done"})
        await asyncio.sleep(seconds / steps)
    return {"seconds": seconds, "steps": steps}


@action_tool(
    retry=RetryPolicy(max_attempts=4, initial_delay=1.0, multiplier=1.5, jitter=0.0), rerun_on_interrupt=True
)
def unreliable_service(ctx: ToolContext, failures: int = 2) -> dict[str, Any]:
    """Ask a service that fails at first (as often as `failures` says) and is retried automatically."""
    if ctx.attempt <= failures:
        raise ConnectionError(f"The service did not answer (attempt {ctx.attempt}).")
    return {"answer": 42, "attempts": ctx.attempt}


class Question(BaseModel):
    """What a person is asked."""

    question: str = Field(description="The question to show to the person.")
    options: list[str] = Field(default_factory=list, description="Answers to choose from (optional).")


def _wait_for_person(arguments: Question, ctx: ToolContext) -> None:
    """Do nothing: the page shows the question, and its form sends the answer as the outcome."""


ask_human = create_async_tool(
    name="ask_human",
    description="Ask the user a question and wait for the answer.",
    args=Question,
    callback=_wait_for_person,
)


class _Email(BaseModel):
    """An e-mail."""

    to: str = Field(description="The address.", max_length=320)
    subject: str = Field(max_length=200)
    body: str = Field(max_length=10_000)


def _send_email(outbox: Path) -> Tool:
    def send(arguments: _Email, ctx: ToolContext) -> dict[str, str]:
        # An interrupted call may run again; its idempotency key prevents a second e-mail.
        if ctx.idempotency_key not in _sent(outbox):
            outbox.parent.mkdir(parents=True, exist_ok=True)
            with outbox.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": ctx.idempotency_key, **arguments.model_dump()}) + "\n")
        return {"status": "sent", "to": arguments.to, "subject": arguments.subject}

    return create_action_tool(
        name="send_email",
        description="Send an e-mail, after the user's approval. (The demo writes it to a local file.)",
        args=_Email,
        handler=send,
        rerun_on_interrupt=True,
        needs_approval=True,
    )


def _sent(outbox: Path) -> set[str]:
    if not outbox.exists():
        return set()
    return {json.loads(line)["key"] for line in outbox.read_text(encoding="utf-8").splitlines()}
