"""Rows of MCP servers: functions of a database session."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func
from sqlmodel import Session, col, select

from agent_core.errors import ValidationError
from agent_core.sentences import compose
from agent_core.support.ids import new_id
from chat_app.database.tables import McpServerRow
from chat_app.mcp_servers.grants import forget_server
from chat_app.server.setting_values import is_http_url

APPROVALS = ("always", "hints")
"""Choices of the calls that wait for a person: all, or those that the server calls destructive."""
ACCESSES = ("shared", "personal")
"""Whether the headers are everybody's, or each person signs in at the server."""
MAX_SERVERS = 50
_MAX_URL = 2_000  # characters
_MAX_HEADERS = 20
_MAX_VALUE = 4_000  # characters of a header's value
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110, section 5.6.2
_VALUE = re.compile(rf"[\x21-\x7e]([\x20-\x7e]{{0,{_MAX_VALUE - 2}}}[\x21-\x7e])?")
_OWN_HEADERS = (
    "accept",
    "connection",
    "content-",
    "host",
    "mcp-",
    "proxy-",
    "te",
    "trailer",
    "transfer-",
    "upgrade",
)
"""Beginnings of the headers that the connection itself has."""


def add_server(
    session: Session,
    name: str,
    url: str,
    headers: Mapping[str, str],
    approval: str,
    now: float,
    taken: Sequence[str] = (),
    access: str = "shared",
) -> McpServerRow:
    """Add a server, which is switched on.

    Args:
        session: a session of the database.
        name: its name, which is the prefix of its tools, too.
        url: its address.
        headers: what each request has; the values may be secret.
        approval: one of `APPROVALS`.
        now: seconds since the epoch.
        taken: names of servers that were registered otherwise.
        access: one of `ACCESSES`; one that is personal has no headers.

    Raises:
        ValidationError: an argument is invalid, the name is taken, or there are too many servers. Values are not shown,
            as they may be secret.
    """
    name, url = name.strip(), url.strip()
    given = {header.strip(): value.strip() for header, value in headers.items()}
    _check(name, url, given, approval)
    if access not in ACCESSES or (access == "personal" and given):
        raise ValidationError(f"The access must be one of: {', '.join(ACCESSES)}; the second has no headers.")
    if name in taken or find_server(session, name) is not None:
        raise ValidationError(compose("mcp_name_taken", "There is a server named {name} already.", name=name))
    if session.exec(select(func.count()).select_from(McpServerRow)).one() >= MAX_SERVERS:
        raise ValidationError(
            compose(
                "mcp_server_limit", "There are {most} servers already; remove one first.", most=MAX_SERVERS
            )
        )
    row = McpServerRow(
        id=new_id("mcp"),
        name=name,
        url=url,
        headers=json.dumps(given),
        approval=approval,
        created_at=now,
        access=access,
    )
    session.add(row)
    return row


def list_servers(session: Session) -> Sequence[McpServerRow]:
    """Return all servers, by name."""
    return session.exec(select(McpServerRow).order_by(col(McpServerRow.name))).all()


def find_server(session: Session, name: str) -> McpServerRow | None:
    """Return the server with a name."""
    return session.exec(select(McpServerRow).where(McpServerRow.name == name)).first()


def set_enabled(session: Session, server_id: str, enabled: bool) -> None:
    """Switch a server on or off; one that was removed meanwhile stays removed."""
    row = session.get(McpServerRow, server_id)
    if row is not None:
        row.enabled = enabled
        session.add(row)


def remove_server(session: Session, server_id: str) -> None:
    """Remove a server with its headers and everybody's grants; one that was removed meanwhile stays removed."""
    row = session.get(McpServerRow, server_id)
    if row is not None:
        forget_server(session, server_id)
        session.delete(row)


def set_tools(session: Session, server_id: str, tools: list[dict[str, Any]]) -> None:
    """Keep the tools of a server at which people sign in."""
    row = session.get(McpServerRow, server_id)
    if row is not None:
        row.tools = json.dumps(tools)
        session.add(row)


def tools_of(row: McpServerRow) -> list[dict[str, Any]]:
    """Return the tools of a server at which people sign in, as they were listed last."""
    return json.loads(row.tools or "[]")


def headers_of(row: McpServerRow) -> dict[str, str]:
    """Return the headers of a server's requests."""
    return json.loads(row.headers)


def _check(name: str, url: str, headers: Mapping[str, str], approval: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValidationError(
            compose("mcp_name_invalid", "A name has 1 to 30 small letters, digits and hyphens, such as shop.")
        )
    if not is_server_url(url):
        raise ValidationError(
            compose(
                "mcp_url_invalid",
                "The address must begin with https:// or http:// and have no user, password or fragment, as in "
                "https://shop.example.org/mcp.",
            )
        )
    if approval not in APPROVALS:
        raise ValidationError(f"The approval must be one of: {', '.join(APPROVALS)}.")
    if len(headers) > _MAX_HEADERS or len({each.lower() for each in headers}) != len(headers):
        raise ValidationError(
            compose("mcp_header_limit", "Enter at most {most} headers, and each one once.", most=_MAX_HEADERS)
        )
    for header, value in headers.items():
        if not _HEADER.fullmatch(header) or header.lower().startswith(_OWN_HEADERS):
            raise ValidationError(
                compose(
                    "mcp_header_invalid",
                    "The header '{header}' cannot be sent; choose another one, such as Authorization.",
                    header=header[:60],
                )
            )
        if not _VALUE.fullmatch(value):
            raise ValidationError(
                compose(
                    "mcp_value_invalid",
                    "The value of the header {header} must be 1 to {most} characters of ASCII in one line.",
                    header=header,
                    most=_MAX_VALUE,
                )
            )


def is_server_url(url: str) -> bool:
    """Return whether a text is the URL of a server over HTTP, without a person or a fragment."""
    is_plain = url.isascii() and "\\" not in url and len(url) <= _MAX_URL
    return is_plain and is_http_url(url) and "@" not in urlsplit(url).netloc


def shown_url(url: str) -> str:
    """Return a URL without its query, which may contain a key."""
    before, mark, _ = url.partition("?")
    return f"{before}?…" if mark else before
