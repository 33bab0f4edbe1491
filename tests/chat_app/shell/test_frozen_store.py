"""Test the frozen store between the pages and Reflex's store.

It holds the shown state while a tab's state is sent again, but never for ever.
"""

from __future__ import annotations

import json
from pathlib import Path

import chat_app.shell
from tests.support.scripts.bun import run_script

HOLD = Path(chat_app.shell.__file__).with_name("frozen_store.js")
STORE = """
const state = { root: { ready: true }, view: { text: "full" } };
const listeners = {};
const store = {
  getSnapshot: (name) => state[name],
  subscribe: (name, listener) => ((listeners[name] ??= new Set()).add(listener), () => listeners[name].delete(listener)),
};
const set = (name, value) => { state[name] = value; listeners[name]?.forEach((listener) => listener()); };
const frozen = frozenStore(store, () => state.root.ready);
store.subscribe("root", frozen.update);
const seen = [];
const update = () => seen.push(frozen.getSnapshot("view").text);
"""


def run(script: str) -> object:
    """Run a script on a store with a view, and a root that reports whether it is ready."""
    code = f"import {{ frozenStore }} from {json.dumps(str(HOLD))};\n{STORE}\n{script}\nconsole.log(JSON.stringify(seen));"
    return run_script(code)


def test_a_reader_never_sees_the_empty_state_between_two_full_ones() -> None:
    script = """
    update(); frozen.subscribe("view", update);
    set("root", { ready: false }); set("view", { text: "" }); set("view", { text: "full again" });
    set("root", { ready: true });
    """
    assert run(script) == ["full", "full", "full", "full again"]


def test_frozen_store_holds_nothing_back_before_anything_was_shown() -> None:
    script = """
    state.root = { ready: false }; state.view = { text: "" };
    update(); set("view", { text: "first" }); update();
    """
    assert run(script) == ["", "first"]


def test_frozen_store_is_the_store_behind_while_ready() -> None:
    assert run('update(); frozen.subscribe("view", update); set("view", { text: "more" });') == [
        "full",
        "more",
    ]


def test_frozen_store_gives_up_when_the_state_never_comes() -> None:
    script = """
    const later = []; globalThis.setTimeout = (act) => later.push(act);
    update(); set("root", { ready: false }); set("view", { text: "" }); update();
    later.forEach((act) => act()); update();
    """
    assert run(script) == ["full", "full", ""]
