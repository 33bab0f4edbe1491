"""Test that the ten lines of examples/ run; tests/packaging/ runs the README's, from a wheel."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.providers.loopback import Stream, provider

ROOT = Path(__file__).parents[2]


def event(delta: dict[str, object], finish: str | None = None) -> dict[str, object]:
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "gpt-5-mini",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"location": "Rome"}'},
}
ANSWERS = [
    Stream([event({"role": "assistant", "tool_calls": [CALL]}), event({}, "tool_calls")]),
    Stream([event({"role": "assistant", "content": "It is 21 °C."}), event({}, "stop")]),
]


def readme_program() -> str:
    match = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert match, "the README has no example"
    return match[1]


async def test_the_ten_lines_run(tmp_path: Path) -> None:
    program = (ROOT / "examples" / "ten_lines.py").read_text(encoding="utf-8")
    async with provider(*ANSWERS) as server:
        environment = os.environ | {
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": server.url,
            "PYTHONPATH": str(ROOT),
        }
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", program),
            cwd=tmp_path,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(child.communicate(), 100)
        assert (err.decode(), child.returncode) == ("", 0)
    assert out.decode().strip() == "It is 21 °C."
    said = server.requests[1]["messages"]
    assert said[-1]["role"] == "tool"
    assert said[-1]["content"] == "21 °C in Rome"
