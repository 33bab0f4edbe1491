"""Requests that schemathesis generates from the OpenAPI document, to a server in another thread.

`python -m tests.agent_core.http.openapi.generated 200` sends many of them, and prints the statuses of each operation.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent_core import Agent, Runtime, define_agent_api
from agent_core.http import make_app
from agent_core.testing import ScriptedModel
from tests.support.servers.http_server import served

CHECKS = [
    *(not_a_server_error, status_code_conformance),
    *(content_type_conformance, response_schema_conformance),
]
ENDLESS = {"subscribe"}
"""Operations whose response does not end."""
KNOWN = {"thread_id": "t1", "message_id": "m1", "tool_call_id": "call_1", "schedule_id": "s1"}
"""Ids that exist, for every other request."""

_OPTIONS: Any = {
    **{"deadline": None, "database": None, "derandomize": True, "suppress_health_check": list(HealthCheck)},
    "phases": [Phase.explicit, Phase.generate],
}


@contextmanager
def any_server(folder: Path) -> Iterator[str]:
    """Serve an API, with all methods allowed to everybody, from a thread with a loop of its own."""
    started, over = threading.Event(), asyncio.Event()
    found: list[Any] = []

    async def serve() -> None:
        found.append(asyncio.get_running_loop())
        async with Runtime(f"sqlite:///{folder / 'agents.db'}") as runtime:
            agent = Agent("assistant", ScriptedModel(lambda _: ["Yes."]))
            allowed: Any = {"limits_callback": lambda ctx: None, "outbox_callback": lambda ctx: None}
            api = define_agent_api(runtime, agent, **allowed)
            async with served(make_app(api)) as client:
                found.append(str(client.base_url))
                started.set()
                await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert started.wait(60)
        yield found[1]
    finally:
        found[0].call_soon_threadsafe(over.set)
        thread.join()


def _seed(url: str) -> None:
    """Create what a former operation may have deleted."""
    httpx.post(f"{url}/threads/t1/restore")
    httpx.post(f"{url}/threads", json={"prompt": "Hi", "thread_id": "t1", "message_id": "m1"})
    daily = {"type": "cron", "expression": "@daily"}
    httpx.post(f"{url}/schedules", json={"prompt": "Hi", "trigger": daily, "schedule_id": "s1"})


def statuses(url: str, examples: int) -> dict[str, Counter[int]]:
    """Send generated requests to every operation; return how often each answered with which status.

    Raises:
        Exception: an answer is a server error, or not as the document says.
    """
    found: dict[str, Counter[int]] = {}
    for result in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
        operation: Any = result.ok()  # pyright: ignore[reportAttributeAccessIssue]  -- the document is valid
        name = operation.definition.raw["operationId"]
        if name not in ENDLESS:
            _seed(url)
            found[name] = _send(operation, examples)
    return found


def _send(operation: Any, examples: int) -> Counter[int]:
    found: Counter[int] = Counter()

    @given(case=operation.as_strategy())
    @settings(max_examples=examples, **_OPTIONS)
    def send(case: Any) -> None:
        if found.total() % 2 == 0:
            case.path_parameters = {
                name: KNOWN.get(name, value) for name, value in case.path_parameters.items()
            }
        if case.path.endswith("/idle"):
            case.query = {"timeout": "0"}
        response = case.call(timeout=60)
        found[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    send()
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, any_server(Path(folder)) as url:
        for name, counts in statuses(url, int(sys.argv[1])).items():
            print(f"{name}: {dict(counts)}")
