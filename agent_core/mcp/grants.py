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
        """Write the grant of a sign-in, in place of an earlier one."""
        ...

    async def end(self, access_token: str) -> None:
        """Remove the grant if it still has this access token."""
        ...

    async def lease(self, access_token: str, seconds: float) -> float | None:
        """Lease the grant for its renewal, so that no other process renews it; the lease ends after some seconds.

        Returns:
            The lease; None if there is another one, or the grant does not have this access token any more.
        """
        ...

    async def release(self, lease: float) -> None:
        """End a lease before its time, if it has not ended."""
        ...

    async def replace(self, access_token: str, grant: dict[str, Any]) -> None:
        """Write a renewed grant in place of the one with an access token, and end the lease; may be repeated.

        If the grant was ended or replaced meanwhile, nobody has a use for the renewed one, which should be revoked.
        """
        ...
