"""Run the README's first program with a given Python, against a provider on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.docs.test_readme import ANSWERS, readme_program
from tests.providers.loopback import provider


async def check_program(python: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run the program in a folder, and check what it prints and sends; a warning fails it."""
    async with provider(*ANSWERS) as server:
        child = await asyncio.create_subprocess_exec(
            *(*python, "-W", "error", "-c", readme_program()),
            cwd=folder,
            env={**environment, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await child.communicate()
    # A slow machine may log that loading a tokenizer has blocked the loop, so stderr need not be empty.
    assert (out.decode(), child.returncode) == ("It is 21 °C.\n", 0), err.decode()
    assert server.requests[1]["messages"][-1]["content"] == "21 °C in Rome"
