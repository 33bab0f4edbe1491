"""Test `tests.support.providers.watch`, which fails any test whose model gets an unpaired history."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, RetryPolicy, Runtime, define_internal_agent_api
from agent_core.llm import Finish, LitellmModel, ModelEvent, ModelRequest, TextDelta, register_custom_provider
from tests.providers.dialects import Dialect
from tests.providers.history.test_dialects import HI, A, asked, clock, every_dialect, outcome
from tests.providers.loopback import Stream, provider
from tests.support.agents import finished

DANGLING = [HI, asked(A), HI]
PAIRED = [HI, asked(A), outcome("a", "12"), HI]


def test_every_test_is_watched(request: pytest.FixtureRequest) -> None:
    unwatched = [item.nodeid for item in request.session.items if "violations" not in item.fixturenames]  # type: ignore[attr-defined]
    assert unwatched == []


class Careless:
    """Model of a typical test, which checks nothing itself."""

    name = "careless"

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("Yes.")
        yield Finish("stop")


@pytest.mark.unpaired
async def test_an_adapter_is_watched(violations: list[str]) -> None:
    assert [event async for event in Careless().stream(ModelRequest(PAIRED))]
    assert violations == []
    assert [event async for event in Careless().stream(ModelRequest(DANGLING))]
    assert violations == ["a model is asked: message 2 comes before the outcome of ['a']"]


@pytest.mark.unpaired
async def test_an_agents_model_is_watched(violations: list[str], monkeypatch: Any, tmp_path: Path) -> None:
    """Without the repair, which keeps histories paired, the watch must report a violation."""
    monkeypatch.setattr("agent_core.runners.request_builder.repair", list)
    async with Runtime(f"sqlite:///{tmp_path}/agents.db") as runtime:
        agent = Agent(
            "a", Careless(), transform_messages=lambda _: DANGLING, retry=RetryPolicy(max_attempts=1)
        )
        api = define_internal_agent_api(runtime, agent)
        assert (await finished(api, await api.create_thread("Hi"))).status == "completed"
    assert len(violations) == 1


@pytest.mark.unpaired
@every_dialect
async def test_requests_of_litellm_are_watched(dialect: Dialect, violations: list[str]) -> None:
    """The watch does not depend on the server: this one accepts every request."""
    async with provider(Stream(dialect.stream(["Yes."]), end="eof"), strict=False) as server:
        model = LitellmModel(
            dialect.model,
            api_base=server.url.removesuffix("/v1") + dialect.below,
            api_key="k" * 12,
            timeout=10,
        )
        assert [event async for event in model.stream(ModelRequest(PAIRED))]
        assert violations == []
        request = ModelRequest(list(PAIRED), [clock.schema()])  # without tools, calls become text for Claude
        request.messages[:] = DANGLING  # changed after the first check
        assert [event async for event in model.stream(request)]
    assert len(violations) == 1
    assert "is sent:" in violations[0]


@pytest.mark.unpaired
async def test_a_provider_written_in_python_is_watched(violations: list[str]) -> None:
    register_custom_provider("careless", Careless().stream)
    request = ModelRequest(list(PAIRED))
    request.messages[:] = DANGLING
    assert [event async for event in LitellmModel("careless/x").stream(request)]
    assert len(violations) == 1
