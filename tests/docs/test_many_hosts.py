"""Test that the services of container/compose.yaml run, in its order, on one machine.

Containers and their network are replaced: the hosts of database and Redis, addresses, ports and the model.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import simple_websocket
import yaml
from sqlalchemy import make_url

from agent_core.testing import eventually
from chat_app.model.model_choice import DEMO_MODEL, ModelChoice
from chat_app.server import frontend
from chat_app.server.settings import read_settings
from chat_app.session.app_runtime import app_runtime
from tests.support.browser.server import free_port_pair
from tests.support.docs.doc_pages import ROOT
from tests.support.processes.commands import Command, running
from tests.tools.caddy import NAME, PASSWORD, PASSWORD_HASH, proxying
from tests.tools.postgresql import PostgreSQL

FOLDER = ROOT / "container"
ELSEWHERE = {"0.0.0.0": "127.0.0.1", "9100": "0"}


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of the file, with its variables replaced."""
    variables = {"DATABASE_PASSWORD": "secret", "ADDRESS": "https://agents.example.org", "NAME": NAME}
    variables |= {"OPENAI_API_KEY": "", "CHAT_MODEL": "demo", "PASSWORD_HASH": PASSWORD_HASH}
    text = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    replaced = re.sub(r"\$\{(\w+)(:-?\??\w*)\}", lambda match: variables[match[1]], text)
    return yaml.safe_load(replaced)["services"]


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of built pages, as far as the server needs them: `--build` takes a minute."""
    folder = tmp_path / "web"
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("REFLEX_WEB_WORKDIR", str(folder))
    for part in (frontend.built_pages(), folder / "backend"):
        part.mkdir(parents=True)
    (frontend.built_pages() / "index.html").write_text("<p>The page.</p>")
    (folder / "backend" / "stateful_pages.json").write_text("[]")
    (folder / "fingerprint").write_text(frontend.fingerprint())
    return folder


@contextmanager
def started(service: dict[str, Any], **changes: str) -> Iterator[Command]:
    """Run the command of a service, after the image's entry point, with its variables."""
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.*)$", (FOLDER / "Dockerfile").read_text(), re.M)
    _, _, *module = json.loads(entrypoint)
    words: list[str] = [*module, *str(service.get("command", "")).split()]
    with running(
        *(ELSEWHERE.get(word, word) for word in words), **service["environment"] | changes
    ) as command:
        yield command


async def test_the_services_of_the_compose_file_run_in_its_order(
    services: dict[str, Any], postgresql: PostgreSQL, redis_url: str, pages: Path, tmp_path: Path
) -> None:
    database, migrate, web, worker = (services[name] for name in ("database", "migrate", "web", "worker"))
    assert migrate["depends_on"] == {"database": {"condition": "service_healthy"}}
    for after in (web, worker):
        assert after["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert after["restart"] == "always"
    url = make_url(web["environment"]["CHAT_DATABASE_URL"])
    named = [database["environment"][f"POSTGRES_{name}"] for name in ("USER", "PASSWORD", "DB")]
    assert [url.host, url.username, url.password, url.database] == ["database", *named]

    postgresql.execute("drop database if exists compose", "create database compose")
    port = free_port_pair()
    changes = {
        "CHAT_DATABASE_URL": postgresql.url("compose"),
        "CHAT_DATA_DIR": str(tmp_path),
        "CHAT_HOST": "127.0.0.1",
        "CHAT_PORT": str(port),
        "CHAT_REDIS_URL": redis_url,
        "CHAT_DEMO_SPEED": "100",
    }
    with started(migrate, **changes) as command:
        assert await command.ended() == 0, command.output
        assert "has this version's schema" in command.output
    with ExitStack() as stack:
        server = stack.enter_context(started(web, **changes, REFLEX_WEB_WORKDIR=str(pages)))
        workers = [stack.enter_context(started(worker, **changes)) for _ in range(2)]
        async with httpx.AsyncClient() as http:
            for host in ("web:3000", "agents.example.org"):
                await _ready(http, f"http://127.0.0.1:{port}/ready", host)
            await asyncio.gather(*(each.says("runs assistant") for each in workers))
            await asyncio.to_thread(_use_through_caddy, port)
            for each in workers:
                address = re.findall(r"(http://\S+)/metrics show this worker", each.output)[0]
                assert "agent_core_takeovers_total 0" in (await http.get(f"{address}/metrics")).text
        await _answers(web["environment"] | changes, {each.pid for each in workers})
        for each in (server, *workers):
            each.send(signal.SIGTERM)
        assert [await each.ended() for each in (server, *workers)] == [0, 0, 0]


def _use_through_caddy(port: int) -> None:
    """Sign in at the proxy, load the page, and open its socket, as a browser does."""
    changes = {
        "web:3000": f"127.0.0.1:{port}",
        "header_up X": "header_up Host agents.example.org\n\t\theader_up X",
    }
    with proxying((FOLDER / "Caddyfile").read_text(encoding="utf-8"), changes) as address:
        assert httpx.get(address).status_code == 401
        forged = {"X-Forwarded-User": "bob"}
        assert httpx.get(f"{address}/api/threads", headers=forged).status_code == 401
        with httpx.Client(base_url=address, auth=(NAME, PASSWORD), headers=forged) as http:
            assert "The page." in http.get("/").text
            created = http.post(
                "/api/threads", json={"title": "Of ann"}, headers={"Content-Type": "application/json"}
            )
            assert created.json()["user_id"] == NAME, "the proxy names the person, whatever the browser says"
        _open_socket(address)


def _open_socket(address: str) -> None:
    token = base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
    url = f"ws{address.removeprefix('http')}/_event/?EIO=4&transport=websocket"
    socket = simple_websocket.Client(url, headers=[(b"Authorization", f"Basic {token}".encode())])
    try:
        assert str(socket.receive(30)).startswith('0{"sid"')
    finally:
        socket.close()


async def _ready(http: httpx.AsyncClient, address: str, host: str) -> None:
    """Wait until a server that is asked under a name is ready."""
    found = ""

    async def ready() -> bool:
        nonlocal found
        try:
            answer = await http.get(address, headers={"Host": host})
        except httpx.TransportError as error:
            found = repr(error)
            return False
        found = answer.text
        return answer.status_code == 200

    try:
        await eventually(ready, 120)
    except AssertionError as error:
        raise AssertionError(found) from error


async def _answers(environment: dict[str, str], workers: set[int]) -> None:
    """Send messages as the server of the pages does; only the workers run them."""
    settings = read_settings(environment)
    offers = [ModelChoice(DEMO_MODEL, "for a test")]
    async with app_runtime(settings, offers, work=settings.work) as (runtime, api):
        assert runtime.worker is None
        threads = [await api.create_thread("Hello") for _ in range(4)]
        found = set[int]()
        for thread in threads:
            assert (await api.wait_until_idle(thread.id, 60)).status == "completed"
            found |= {
                int(str(span.worker).partition("-")[0])
                for span in await api.timeline(thread.id)
                if span.worker
            }
        assert found <= workers
