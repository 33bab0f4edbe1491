"""Run the whole matrix of every client: python -m tests.providers.clients [CLIENT …]."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.providers.clients.cells import every_cell
from tests.providers.clients.pages import pages, serving
from tests.providers.clients.person import all_of, answered, killed, people
from tests.providers.installed import CLIENTS


async def main(clients: list[str]) -> int:
    """Run every cell; print the number of cells of each client, and the failures.

    Returns:
        the number of groups of cells that failed.
    """
    wrong = 0
    for client in clients:
        with tempfile.TemporaryDirectory() as folder:
            async with serving(Path(folder)) as server, pages() as opened:
                for kills in (False, True):
                    cells = [cell for cell in every_cell(client) if (cell.action == "kill") == kills]
                    going, begun = people(server, opened, client, cells), time.monotonic()
                    try:
                        await (killed(server, going) if kills else all_of(going, *answered))
                        words = "all as kept"
                    except AssertionError as error:
                        wrong, words = wrong + 1, str(error)
                    seconds = time.monotonic() - begun
                    _say(
                        f"{client}, server {'killed' if kills else 'up'}: {len(cells)} cells, {seconds:.0f} s: {words}"
                    )
    return wrong


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:] or list(CLIENTS))))
