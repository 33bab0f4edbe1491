"""Check every page with axe-core, in light and dark, on a wide and on a narrow window.

The pages are taken from Reflex's build, so a new page is checked automatically. A page whose route has an
argument needs an entry in `visits`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT as AXE
from playwright.sync_api import Browser, expect

from tests.support.browser.chat import PATIENCE, Chat, in_production, left_over, wait_for
from tests.support.browser.rows import begin_threads, on_rows
from tests.support.browser.server import Server
from tests.support.providers.provider import Call, Provider, Refuse, Turn

pytestmark = in_production

PLACES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
PROSE = """## A heading

Some *words* with `code`, a [link](https://example.org) and $e^{i\\pi}+1=0$.

### A smaller one

- [x] done
- [ ] to do

> quoted

```python
def answer() -> int:  # a comment
    return 42 if "string" else None
```

| name | value |
|---|---|
| step | 1 |

$$
\\int_0^1 x\\,dx
$$
"""
FIGURES = Call("calculator", {"expression": "1 + 1"})
WRONG = Call("calculator", {"expression": "one"}, id="call_2")
MAIL = Call("send_email", {"to": "ada@example.org", "subject": "Hi", "body": "Hello"})
ASK = Call("ask_human", {"question": "Which city?", "options": ["Rome", "Oslo"]})


@pytest.fixture(scope="module")
def threads(browser: Browser, server: Server, provider: Provider) -> Iterator[dict[str, str]]:
    """Paths of one thread of each kind, by kind; the running thread runs until the module ends."""
    gate = threading.Event()
    kinds: dict[str, tuple[tuple[Turn, ...], str]] = {
        "prose and tools": (([FIGURES, WRONG], [PROSE]), "completed"),
        "an approval": (([MAIL],), "awaiting_tool_results"),
        "a question": (([ASK],), "awaiting_tool_results"),
        "a failure": (([Refuse(401, "Incorrect API key provided: none.")],), "failed"),
        "an answer being written": ((["Once upon ", gate],), "streaming"),
        "a stopped answer": ((["There was ", gate],), "streaming"),
    }
    for kind, (turns, _) in kinds.items():
        provider.answer(kind, *turns)
    made = begin_threads(server, {kind: status for kind, (_, status) in kinds.items()})
    context = browser.new_context()
    tab = Chat(context.new_page(), server)
    tab.go(made["a stopped answer"])
    expect(tab.answer).to_contain_text("There was")
    tab.by("stop").click()
    tab.wait_until("stopped")
    context.close()
    yield made
    gate.set()


@pytest.fixture(scope="module")
def shared(server: Server, threads: dict[str, str]) -> str:
    """Path of the read-only page of a shared thread."""
    thread_id = threads["prose and tools"].rpartition("/")[2]
    return f"/share/{on_rows(server, lambda api: api.shares.create(thread_id))}"


def visits(routes: list[str], threads: dict[str, str], shared: str) -> dict[str, str]:
    """Return the paths to check, by name: each page of the app, and the page of each kind of thread."""
    found: dict[str, str] = {}
    for route in routes:
        if "[" not in route:
            found[route] = {"index": "/", "404": "/no/such/page"}.get(route, f"/{route}")
        elif route == "chat/[thread_id]":
            found |= threads | {"no thread": "/chat/thread_00000000000000000000000000"}
        elif route == "share/[token]":
            found |= {"shared": shared, "not shared": "/share/nobody-has-this-token"}
        else:
            pytest.fail(f"The page {route} has an argument: say here what a visit of it looks like.")
    return found


SEEN = {
    "prose and tools": "message",
    "an approval": "approve",
    "a question": "answer-send",
    "a failure": "failed",
    "an answer being written": "stop",
    "a stopped answer": "continue",
    "no thread": "page-note",
    "shared": "message",
    "not shared": "page-note",
}
"""Test id that each page must show, as proof that it is the intended page."""


def open_drawer(tab: Chat) -> None:
    """Open the drawer with the list of threads on a phone."""
    if tab.by("menu").is_visible():
        tab.by("menu").click()
        expect(tab.by("new-chat")).to_be_visible()


def open_tools(tab: Chat) -> None:
    """Open every tool row and hover over the answer."""
    for row in tab.page.locator("details.tool:not([open]) > summary").all():
        row.click()
    tab.answer.hover()


def edit(tab: Chat) -> None:
    """Start editing a message."""
    tab.prompts.first.hover()
    tab.prompts.first.get_by_test_id("edit").click()


def open_timeline(tab: Chat) -> None:
    """Open the timeline; beside wide pages it stays open from here on."""
    tab.by("timeline-toggle").click()
    expect(tab.by("timeline-row").first).to_be_visible()


def open_palette(tab: Chat) -> None:
    """Open the Ctrl+K dialog with a search result; it closes other dialogs."""
    tab.page.keyboard.press("Control+k")
    tab.by("palette-field").fill("approval")
    expect(tab.by("option").locator("mark").first).to_be_visible()


def open_share(tab: Chat) -> None:
    """Open the share menu of the thread, with a link created."""
    tab.by("share-menu").click()
    tab.by("menu-share").click()
    expect(tab.by("share-link")).to_be_visible()


def open_answers(tab: Chat) -> None:
    """Open the panel with instructions and temperature."""
    tab.page.keyboard.press("Escape")
    tab.by("answers-open").click()
    expect(tab.by("answers")).to_be_visible()


def open_row_menu(tab: Chat) -> None:
    """Open the menu of a thread in the list."""
    open_drawer(tab)
    tab.by("thread-item").first.hover()
    tab.by("thread-menu").first.click()
    expect(tab.by("menu-box")).to_be_visible()


def change_arguments(tab: Chat) -> None:
    """Start changing the arguments of a call that awaits approval."""
    tab.by("approval-field").last.fill("Something else")


MOMENTS: dict[str, list[Callable[[Chat], None]]] = {
    "index": [open_drawer, open_palette],
    "prose and tools": [open_tools, edit, open_share, open_answers, open_timeline],
    "an approval": [change_arguments, open_row_menu],
}
"""Further views of a page, and the function that opens each."""


RUN = "async (rules) => (await axe.run(rules)).violations"
# Without `preload`: half of a check was loading the style sheets again, for rules that are off or of no serious impact.
ALL: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
COLOURS = ALL | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""The rules whose findings depend on the colours of a scheme; all others find the same in the other scheme."""


def findings(tab: Chat, where: str, rules: dict[str, Any] = ALL) -> list[str]:
    """Return the serious and critical findings on the page in its present state, by all rules or by some."""
    if not tab.page.evaluate("'axe' in window"):
        tab.page.evaluate(AXE)  # once for each document: it is half a megabyte
    return [
        f"{where}: {found['id']} at {' '.join(node['target'])}: {node['failureSummary']}"
        for found in tab.page.evaluate(RUN, rules)
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def wear(tab: Chat, scheme: Literal["light", "dark"]) -> None:
    """Switch to light or dark as the system does, without motion: fading elements lack contrast."""
    tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    wait_for(tab.page, f"document.documentElement.classList.contains('{scheme}')")


@pytest.mark.parametrize("place", PLACES)
def test_pages_have_no_serious_accessibility_findings(
    place: str,
    server: Server,
    threads: dict[str, str],
    shared: str,
    open_tab: Callable[..., Chat],
    page_errors: list[str],
) -> None:
    tab = open_tab("/", viewport=PLACES[place], color_scheme="light", reduced_motion="reduce")
    found: list[str] = []
    rounds = (ALL, COLOURS) if place == "desk" else (ALL,)  # narrow views take turns with the schemes
    schemes = cycle(("light", "dark", "dark", "light"))  # each check begins with the scheme of the one before

    def look_at(where: str) -> None:
        """Collect the findings here; after the first finding, don't wait for more."""
        for rules in rounds:
            wear(tab, scheme := next(schemes))
            look = partial(findings, tab, f"{where}, {scheme}", rules)
            found.extend(left_over(look, 0 if found else PATIENCE))

    for name, path in visits(server.routes(), threads, shared).items():
        tab.visit(path, SEEN.get(name))
        look_at(name)
        for moment in MOMENTS.get(name, []):
            moment(tab)
            look_at(f"{name}, {moment.__name__}")
    assert not found, "\n\n".join(found)
    page_errors[:] = [
        error for error in page_errors if "404" not in error
    ]  # the browser's own message about a 404


def test_planted_barriers_are_found(open_tab: Callable[..., Chat]) -> None:
    tab = open_tab()
    expect(tab.page.locator(".empty h1")).to_be_visible()
    tab.page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=/favicon.svg width=9>')"
    )
    tab.page.add_style_tag(content="main h1 { color: #999 !important; }")

    found = findings(tab, "here")

    assert [finding.split(" at ")[0] for finding in found] == ["here: color-contrast", "here: image-alt"]
