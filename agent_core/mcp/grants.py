"""Define what is kept of a person's sign-in at a server."""

from __future__ import annotations

from typing import Any, Protocol


class GrantStore(Protocol):
    """Storage of one person's grant at one server.

    A grant is plain JSON with the person's tokens, so it is secret. Other processes may renew and end it at any time.
    """

    async def read(self) -> dict[str, Any] | None:
        """Return the grant; None if the person has not signed in."""
        ...

    async def write(self, grant: dict[str, Any]) -> None:
        """Replace the grant."""
        ...

    async def end(self, access_token: str) -> None:
        """Remove the grant if it still has this access token."""
        ...
