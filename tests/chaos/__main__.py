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
from tests.chaos.hosts.hosts import Hosts
from tests.tools.postgresql import PostgreSQL


def main() -> int:
    """Run the harness; return 1 if anything was lost, doubled or stuck."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="?", choices=["stories", "hosts"], default="stories")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--pauses", type=float, default=0.1, help="share of SIGSTOP/SIGCONT")
    parser.add_argument(
        "--poisons", type=int, default=3, help="turns that end their process, among the others"
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    hosts = parser.add_argument_group("hosts", "workers without a common folder, on PostgreSQL")
    hosts.add_argument("--engine", choices=["builtin", "procrastinate"], default="builtin")
    hosts.add_argument("--threads", type=int, default=200)
    hosts.add_argument("--kill-every", type=float, default=5.0, help="seconds; 0: no kills")
    hosts.add_argument("--seconds", type=float, default=60.0, help="of each part: calm, with kills, calm")
    hosts.add_argument("--pace", type=float, default=0.25, help="seconds of each wait of the model")
    hosts.add_argument("--outages", nargs="*", default=[], help="of the server, one after the other")
    given = parser.parse_args()
    if given.scenario == "hosts":
        with contextlib.closing(PostgreSQL({"fsync": "off", "max_connections": "60"})) as server:
            return _run_hosts(given, server)
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
    return _judge(harness)


def _run_hosts(given: argparse.Namespace, server: PostgreSQL) -> int:
    harness = Hosts(
        Path(tempfile.mkdtemp(prefix="chaos-")),
        workers=given.workers,
        seed=given.seed,
        poisons=given.poisons,
        patience=300.0,
        alive=given.threads,
        server=server,
        engine=given.engine,
        seconds=given.seconds,
        kill_every=given.kill_every,
        outages=given.outages,
        pace=given.pace,
    )
    status = _judge(harness)
    print(*harness.figures, sep="\n")
    return status


def _judge(harness: Harness) -> int:
    verdict, folder = asyncio.run(harness.run()), harness.folder
    print(verdict.table())
    if verdict.clean:
        shutil.rmtree(folder)
    else:
        print(f"The database, the effects and the logs stand in {folder}.")
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
