"""Test that the program of docs/how-to/api-keys.md gets an answer from the app with a key."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from chat_app.api.mount import routes
from tests.chat_app.support import Serve
from tests.support.servers.http_server import served

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "api-keys.md"
PROGRAM = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


async def test_program_asks_with_a_key(serve: Serve, tmp_path: Path) -> None:
    (program,) = PROGRAM.findall(PAGE.read_text(encoding="utf-8"))
    (tmp_path / "ask.py").write_text(program)
    async with serve([["21 °C."]]) as shared, served(routes) as client:
        key = (await shared.keys.create("a program", "write", None, None)).secret
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "ask.py", "How warm is it?"),
            cwd=tmp_path,
            env={"AGENTS_URL": str(client.base_url), "AGENTS_KEY": key, "PYTHONIOENCODING": "utf-8"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asking.communicate()
        assert (out.decode(), err.decode(), asking.returncode) == ("21 °C.\n", "", 0)
        (thread,) = await shared.api.list_threads()
        assert thread.title == "How warm is it?"
