"""Control a running llmock: queue its behaviours and read its verdict on the client."""

from __future__ import annotations

from typing import Any

import httpx

from agent_core.llm import LitellmModel

DIALECTS = {"openai": ("openai/gpt-4o-mini", "/v1"), "anthropic": ("anthropic/claude-sonnet-5", "/anthropic")}


class Llmock:
    """The running llmock, reset for each test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.reset()

    def reset(self) -> None:
        """Clear the queued behaviours and the recorded requests."""
        self._post("reset", {})

    def will(self, *behaviors: dict[str, Any]) -> None:
        """Queue behaviours for the next requests."""
        self._post("scenario", {"behaviors": list(behaviors)})

    def findings(self) -> list[str]:
        """Return the grader's findings about the client."""
        verdict = httpx.get(f"{self.url}/_llmock/verdict", trust_env=False).json()
        return [f"{finding['code']}: {finding['title']}" for finding in verdict["findings"]]

    def attempts(self) -> int:
        return httpx.get(f"{self.url}/_llmock/verdict", trust_env=False).json()["attempts"]

    def options(self, dialect: str, silence: float = 20.0) -> dict[str, Any]:
        """Return an agent's options for this server; `silence` is the timeout in seconds."""
        url = self.url + DIALECTS[dialect][1]
        return {"api_base": url, "api_key": "anything-at-all", "timeout": silence}

    def model(self, dialect: str, silence: float = 20.0) -> LitellmModel:
        return LitellmModel(DIALECTS[dialect][0], **self.options(dialect, silence))

    def _post(self, path: str, body: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/_llmock/{path}", json=body, trust_env=False).raise_for_status()
