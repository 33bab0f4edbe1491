"""Run light work for an hour and print what the server accumulated: `make soak MINUTES=60`."""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
import tempfile
from pathlib import Path

from tests.soak.soak import Soak


def main() -> int:
    """Run the soak; return 1 unless usage was steady."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=5, help="turns per second")
    parser.add_argument("--limit", type=float, default=6, help="MB an hour that a process may grow")
    parser.add_argument("--url", help="the database; a new SQLite file by default")
    given = parser.parse_args()
    seconds = given.minutes * 60
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'agents.db'}"
        every = min(60.0, seconds / 6)
        say = functools.partial(print, flush=True)
        verdict = asyncio.run(Soak(url, seconds, every, given.rate, given.limit, say).run())
    print(verdict.table())
    return 1 if verdict.complaints() else 0


if __name__ == "__main__":
    sys.exit(main())
