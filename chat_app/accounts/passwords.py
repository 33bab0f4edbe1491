"""Passwords: their rules, and their hashes by argon2, a few at a time."""

from __future__ import annotations

import asyncio
import functools

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from agent_core.errors import ValidationError

MIN_LENGTH = 10  # characters
MAX_LENGTH = 1000  # characters; a person's password manager writes fewer, and hashing takes time
_MAX_AT_ONCE = 2  # hashes in one process; each takes 64 MiB and a core
_HASHES = PasswordHash((Argon2Hasher(),))


@functools.cache
def _nobodys() -> str:
    """Return a hash that no password has, to be compared for unknown names: both answers take the same time."""
    return _HASHES.hash("\0")


def check_password(password: str) -> None:
    """Check that a password may be chosen.

    Raises:
        ValidationError: it is too short or too long.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ValidationError(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")


class Passwords:
    """Hashes passwords and compares them, outside of the event loop."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_MAX_AT_ONCE)

    async def hashed(self, password: str) -> str:
        """Return the hash of a new password.

        Raises:
            ValidationError: see `check_password`.
        """
        check_password(password)
        async with self._turns:
            return await asyncio.to_thread(_HASHES.hash, password)

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Return whether a password has a hash; without a hash, after as long a time, False."""
        if len(password) > MAX_LENGTH:
            password = "\0too long"
        async with self._turns:
            same = await asyncio.to_thread(_HASHES.verify, password, stored or _nobodys())
        return same and stored is not None
