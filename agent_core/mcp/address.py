"""Define the address of a tool server: a URL, or a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from agent_core.errors import ValidationError
from agent_core.text.redaction import secret_values

MayReach = Callable[[IPv4Address | IPv6Address], bool]
"""Function from an IP address to whether it may be connected to."""
_FILE = re.compile(r"[\w@./\\:+~-]{1,200}")


@dataclass(frozen=True)
class ServerAddress:
    """Address of a tool server: a URL, or a command.

    Attributes:
        name: name of the server in error messages, without secret parts of its URL.
        url: URL of a streamable HTTP server, or None.
        command: the command to start, if there is no URL.
        headers, env, cwd, may_reach: see `mcp_tools`.
        auth: a `GrantAuth` of the person for whom the server is asked, if people sign in there.
    """

    name: str
    url: str | None
    command: tuple[str, ...]
    headers: dict[str, str] | None
    env: dict[str, str] | None
    cwd: str | None
    may_reach: MayReach | None = None
    auth: Any = None

    @property
    def secrets(self) -> list[str]:
        """Values to hide in error messages: of headers, of the environment, of the URL."""
        parts = urlsplit(self.url or "")
        query = [value for _, value in parse_qsl(parts.query)]
        sent = self.auth.secrets if self.auth else ()
        values = [
            *sent,
            *(self.headers or {}).values(),
            *(parts.username or "", parts.password or ""),
            *query,
        ]
        named = secret_values(self.env or {})
        return [*values, *(value.partition(" ")[2] for value in values), *named]

    @classmethod
    def of(
        cls,
        server: str | Sequence[str | Path],
        name: str | None,
        headers: Mapping[str, str] | None,
        env: Mapping[str, str] | None,
        cwd: str | Path | None,
        may_reach: MayReach | None = None,
    ) -> ServerAddress:
        """Return the address for the arguments of `mcp_tools`.

        Raises:
            ValidationError: neither a URL nor a command is given, or an option for the other kind.
        """
        url = (
            server if isinstance(server, str) and server.lower().startswith(("http://", "https://")) else None
        )
        command = () if url else tuple(shlex.split(server) if isinstance(server, str) else map(str, server))
        if url is None and (not command or not command[0].strip() or "\0" in "".join(command)):
            raise ValidationError("An MCP server is a URL or a command, such as ['python', 'server.py'].")
        if url is None and headers:
            raise ValidationError("headers are for a URL; a command takes env.")
        if url is not None and (env or cwd):
            raise ValidationError("env and cwd are for a command; a URL takes headers.")
        if url is None and may_reach is not None:
            raise ValidationError("may_reach is for a URL; a command is a process of this machine.")
        if url is not None and not urlsplit(url).hostname:
            raise ValidationError("The URL of an MCP server needs a host, as in http://127.0.0.1:8000/mcp.")
        known = name or (urlsplit(url).netloc.rpartition("@")[2] if url else _name(command))
        return cls(
            known,
            url,
            command,
            dict(headers or {}),
            dict(env) if env else None,
            str(cwd) if cwd else None,
            may_reach,
        )


def _name(command: tuple[str, ...]) -> str:
    """Return the script or package of a command: the first argument that looks like one."""
    arguments = (part for part in command[1:] if not part.startswith("-") and _FILE.fullmatch(part))
    return Path(next(arguments, command[0])).name
