"""Types that a type checker infers for a tool made from a function."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = '''
from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import assert_type

from agent_core import Agent, Tool, ToolContext, action_tool, async_tool, create_action_tool, create_async_tool

@action_tool
def add(a: int, b: int = 0) -> int:
    """Add."""
    return a + b

@action_tool(retry=True, timeout=3.0)
async def weather(city: str, ctx: ToolContext) -> dict[str, str]:
    """Look outside."""
    return {"city": city}

@async_tool
def ask(question: str) -> None: ...

@async_tool(timeout=5)
async def ask_twice(question: str, *, again: bool) -> None: ...

class Shop:
    def __init__(self) -> None:
        self.tools: list[Tool] = [create_action_tool(handler=self.find)]

    def find(self, item: str) -> int:
        """Find."""
        return 1

    @staticmethod
    def count(item: str) -> int:
        """Count."""
        return 1

made = create_action_tool(handler=add.handler, retry=True)
bound = action_tool(Shop().find)
static = action_tool(Shop.count)
told = create_async_tool(callback=ask.handler)
later: Tool = create_async_tool(name="later")

assert_type(add(1, b=2), int)
assert_type(made(1), int)
assert_type(ask("why"), None)
assert_type(told("why"), None)
assert_type(bound("tea"), int)
assert_type(static("tea"), int)
plain: Callable[[int, int], int] = add
waited: Callable[[str, ToolContext], Awaitable[dict[str, str]]] = weather

async def main(ctx: ToolContext) -> None:
    assert_type(await weather("Rome", ctx=ctx), dict[str, str])
    await ask_twice("why", again=True)

def name_of(tool: Tool) -> str:
    return tool.name

every: list[Tool] = [add, weather, ask, ask_twice, made, told, later]
by_name = {"add": add, "weather": weather}
Agent("a", "openai/gpt-5-mini", tools=every)
Agent("a", "openai/gpt-5-mini", tools=[add, weather])
Agent("a", "openai/gpt-5-mini", tools=by_name)
name_of(add)
results: list[Tool[..., object]] = [add, weather, later]
waiting: Tool[..., Awaitable[dict[str, str]]] = weather

add("one")  # error
add(1, c=2)  # error
weather("Rome")  # error
ask(question=5)  # error
ask_twice("why")  # error
made(b=1)  # error
action_tool(retri=True)  # error
word: str = add(1)  # error
bound(5)  # error
words: Tool[..., str] = add  # error
'''


def checked(folder: Path, *programs: str) -> list[set[int]]:
    """Return the lines of each program in which pyright reports an error in strict mode."""
    files = [folder / f"program{number}.py" for number in range(len(programs))]
    for file, program in zip(files, programs, strict=True):
        file.write_text(program, encoding="utf-8")
    settings = {"include": [*map(str, files)], "extraPaths": [str(ROOT)], "typeCheckingMode": "strict"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings | {"reportUnusedCoroutine": False}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", str(folder)]
    found = subprocess.run(
        [*command, "--pythonpath", sys.executable], capture_output=True, text=True, check=False
    )
    report: list[dict[str, Any]] = json.loads(found.stdout)["generalDiagnostics"]
    wrong = [(Path(each["file"]), each["range"]) for each in report if each["severity"] == "error"]
    return [{place["start"]["line"] + 1 for at, place in wrong if at == file} for file in files]


def test_a_tool_keeps_the_signature_of_its_function(tmp_path: Path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = next(
        code for code in re.findall(r"```python\n(.*?)```", readme, re.S) if "@action_tool" in code
    )
    wrong = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# error")}
    assert checked(tmp_path, PROGRAM, example) == [wrong, set()]
