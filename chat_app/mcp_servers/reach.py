"""Check the IP addresses of MCP servers that administrators enter; decision 0037 says why."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

MayReach = Callable[[IPv4Address | IPv6Address], bool]
_CLOUD = frozenset(map(ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254")))
"""Services of clouds that hand a machine its credentials; most others are link-local."""


def may_reach_any(address: IPv4Address | IPv6Address) -> bool:
    """Return whether the app may connect to an address, of this machine and its networks, too."""
    return not _is_never(address)


def may_reach_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether the app may connect to an address of the public internet."""
    return address.is_global and not _is_never(address)


def may_reach_none(address: IPv4Address | IPv6Address) -> bool:
    """Return that the app may not connect to an address, as the form is off."""
    return False


def _is_never(address: IPv4Address | IPv6Address) -> bool:
    is_special = address.is_link_local or address.is_multicast or address.is_unspecified
    return is_special or address in _CLOUD
