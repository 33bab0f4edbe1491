"""Fixtures of the running fake providers, and a durable agent that talks to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, RetryPolicy, Runtime, action_tool, define_internal_agent_api
from agent_core.domain.messages import Message, Thread, text_of
from agent_core.llm import close_connections, warm
from tests.providers.installed import aimock_command, llmock_command, running
from tests.providers.llmock import Llmock
from tests.support.databases import prepared
from tests.support.providers.front import Front
from tests.support.providers.litellm_paths import both_paths as both_paths

HERE = Path(__file__).parent

NARROW = {"rpm": 12, "tpm": 12000, "context_window": 200}

Ask = Callable[..., Awaitable[tuple[Thread, Message]]]


@pytest.fixture(scope="session")
def llmock_front() -> Iterator[Front]:
    # Paced, so that the grader can see whether the client stopped reading.
    with running(
        [*llmock_command(), "--log-level", "warning", "--stream-chunk-delay-ms", "5"], "/health"
    ) as url:
        yield from _in_front_of(url)


@pytest.fixture(scope="session")
def narrow_front() -> Iterator[Front]:
    """Run an llmock with quotas, whose models never call tools."""
    narrow = [word for name, most in NARROW.items() for word in (f"--{name.replace('_', '-')}", str(most))]
    with running(
        [*llmock_command(), "--log-level", "warning", "--tool-mode", "off", *narrow], "/health"
    ) as url:
        yield from _in_front_of(url)


@pytest.fixture(scope="session")
def aimock_front() -> Iterator[Front]:
    fixtures = ["--fixtures", str(HERE / "aimock_fixtures.json"), "--validate-on-load", "--strict"]
    with running([*aimock_command(), *fixtures, "--log-level", "warn"], "/health") as url:
        yield from _in_front_of(url)


def _in_front_of(url: str) -> Iterator[Front]:
    front = Front(url)
    yield front
    front.close()


@pytest.fixture
def llmock_url(llmock_front: Front) -> Iterator[str]:
    yield from _strictly(llmock_front)


@pytest.fixture
def llmock(llmock_url: str) -> Llmock:
    return Llmock(llmock_url)


@pytest.fixture
def narrow(narrow_front: Front) -> Iterator[Llmock]:
    for url in _strictly(narrow_front):
        yield Llmock(url)


@pytest.fixture
def aimock_url(aimock_front: Front) -> Iterator[str]:
    yield from _strictly(aimock_front)


def _strictly(front: Front) -> Iterator[str]:
    """Fail a test whose requests a strict provider would have refused."""
    front.violations.clear()
    yield front.url
    assert not front.violations, front.violations


@pytest.fixture(autouse=True, scope="session")
def _litellm_there() -> None:
    """Import litellm before the first test: the import takes seconds, and many on a busy machine."""
    warm().join()


@pytest.fixture(autouse=True)
async def _connections_closed() -> AsyncIterator[None]:
    yield
    await close_connections()


@action_tool
async def get_weather(city: str) -> str:
    """Get the current weather for a city."""
    return f"It is sunny in {city}."


@asynccontextmanager
async def agent_api(directory: Path, model: str, **options: Any) -> AsyncIterator[AgentApi]:
    """Run a durable agent with one tool against a model."""
    agent = Agent(
        name="weather",
        model=model,
        system="Help with the weather.",
        tools=[get_weather],
        retry=RetryPolicy(max_attempts=3, initial_delay=0.1, jitter=0.02),
        **options,
    )
    async with Runtime(database_url=prepared(directory / "agents.db")) as runtime:
        yield define_internal_agent_api(runtime, agent)


async def ask(api: AgentApi, prompt: str) -> tuple[Thread, Message]:
    """Send a prompt on a new thread; return the thread and its last message once the thread is idle."""
    thread = await api.create_thread(prompt)
    thread = await api.wait_until_idle(thread.id, timeout=30)
    return thread, (await api.list_messages(thread.id))[-1]


def text(message: Message) -> str:
    return text_of(message.parts)
