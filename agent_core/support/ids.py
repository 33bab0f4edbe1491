"""Make identifiers that sort by creation time.

The layout is that of ULID (https://github.com/ulid/spec): 48 bits of milliseconds and 80 bits of
randomness in Crockford's base 32. Within one millisecond of one process the random part counts up,
so ids made in sequence always sort in sequence. They are names, not secrets: the random part keeps
processes apart (Python seeds its generator anew after a fork) and costs no system call.
"""

from __future__ import annotations

import random
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """Return `prefix` + "_" + 26 characters, greater than every id this process made before."""
    global _last
    value = (time.time_ns() // 1_000_000) << 80 | random.getrandbits(79)
    with _lock:
        # A clock that stops or steps back must not reorder ids.
        _last = value = value if value >> 80 > _last >> 80 else _last + 1
    return f"{prefix}_{_encode(value)}"


def _encode(value: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
