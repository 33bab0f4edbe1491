"""Failures of MCP tools: a server that dies mid-call, its host, its start, this process, and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp.client import stdio

from agent_core import mcp_tools
from agent_core.domain.end_reasons import IN_DOUBT
from agent_core.errors import ToolServerError
from agent_core.mcp import tools
from agent_core.testing import ToolUse, eventually
from tests.support.agents import agent_on, finished, tool_parts
from tests.support.browser.server import free_port_pair
from tests.support.mcp.calls import SERVER, call, command, http_server, kill, noted

DOUBT = "The tool may or may not have taken effect"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the library's two seconds per signal for a child that does not exit."""
    for name in ("PROCESS_TERMINATION_TIMEOUT", "FORCE_KILL_TIMEOUT"):
        monkeypatch.setattr(stdio, name, 0.3)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def uses(name: str, seconds: float = 30) -> Any:
    return [[ToolUse(name, {"to": "rome", "seconds": seconds})], ["ok"]]


async def outcome_of(api: Any, thread: Any) -> dict[str, Any]:
    await finished(api, thread, 30)
    (part,) = await tool_parts(api, thread)
    return part


@pytest.mark.parametrize("way", ["stdio", "http", "http with sessions"])
async def test_a_call_whose_server_was_killed_is_not_made_again(way: str, log: Path, tmp_path: Path):
    async with contextlib.AsyncExitStack() as stack:
        source: Any = command(log)
        if way != "stdio":
            port = free_port_pair()
            old = {"OLD": "1"} if way == "http with sessions" else {}
            await stack.enter_async_context(http_server(log, port, **old))
            source = f"http://127.0.0.1:{port}/mcp"
        server = await stack.enter_async_context(mcp_tools(source))
        api = await stack.enter_async_context(agent_on(tmp_path / "db", uses("send"), tools=server.tools))
        thread = await api.create_thread("Go")
        (pid,) = await eventually(lambda: noted(log, "begun rome"))
        kill(pid)
        part = await outcome_of(api, thread)
        assert DOUBT in part["errorText"]
        assert "lost in the middle of a call" in part["errorText"]
        await eventually(lambda: server.status == "down")
        assert server.error
        assert len(noted(log, "begun rome")) == 1


async def test_repeatable_call_is_made_again_at_the_next_server(log: Path, tmp_path: Path):
    async with (
        mcp_tools(command(log)) as server,
        agent_on(tmp_path / "db", uses("put"), tools=server.tools) as api,
    ):
        thread = await api.create_thread("Go")
        (pid,) = await eventually(lambda: noted(log, "begun rome"))
        kill(pid)
        part = await outcome_of(api, thread)
        assert part["output"] == {"result": "sent to rome"}
        assert len(set(noted(log, "begun rome"))) == 2
        assert (server.status, server.error) == ("connected", None)


async def test_a_server_that_died_between_calls_is_started_for_the_next(log: Path):
    async with mcp_tools(command(log)) as server:
        (first,) = noted(log, "started")
        kill(first)
        await eventually(lambda: server.status == "down")
        await eventually(lambda: "closed the connection; the next call" in str(server.error))
        assert await asyncio.gather(*(call(server, "add", a=n) for n in range(5))) == [
            {"result": n + 2} for n in range(5)
        ]
        assert len(noted(log, "started")) == 2  # one restart for all five calls


@pytest.mark.parametrize("env", [{}, {"OLD": "1"}], ids=["now", "with sessions"])
async def test_an_http_server_that_restarts_is_found_again(
    env: dict[str, str], log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    policy = tools._policy  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(
        tools, "_policy", lambda rerun: replace(policy(rerun), max_attempts=60, max_delay=1.0)
    )
    port = free_port_pair()
    async with contextlib.AsyncExitStack() as stack:
        async with http_server(log, port, **env):
            server = await stack.enter_async_context(mcp_tools(f"http://127.0.0.1:{port}/mcp"))
            assert await call(server, "add", a=1) == {"result": 3}
        with pytest.raises(ToolServerError, match="The tool did not run") as caught:
            await call(server, "send", to="rome", seconds=0)
        assert caught.value.kind == "unreachable"
        assert server.status == "down"
        # Even a tool that must not be repeated is called again, because its call was never sent.
        api = await stack.enter_async_context(agent_on(tmp_path / "db", uses("send", 0), tools=server.tools))
        thread = await api.create_thread("Go")
        async with http_server(log, port, **env):
            part = await outcome_of(api, thread)
            assert part["output"] == {"result": "sent to rome"}
            assert (server.status, server.error) == ("connected", None)
            await server.close()
    assert len(noted(log, "sent rome")) == 1


async def killed_in_mid_call(name: str, log: Path, path: Path) -> None:
    """Run an agent in a child process, and kill the child while the server works on its call."""
    arguments = ["-c", AGENT, str(path), name, *command(log)]
    env = os.environ | {"PYTHONPATH": str(SERVER.parents[3])}
    child = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=env)
    await eventually(lambda: noted(log, "begun rome"), 30)
    child.kill()
    await child.wait()


async def test_call_is_in_doubt_after_the_process_died(log: Path, tmp_path: Path):
    path = tmp_path / "db"
    await killed_in_mid_call("send", log, path)
    async with mcp_tools(command(log)) as server, agent_on(path, [["ok"]], tools=server.tools) as api:
        (thread,) = await api.list_threads()
        part = await outcome_of(api, thread)
    assert part["errorText"] == IN_DOUBT.text
    assert len(noted(log, "begun rome")) == 1


async def test_repeatable_call_runs_again_after_the_process_died(log: Path, tmp_path: Path):
    path = tmp_path / "db"
    await killed_in_mid_call("put", log, path)
    async with mcp_tools(command(log)) as server, agent_on(path, [["ok"]], tools=server.tools) as api:
        (thread,) = await api.list_threads()
        part = await outcome_of(api, thread)
    assert part["output"] == {"result": "sent to rome"}
    assert len(noted(log, "begun rome")) == 2


async def test_a_call_in_doubt_stays_so_when_its_server_is_gone(log: Path, tmp_path: Path):
    path = tmp_path / "db"
    await killed_in_mid_call("put", log, path)
    gone = mcp_tools(["/no/such/server"], required=False)
    async with gone as server, agent_on(path, [["ok"]], tools=server.tools) as api:
        (thread,) = await api.list_threads()
        part = await outcome_of(api, thread)
    assert part["errorText"] == IN_DOUBT.text


AGENT = """
import asyncio, sys
from pathlib import Path
from agent_core import mcp_tools
from agent_core.testing import ToolUse
from tests.support.agents import agent_on

async def main(path, name, *command):
    turns = [[ToolUse(name, {"to": "rome", "seconds": 30})]]
    async with mcp_tools(command) as server, agent_on(Path(path), turns, tools=server.tools) as api:
        await api.create_thread("Go")
        await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_required_server_that_cannot_start_says_why(log: Path):
    with pytest.raises(ToolServerError, match=r"cannot be started: .*no/such/server"):
        await mcp_tools(["/no/such/server"]).__aenter__()
    with pytest.raises(ToolServerError, match="the disk is on fire"):
        await mcp_tools(command(log), env={"BROKEN": "1"}).__aenter__()
    port = free_port_pair()
    began = time.monotonic()
    with pytest.raises(ToolServerError, match=f"127.0.0.1:{port} cannot be used"):
        await mcp_tools(f"http://127.0.0.1:{port}/mcp", start_timeout=0.5).__aenter__()
    assert time.monotonic() - began < 20


async def test_a_slow_start_is_waited_for_but_not_for_ever(log: Path):
    async with mcp_tools(command(log), env={"SLOW_START": "0.7"}) as server:
        assert await call(server, "add", a=1) == {"result": 3}
    silent = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(ToolServerError, match=r"did not start within 0\.5 s"):
        await mcp_tools(silent, start_timeout=0.5).__aenter__()


async def test_optional_server_may_come_later(log: Path):
    port = free_port_pair()
    async with mcp_tools(f"http://127.0.0.1:{port}/mcp", required=False, start_timeout=0.3) as server:
        assert (server.tools, server.status) == ([], "down")
        async with http_server(log, port):
            await eventually(lambda: server.tools)
            assert await call(server, "add", a=1) == {"result": 3}
            assert server.status == "connected"


async def test_leaving_ends_calls_and_never_hangs(log: Path, tmp_path: Path):
    stubborn = tmp_path / "stubborn.py"
    source = SERVER.read_text(encoding="utf-8")
    stubborn.write_text(source.replace('note("started")', STUBBORN) + "    time.sleep(99)\n")
    async with mcp_tools([sys.executable, str(stubborn), str(log)]) as server:
        pending = asyncio.create_task(call(server, "send", to="rome", seconds=30))
        await eventually(lambda: noted(log, "begun rome"))
    with pytest.raises(ToolServerError, match="lost in the middle") as caught:
        await pending
    assert caught.value.kind == "lost"
    (pid,) = noted(log, "started")
    await eventually(lambda: _is_gone(pid))
    with pytest.raises(ToolServerError, match="is disconnected"):
        await call(server, "add", a=1)


STUBBORN = """note("started")
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)"""


async def test_a_server_that_hangs_costs_its_call_only(log: Path):
    async with mcp_tools(command(log), overrides={"add": {"timeout": 0.5}}) as server:
        (pid,) = noted(log, "started")
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(TimeoutError, match="did not answer"):
            await call(server, "add", a=1)
    await eventually(lambda: _is_gone(pid))


def _is_gone(pid: int) -> bool:
    """Return whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_leaving_while_a_server_is_being_connected_ends_at_once():
    silent = [sys.executable, "-c", "import time; time.sleep(60)"]
    entering = asyncio.create_task(mcp_tools(silent).__aenter__())
    await asyncio.sleep(0.2)
    entering.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert time.monotonic() - began < 15


async def test_a_malformed_answer_fails_only_its_own_call(log: Path):
    """The older server answers a call of an unknown tool with nonsense."""
    legacy = SERVER.with_name("legacy_server.py")
    async with mcp_tools([sys.executable, str(legacy)]) as server:
        with pytest.raises(ToolServerError, match=f"is malformed.*{DOUBT}"):
            await server._call("gone", {}, _context())  # pyright: ignore[reportPrivateUsage]
        assert await call(server, "good", a=1) == '{"a": 1}'


def _context() -> Any:
    from agent_core import ToolContext

    return ToolContext("t", "c", "gone")
