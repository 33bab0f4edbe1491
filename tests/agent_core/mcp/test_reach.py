"""Test which IP addresses a server's URL may lead to."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import httpx2
import pytest

from agent_core import mcp_tools
from agent_core.errors import ToolServerError, ValidationError
from agent_core.mcp.reach import ReachTransport, embedded
from tests.agent_core.mcp.test_http import ACCEPTED, gateway


def nowhere(_: object) -> bool:
    return False


async def test_only_allowed_addresses_are_connected_to() -> None:
    asked: list[str] = []

    def may_reach(address: object) -> bool:
        asked.append(str(address))
        return str(address) == "127.0.0.1"

    async with gateway(ACCEPTED) as (url, heads):
        port = url.split(":")[2].split("/")[0]
        async with mcp_tools(f"http://localhost:{port}/mcp", may_reach=may_reach) as server:
            assert [tool.name for tool in server.tools] == ["good"]
        assert "127.0.0.1" in asked
        assert all(f"host: localhost:{port}" in head.lower() for head in heads)
        before = len(heads)
        with pytest.raises(ToolServerError, match=r"connecting to 127\.0\.0\.1 is not allowed"):
            await mcp_tools(url, may_reach=nowhere, start_timeout=0.2).__aenter__()
        assert len(heads) == before, "no byte was sent"


async def test_the_checked_address_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stands for another address at the second look, as in DNS rebinding, is looked up once."""
    loop, looks = asyncio.get_running_loop(), 0

    async def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        nonlocal looks
        looks += 1
        return [(0, 0, 0, "", ("127.0.0.1" if looks == 1 else "127.0.0.66", port))]

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    allowed = [ip_address("127.0.0.1")]
    async with gateway(ACCEPTED) as (url, heads):
        transport = ReachTransport(allowed.__contains__)
        async with httpx2.AsyncClient(transport=transport) as client:
            again = url.replace("127.0.0.1", "rebinding.test")
            assert (await client.get(again)).status_code == 202
            with pytest.raises(httpx2.ConnectError, match="is not allowed"):
                await client.get(again)
        assert len(heads) == 1


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with gateway(ACCEPTED) as (url, _), mcp_tools(url, may_reach=lambda _: True) as server:
        assert server.status == "connected"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("169.254.169.254", "169.254.169.254"),
        ("::ffff:169.254.169.254", "169.254.169.254"),
        ("64:ff9b::a9fe:a9fe", "169.254.169.254"),
        ("2002:a9fe:a9fe::1", "169.254.169.254"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
    ],
)
def test_an_address_of_ipv4_is_known_in_ipv6(text: str, found: str) -> None:
    assert str(embedded(text)) == found


def test_a_command_has_no_address() -> None:
    with pytest.raises(ValidationError, match="may_reach is for a URL"):
        mcp_tools(["python"], may_reach=nowhere)
