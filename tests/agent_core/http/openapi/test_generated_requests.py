"""Test that requests generated from the OpenAPI document get no server error, and only documented answers."""

from __future__ import annotations

from pathlib import Path

from agent_core.http.openai.paths import PATHS as OPENAI_PATHS
from agent_core.http.routes import PATHS
from tests.agent_core.http.openapi.generated import any_server, statuses


def test_generated_requests_get_documented_answers(tmp_path: Path) -> None:
    with any_server(tmp_path) as url:
        found = statuses(url, 2)
    assert len(found) == len(PATHS) + 3 + len(OPENAI_PATHS)  # and the paths of the AI SDK
    assert sum(counts[200] + counts[201] + counts[204] for counts in found.values()) > len(PATHS) / 2
