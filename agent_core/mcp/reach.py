"""Connect only to IP addresses that the application allows, whatever a server's name resolves to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import httpx2

from agent_core.mcp.address import MayReach

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ReachTransport(httpx2.AsyncHTTPTransport):
    """Transport that resolves a host itself and connects to one of its allowed addresses.

    The address that is checked is the one that is connected to, so a name that resolves differently the next time gets
    nowhere. Proxies of the environment are not used: they would resolve the name again.

    Args:
        may_reach: whether an address may be connected to; one of IPv4 that is written as IPv6 comes as IPv4.
    """

    def __init__(self, may_reach: MayReach) -> None:
        super().__init__(trust_env=False)
        self._may_reach = may_reach

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; its Host header and the name in the server's certificate stay those of its URL.

        Raises:
            httpx2.ConnectError: the host has no address that may be connected to, or none of them answers.
        """
        url = request.url
        host = url.raw_host.decode("ascii")
        request.extensions = {**request.extensions, "sni_hostname": host}
        failure: httpx2.ConnectError | None = None
        for address in await self._allowed(host, url.port):
            request.url = url.copy_with(host=address)
            try:
                return await super().handle_async_request(request)
            except httpx2.ConnectError as error:  # not sent, so the next address may be tried
                failure = error
            finally:
                request.url = url
        raise failure or httpx2.ConnectError(f"connecting to {host} is not allowed", request=request)

    async def _allowed(self, host: str, port: int | None) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpx2.ConnectError(f"{host} has no address: {error.strerror}") from error
        texts = dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)
        return [text for text in texts if self._may_reach(embedded(text))]


def reaching(may_reach: MayReach | None) -> dict[str, Any]:
    """Return the options of an HTTP client that connects only to allowed addresses; with None, to any."""
    return {
        "transport": None if may_reach is None else ReachTransport(may_reach),
        "trust_env": may_reach is None,
    }


def embedded(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address; for one of IPv6 that stands for one of IPv4, the latter."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    nat64 = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    return address.ipv4_mapped or address.sixtofour or nat64 or address
