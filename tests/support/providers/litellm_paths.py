"""Ways to read an answer of litellm: directly, with a copy for a callback, and through litellm's wrapper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agent_core.llm import litellm_adapter
from agent_core.llm.litellm_import import loaded

_LISTS = ("success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback")


@contextmanager
def listening() -> Iterator[list[Any]]:
    """Yield a list that collects the whole answers passed to a litellm callback during a block."""
    litellm = loaded()
    answers: list[Any] = []

    class Listener(litellm.integrations.custom_logger.CustomLogger):
        async def async_log_success_event(
            self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
        ) -> None:
            answers.append(response_obj)

    with pytest.MonkeyPatch.context() as patch:
        for name in _LISTS:  # litellm copies what is in `callbacks` into them
            patch.setattr(litellm, name, [])
        patch.setattr(litellm, "callbacks", [Listener()])
        patch.setattr(litellm, "turn_off_message_logging", False)
        yield answers


@contextmanager
def through_the_wrapper() -> Iterator[None]:
    """Read answers through litellm's wrapper during a block, as for unknown formats."""

    async def unknown(litellm: Any, answer: Any) -> None:
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(litellm_adapter, "open_direct", unknown)
        yield


@pytest.fixture(params=["direct", "heard"])
def both_paths(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test without and with a litellm callback."""
    if request.param == "direct":
        yield
    else:
        with listening():
            yield
