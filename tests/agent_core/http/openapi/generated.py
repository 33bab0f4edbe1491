"""Requests that schemathesis generates from the OpenAPI documents, to a server in another process.

Hypothesis refuses that anything else in its process uses `random`, as a server does for ids and waits.

`python -m tests.agent_core.http.openapi.generated 200 7` sends many of them, made from the seed 7, and prints the
statuses of each operation.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.applications import Starlette

from agent_core import Agent, Runtime, define_agent_api
from agent_core.http import mount_app
from agent_core.testing import ScriptedModel
from tests.support.browser.server import free_port_pair
from tests.support.databases import prepared
from tests.support.processes.children import FORKED

CHECKS = [
    *(not_a_server_error, status_code_conformance),
    *(content_type_conformance, response_schema_conformance),
]
ENDLESS = {"subscribe"}
"""Operations whose response does not end."""
KNOWN = {
    **{"thread_id": "t1", "message_id": "m1", "tool_call_id": "call_1", "schedule_id": "s1"},
    **{"response_id": "", "model": "assistant", "conversation_id": "t1", "item_id": "msg_m1"},
}
"""Ids that exist, for every other request; that of the response is known once it is made."""
BODIES: dict[str, dict[str, Any]] = {
    "completions_post": {"model": "assistant", "messages": [{"role": "user", "content": "Hi"}]},
    "responses_post": {"model": "assistant", "input": "Hi"},
    "chat": {
        "id": "t2",
        "messages": [{"id": "m2", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}],
    },
}
"""Values of every other body, so that some requests are answered."""

_OPTIONS: Any = {
    **{"deadline": None, "database": None, "derandomize": True, "suppress_health_check": list(HealthCheck)},
    "phases": [Phase.explicit, Phase.generate],
}


@contextmanager
def any_server(folder: Path) -> Iterator[str]:
    """Serve an API, with all methods allowed to everybody, from another process."""
    port = free_port_pair()
    process = FORKED.Process(target=_serve, args=(folder, port))
    process.start()
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process)
        yield url
    finally:
        process.kill()
        process.join()


def _wait_for(url: str, process: Any) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.is_alive():
        with suppress(httpx.TransportError):
            httpx.get(f"{url}/openapi.json")
            return
        time.sleep(0.05)
    raise AssertionError("the server has not started")


def _serve(folder: Path, port: int) -> None:
    runtime = Runtime(prepared(folder / "agents.db"))
    agent = Agent("assistant", ScriptedModel(lambda _: ["Yes."]))
    allowed: Any = {"limits_callback": lambda ctx: None, "outbox_callback": lambda ctx: None}
    api = define_agent_api(runtime, agent, **allowed)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with runtime:
            yield

    routes = [mount_app("/v1", api.openai_app()), mount_app("", api.http_app())]
    app = Starlette(routes=routes, lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical")


def _seed(url: str) -> None:
    """Create what a former operation may have deleted."""
    httpx.post(f"{url}/threads/t1/restore")
    httpx.post(f"{url}/threads", json={"prompt": "Hi", "thread_id": "t1", "message_id": "m1"})
    daily = {"type": "cron", "expression": "@daily"}
    httpx.post(f"{url}/schedules", json={"prompt": "Hi", "trigger": daily, "schedule_id": "s1"})
    KNOWN["response_id"] = httpx.post(f"{url}/v1/responses", json={"input": "Hi"}).json()["id"]


def statuses(url: str, examples: int, seed: int | None = None) -> dict[str, Counter[int]]:
    """Send generated requests to every operation; return how often each answered with which status.

    Args:
        url: of the server.
        examples: number of requests for each operation.
        seed: from which they are made; None: they are the same in each run.

    Raises:
        Exception: an answer is a server error, or not as the document says.
    """
    found: dict[str, Counter[int]] = {}
    for document in ("openapi.json", "v1/openapi.json"):
        for result in schemathesis.openapi.from_url(f"{url}/{document}").get_all_operations():
            operation: Any = result.ok()  # pyright: ignore[reportAttributeAccessIssue]  -- the document is valid
            name = operation.definition.raw["operationId"]
            if name not in ENDLESS:
                _seed(url)
                found[name] = _send(operation, name, examples, seed)
    return found


def _send(operation: Any, name: str, examples: int, seed: int | None) -> Counter[int]:
    found: Counter[int] = Counter()

    @given(case=operation.as_strategy())
    @settings(**(_OPTIONS | {"max_examples": examples, "derandomize": seed is None}))
    def send(case: Any) -> None:
        if found.total() % 2 == 0:
            _make_likely(case, name)
        if case.path.endswith("/idle"):
            case.query = {"timeout": "0"}
        response = case.call(timeout=60)
        found[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    (send if seed is None else hypothesis.seed(seed)(send))()
    return found


def _make_likely(case: Any, name: str) -> None:
    """Give a request ids that exist, and a body that can be answered."""
    case.path_parameters = {key: KNOWN.get(key, value) for key, value in case.path_parameters.items()}
    if name in BODIES:
        delivery = {key: value for key, value in case.body.items() if key in ("stream", "stream_options")}
        case.body = delivery | BODIES[name]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, any_server(Path(folder)) as url:
        number = int(sys.argv[2]) if len(sys.argv) > 2 else None
        for name, counts in statuses(url, int(sys.argv[1]), number).items():
            print(f"{name}: {dict(counts)}")
