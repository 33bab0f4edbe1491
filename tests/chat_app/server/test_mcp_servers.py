"""Test MCP servers from a file: what is mounted, and what is refused with a sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ValidationError
from chat_app.server.mcp_servers import read_servers

TINY = Path(__file__).parents[2] / "support" / "mcp" / "server.py"


def written(folder: Path, servers: Any) -> Path:
    path = folder / "servers.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return path


async def test_a_command_is_started_with_its_variables_and_its_tools_have_its_name(tmp_path: Path) -> None:
    command = {"command": sys.executable, "args": [str(TINY), "${LOG_FOLDER}/log"], "only": ["add"]}
    others = {"off": {"command": "nothing", "disabled": True}, "away": {"url": "http://127.0.0.1:9/mcp"}}
    path = written(tmp_path, {"tiny": command} | others)
    tiny, away = read_servers(path, {"LOG_FOLDER": str(tmp_path)})
    async with tiny, away:
        assert ([tool.name for tool in tiny.tools], tiny.status) == (["tiny_add"], "connected")
        assert (away.name, away.tools, away.status) == ("away", [], "down")


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({}, "either a url or a command"),
        ({"url": "http://127.0.0.1:9/mcp", "command": "x"}, "either a url or a command"),
        ({"url": "http://127.0.0.1:9/mcp", "type": "sse"}, "its type must be one of"),
        ({"url": 7}, "must begin with http"),
        ({"url": "ftp://127.0.0.1"}, "must begin with http"),
        ({"url": "http://127.0.0.1:9/mcp", "heders": {}}, "did you mean headers"),
        ({"url": "http://127.0.0.1:9/mcp", "env": {"A": "b"}}, "env and cwd are for a command"),
        (
            {"url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": "Bearer ${NO_TOKEN}"}},
            "NO_TOKEN is not set",
        ),
        ({"url": "http://127.0.0.1:9/mcp", "headers": ["a"]}, "headers"),
        ({"url": "http://127.0.0.1:9/mcp", "timeout": "5"}, "timeout"),
        ({"url": "http://127.0.0.1:9/mcp", "overrides": {"pay": {"aproval": True}}}, "has no aproval"),
        ({"command": 5}, "command must be a text"),
        ({"command": "x", "args": "y"}, "args a list"),
        ({"command": "x", "args": [1]}, "args must be a list of texts"),
        ({"command": ""}, "MCP server is a URL or a command"),
    ],
)
def test_an_invalid_server_is_refused_by_name(tmp_path: Path, server: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as error:
        read_servers(written(tmp_path, {"shop": server}), {})
    assert "CHAT_MCP_SERVERS: the server 'shop': " in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"mcpServers": []}', '{"mcpServers": {"a": 1}}', "[" * 100_000]
)
def test_a_file_without_servers_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "servers.json"
    path.write_text(text)
    with pytest.raises(ValidationError, match="CHAT_MCP_SERVERS: "):
        read_servers(path, {})


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.json"):
        with pytest.raises(ValidationError, match="cannot be read"):
            read_servers(path, {})


def test_no_secret_is_in_a_refusal(tmp_path: Path) -> None:
    server = {
        "url": "http://127.0.0.1:9/mcp",
        "headers": {"Authorization": "${TOKEN}"},
        "timeout": "${TOKEN}",
    }
    with pytest.raises(ValidationError) as error:
        read_servers(written(tmp_path, {"shop": server}), {"TOKEN": "tell-nobody"})
    assert "tell-nobody" not in str(error.value)
