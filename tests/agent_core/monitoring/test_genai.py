"""Names of OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

import pytest

from agent_core.domain.events.run_events import StepEnded
from agent_core.monitoring.genai import answer_attributes, provider_and_model


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("openai/gpt-5-mini", "openai", "gpt-5-mini"),
        ("gemini/gemini-flash-latest", "gcp.gemini", "gemini-flash-latest"),
        ("openrouter/openai/gpt-5-mini", "openrouter", "openai/gpt-5-mini"),
        ("gpt-5-mini", "openai", "gpt-5-mini"),
        ("my/own", "my", "my/own"),
        ("demo", "demo", "demo"),
    ],
)
def test_provider_has_the_name_of_the_conventions(model: str, provider: str, name: str) -> None:
    assert provider_and_model(model) == (provider, name)


def test_answer_has_the_id_and_the_model_that_the_provider_names() -> None:
    about = {"openai": {"id": "chatcmpl-1", "model": "gpt-5-mini-2026", "finish_reason": "stop"}}
    step = StepEnded("t", "m", 1, "a", "openai/gpt-5-mini", 1, 0.0, 1.0, "committed", metadata=about)
    found = answer_attributes(step)
    assert found == {"gen_ai.response.id": "chatcmpl-1", "gen_ai.response.model": "gpt-5-mini-2026"}
