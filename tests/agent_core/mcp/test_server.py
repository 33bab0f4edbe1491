"""MCP tools in agents, against servers built with MCP's own library and one built without it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, McpServer, action_tool, mcp_tools
from agent_core.errors import ToolServerError, ValidationError
from agent_core.testing import ScriptedModel, ToolUse, eventually
from tests.support.agents import Follower, agent_on, finished, texts, tool_parts
from tests.support.browser.server import free_port_pair
from tests.support.mcp.calls import LEGACY, call, command, noted, tool


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[[str], tuple[str, Path]]]:
    """Return a function that starts the server once for each way over HTTP, and returns its URL and its log."""
    found: dict[str, tuple[str, Path]] = {}
    with contextlib.ExitStack() as stack:

        def start(way: str) -> tuple[str, Path]:
            if way not in found:
                log, port = tmp_path_factory.mktemp("served") / "log", free_port_pair()
                env = {"http json": {"JSON": "1"}, "http with sessions": {"OLD": "1"}}.get(way, {})
                child = subprocess.Popen(command(log, str(port)), env=os.environ | env)
                stack.callback(child.wait)
                stack.callback(child.kill)
                found[way] = f"http://127.0.0.1:{port}/mcp", log
            return found[way]

        yield start


@pytest.fixture(params=["stdio", "http", "http json", "http with sessions"])
async def server(
    request: pytest.FixtureRequest, log: Path, served: Callable[[str], tuple[str, Path]]
) -> AsyncGenerator[McpServer]:
    """Connect to the same server over each transport; over HTTP, it serves the tests of a way one by one."""
    source: Any = command(log)
    if request.param != "stdio":
        source, place = served(request.param)
        log.symlink_to(place)
    async with mcp_tools(source) as mounted:
        yield mounted


def over(*ways: str) -> pytest.MarkDecorator:
    """Limit a test to the given transports."""
    return pytest.mark.parametrize("server", ways, indirect=True)


@action_tool
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


async def test_an_agent_uses_mcp_tools_beside_its_own(server: McpServer, tmp_path: Path):
    turns = [
        [
            ToolUse("add", {"a": 40}),
            ToolUse("echo", {"text": "héllo ☃ \u2028"}),
            ToolUse("shout", {"text": "x"}),
        ],
        [ToolUse("fail", {"words": "no such city: Röm"}), ToolUse("add", {"a": "forty"})],
        ["Done."],
    ]
    model = ScriptedModel(turns)
    async with agent_on(tmp_path / "db", model, tools=[*server.tools, shout]) as api:
        thread = await api.create_thread("Go")
        await finished(api, thread)
        parts = await tool_parts(api, thread)
        assert await texts(api, thread) == ["Go", "Done."]
    assert [part.get("output") for part in parts[:3]] == [{"result": 42}, {"result": "héllo ☃ \u2028"}, "X"]
    assert parts[3]["errorText"] == "no such city: Röm"
    assert parts[4]["errorText"].startswith("The arguments for add are not acceptable: a: 'forty' is not of")
    told = [message["content"] for message in model.requests[-1] if message["role"] == "tool"]
    assert json.loads(told[0]) == {"result": 42}
    assert (server.status, server.error, server.instructions) == ("connected", None, "Be kind.")


@over("stdio", "http")
async def test_one_connection_serves_many_calls_at_once(server: McpServer, tmp_path: Path):
    uses = [ToolUse("send", {"to": f"{n}", "seconds": 0.3}) for n in range(20)]
    async with agent_on(tmp_path / "db", [uses, ["ok"]], tools=server.tools) as api:
        thread = await api.create_thread("Go")
        await finished(api, thread)
        outputs = [part["output"] for part in await tool_parts(api, thread)]
    assert outputs == [{"result": f"sent to {n}"} for n in range(20)]


@over("stdio", "http")
async def test_model_is_shown_the_picture_of_a_result(server: McpServer, tmp_path: Path):
    model = ScriptedModel([[ToolUse("show", {"size": 9_000})], ["I see."]])
    async with agent_on(tmp_path / "db", model, tools=server.tools) as api:
        thread = await finished(api, await api.create_thread("Go"))
        (part,) = await tool_parts(api, thread)
        assert len(str(part["output"])) < 1_000
    text, picture = model.requests[1][-1]["content"]
    assert picture["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(b'x' * 9_000).decode()}"
    assert "Look:" in text["text"]


@over("stdio", "http")
async def test_results_become_json(server: McpServer, tmp_path: Path):
    shown = await call(server, "show", size=90)
    assert [block["type"] for block in shown] == ["text", "image", "resource", "resource", "resource_link"]
    assert len(base64.b64decode(shown[1]["data"])) == 90
    assert shown[2] == {"type": "resource", "uri": "file:///a.txt", "text": "héllo"}
    assert await call(server, "nothing") is None
    turns = [[ToolUse("long", {"size": 2_000_000})], ["ok"]]
    async with agent_on(tmp_path / "db", turns, tools=server.tools) as api:
        thread = await api.create_thread("Go")
        await finished(api, thread)
        (part,) = await tool_parts(api, thread)
    assert "the limit is 1,048,576" in part["errorText"]


@over("stdio")
async def test_names_that_providers_refuse_are_mapped(server: McpServer):
    names = {tool.name: tool for tool in server.tools}
    first, second = (name for name in names if name.startswith("files_read____n_"))
    (long,) = (name for name in names if name.startswith("nnn"))
    assert len(long) == 64
    assert (await call(server, first), await call(server, second)) == (
        {"result": "read"},
        {"result": "read too"},
    )
    Agent("a", ScriptedModel([]), tools=server.tools)


@over("stdio", "http", "http with sessions")
async def test_progress_is_shown_and_stop_reaches_the_server(server: McpServer, tmp_path: Path, log: Path):
    turns = [[ToolUse("send", {"to": "rome", "seconds": 30}, id="s")]]
    async with agent_on(tmp_path / "db", turns, tools=server.tools) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: "step" in json.dumps(view.progress.get("s")), 30)
        await api.stop_thread(thread.id)
        await eventually(lambda: noted(log, "cancelled rome"))
        (part,) = await tool_parts(api, thread)
    assert part["state"] == "output-error"
    assert not noted(log, "sent rome")


async def test_a_timeout_ends_the_call_at_the_server(log: Path, tmp_path: Path):
    limits = {"send": {"timeout": 1.5}}
    async with mcp_tools(command(log), overrides=limits, only=["send"]) as server:  # type: ignore[arg-type]
        turns = [[ToolUse("send", {"to": "rome", "seconds": 30})], ["ok"]]
        async with agent_on(tmp_path / "db", turns, tools=server.tools) as api:
            thread = await api.create_thread("Go")
            await finished(api, thread)
            (part,) = await tool_parts(api, thread)
        assert part["errorText"] == "The tool send did not answer within 1.5 s."
        await eventually(lambda: noted(log, "cancelled rome"))


async def test_a_destructive_tool_waits_for_a_person(log: Path, tmp_path: Path):
    async with mcp_tools(command(log)) as server:
        turns = [[ToolUse("wipe", {"what": "disk"}, id="w")], ["ok"]]
        async with agent_on(tmp_path / "db", turns, tools=server.tools) as api:
            thread = await api.create_thread("Go")
            await eventually(lambda: _state(api, thread, "approval-requested"))
            assert not noted(log, "wiped disk")
            with pytest.raises(ValidationError, match="what"):
                await api.approve_tool_calls(thread.id, ["w"], args={"w": {"what": 1}})
            await api.approve_tool_calls(thread.id, ["w"], args={"w": {"what": "temp"}})
            await finished(api, thread)
    assert len(noted(log, "wiped temp")) == 1


async def _state(api: Any, thread: Any, state: str) -> bool:
    return [part["state"] for part in await tool_parts(api, thread)] == [state]


@over("stdio", "http")
async def test_new_tools_are_seen_by_agent_factories(server: McpServer, tmp_path: Path):
    before = server.tools
    model = ScriptedModel([[ToolUse("newcomer")], ["ok"]])
    async with agent_on(tmp_path / "db", model) as api:
        make = Agent.factory(lambda ctx, thread_id: Agent("assistant", model, tools=server.tools))
        api.store.agents.add(make, replace=True)
        await call(server, "grow")
        await eventually(lambda: any(tool.name == "newcomer" for tool in server.tools))
        assert server.tools is not before
        thread = await api.create_thread("Go")
        await finished(api, thread)
        (part,) = await tool_parts(api, thread)
    assert "new" in json.dumps(part["output"])


async def test_an_older_server_with_bad_tools(caplog: pytest.LogCaptureFixture):
    async with mcp_tools([sys.executable, str(LEGACY), "change"], prefix="old") as server:
        assert [tool.name for tool in server.tools] == ["old_good", "old_slow"]
        assert server.skipped.keys() == {"no type", "no list", "abroad", "nowhere"}
        assert tool(server, "old_good").description == ""
        assert await call(server, "old_good", a=1) == '{"a": 1}'
        assert await call(server, "old_slow", a="a" * 40 + "!") == json.dumps({"a": "a" * 40 + "!"})
        await eventually(lambda: [tool.name for tool in server.tools] == ["old_good", "old_fresh"])
    assert "left out" in caplog.text


async def test_only_and_overrides_name_tools_that_are_there(log: Path):
    with pytest.raises(ValidationError, match=r"no tool 'wpie'; it has: add, "):
        async with mcp_tools(command(log), overrides={"wpie": {"needs_approval": True}}):
            raise AssertionError("entered")
    with pytest.raises(ValidationError, match="no tool 'ad'"):
        async with mcp_tools(command(log), only=["ad"]):
            raise AssertionError("entered")


async def test_a_child_gets_what_it_is_given_and_no_keys(log: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    async with mcp_tools(command(log), env={"GIVEN": "ö"}, only=["look"]) as server:
        seen = await call(server, "look")
        assert (seen["secret"], seen["given"]) == (None, "ö")
        assert [tool.name for tool in server.tools] == ["look"]
    with pytest.raises(ToolServerError, match="is disconnected"):
        await call(server, "look")
    assert server.status == "closed"
    with pytest.raises(ValidationError, match="entered before"):
        await server.__aenter__()


def test_nothing_is_imported_before_a_server_is_entered():
    program = (
        "import sys, agent_core; agent_core.mcp_tools('x'); assert not {'mcp', 'jsonschema'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
