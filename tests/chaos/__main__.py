"""Kill the runtime at random and print the losses: `make chaos KILLS=1000`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.harness import Harness
from tests.tools.postgresql import PostgreSQL


def main() -> int:
    """Run the harness; return 1 if anything was lost, doubled or stuck."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--pauses", type=float, default=0.1, help="share of SIGSTOP/SIGCONT")
    parser.add_argument(
        "--poisons", type=int, default=3, help="turns that end their process, among the others"
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    given = parser.parse_args()
    if given.database == "sqlite":
        return _run(given, None)
    with contextlib.closing(PostgreSQL({"fsync": "off"})) as server:
        return _run(given, server.url())


def _run(given: argparse.Namespace, database: str | None) -> int:
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    alone = given.workers == 1
    pauses = 0 if alone else given.pauses
    harness = Harness(folder, given.kills, given.workers, pauses, alone, seed=given.seed)
    harness.poisons = given.poisons
    harness.database = database
    verdict = asyncio.run(harness.run())
    print(verdict.table())
    if verdict.clean:
        shutil.rmtree(folder)
    else:
        print(f"The database, the effects and the logs stand in {folder}.")
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
