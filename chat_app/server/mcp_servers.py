"""MCP servers of the app's own agent, from the JSON file that CHAT_MCP_SERVERS names.

The format is the one of other MCP clients: `{"mcpServers": {"shop": {"command": "npx", "args": ["-y", "@shop/mcp"]}}}`,
or `{"url": "https://…", "headers": {…}}` in place of the command. `${NAME}` in one of these values is that
environment variable.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from agent_core import McpServer, mcp_tools
from agent_core.errors import ValidationError, words_of
from agent_core.support.argument_checks import did_you_mean
from chat_app.extensions import register_mcp

_OPTIONS = (
    "prefix",
    "only",
    "overrides",
    "timeout",
    "start_timeout",
    "trust_hints",
    "required",
    "env",
    "cwd",
    "headers",
)
"""Arguments of `mcp_tools` that a server may have."""
_KEYS = ("command", "args", "url", "type", "disabled", *_OPTIONS)
_TYPES = ("stdio", "http", "streamable-http")
_FILLED = ("command", "args", "url", "env", "headers")
"""Keys whose values may be secret; errors of `mcp_tools` show the values of others."""
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def register_servers(path: Path | None) -> None:
    """Register the servers of a file with the app; do nothing without a file.

    Raises:
        ValidationError: see `read_servers`.
    """
    for server in read_servers(path, os.environ):
        register_mcp(server)


def read_servers(path: Path | None, environment: Mapping[str, str]) -> list[McpServer]:
    """Return the servers of a file, in its order; nothing is started or connected.

    A server that cannot be reached keeps nothing from starting, and its tools have its name as a prefix, unless the
    file says otherwise.

    Args:
        path: the JSON file; None for no servers.
        environment: the variables that `${NAME}` stands for.

    Raises:
        ValidationError: the file cannot be read, or a server in it is invalid; values are not shown, as they may be secret.
    """
    if path is None:
        return []
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValidationError(f"CHAT_MCP_SERVERS: {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ValidationError(f"CHAT_MCP_SERVERS: {path} is not JSON: {error}.") from None
    servers = document.get("mcpServers") if isinstance(document, dict) else None
    if not isinstance(servers, dict) or not all(isinstance(each, dict) for each in servers.values()):
        raise ValidationError(
            f'CHAT_MCP_SERVERS: {path} needs an object of servers by name: {{"mcpServers": {{"shop": {{"url": …}}}}}}.'
        )
    named = cast("dict[str, dict[str, Any]]", servers)
    return [_server(name, given, environment) for name, given in named.items() if not given.get("disabled")]


def _server(name: str, given: dict[str, Any], environment: Mapping[str, str]) -> McpServer:
    try:
        for key in given:
            if key not in _KEYS:
                raise ValidationError(f"there is no {key!r}{did_you_mean(key, _KEYS) or ''}")
        if given.get("type", "http") not in _TYPES:
            raise ValidationError(f"its type must be one of: {', '.join(_TYPES)}.")
        if ("url" in given) == ("command" in given):
            raise ValidationError("it needs either a url or a command.")
        values = given | {key: _filled(given[key], environment) for key in _FILLED if key in given}
        options = {"prefix": name, "required": False} | {
            key: values[key] for key in _OPTIONS if key in values
        }
        return mcp_tools(_address(values), name=name, **options)
    except ValidationError as error:
        raise ValidationError(f"CHAT_MCP_SERVERS: the server {name!r:.60}: {words_of(error)}") from None


def _address(values: dict[str, Any]) -> str | list[str]:
    if "url" in values:
        if not str(values["url"]).lower().startswith(("http://", "https://")):
            raise ValidationError("its url must begin with http:// or https://.")
        return values["url"]
    command, arguments = values["command"], values.get("args", [])
    if not isinstance(command, str) or not isinstance(arguments, list):
        raise ValidationError("its command must be a text, and args a list of texts.")
    if not all(isinstance(each, str) for each in cast("list[Any]", arguments)):
        raise ValidationError("its args must be a list of texts.")
    return [command, *cast("list[str]", arguments)]


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    """Return a JSON value with every `${NAME}` replaced by the variable."""
    if isinstance(value, dict):
        return {key: _filled(each, environment) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_filled(each, environment) for each in cast("list[Any]", value)]
    return (
        _VARIABLE.sub(lambda found: _variable(found[1], environment), value)
        if isinstance(value, str)
        else value
    )


def _variable(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        raise ValidationError(f"the variable {name} is not set.")
    return environment[name]
