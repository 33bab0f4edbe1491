"""Test markdown in a browser: formulas and diagrams load on demand, live text equals reloaded text."""

from __future__ import annotations

import threading
from collections.abc import Callable

from playwright.sync_api import expect

from tests.support.browser.chat import FRAMES, Chat, in_production, wait_for
from tests.support.providers.provider import Provider

OpenTab = Callable[..., Chat]
ANSWER = """Euler: $e^{i\\pi}+1=0$, water: $\\ce{H2O}$, for $5 to $10, a $\\href{https://example.org}{link}$.

$$
\\frac{\\sqrt{\\pi}}{2}
$$

```mermaid
graph TD
  A[Prompt] --> B[<img src=x onerror="window.hacked=1">]
  click A href "javascript:window.hacked=1"
```

```mermaid
this is no diagram
```
"""


def test_formulas_and_diagrams_are_drawn_and_loaded_only_when_needed(
    provider: Provider, open_tab: OpenTab, page_errors: list[str]
) -> None:
    provider.answer("Draw", [ANSWER])
    tab = open_tab()
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.reload()
    tab.page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "katex" in url or "mermaid" in url]

    tab.send("Draw")

    expect(tab.answer.locator(".formula .katex")).to_have_count(3)
    expect(tab.answer).to_contain_text("for $5 to $10, a $\\href{https://example.org}{link}$.")
    expect(tab.answer.locator(".diagram > div svg")).to_have_count(1)
    expect(tab.answer.locator(".diagram > div svg")).to_contain_text("Prompt")
    expect(tab.answer.locator("figure.code").last).to_contain_text("this is no diagram")
    assert tab.page.evaluate("window.hacked") is None
    # mermaid parses the label as markup: the script would not run, and the content policy reports it.
    page_errors[:] = [error for error in page_errors if "inline event handler" not in error]


KINDS = """It takes 2~4 days, ~~not~~ **「締切」**です。 See https://example.org/a。 $5 to $10, $x$, \\(y\\).

The [recipe][r] is old.[^1] H<sub>2</sub>O <kbd>Ctrl</kbd> <b>open <script>window.hacked=1</script>

<details>
<summary>More</summary>

| a | soup<br>bread |
|---|--:|
| 1 | [x](javascript:window.hacked=1) |

</details>

> [!WARNING]
> Hot.

<img src=x onerror="window.hacked=1"> <svg onload="window.hacked=1"></svg>

- [x] one

  ```js
  let a = 1;
  ```
- two

[r]: https://example.org/recipe
[^1]: Grandmother's.
"""
SHOWN = "element => element.innerHTML"
"""Content of an element; it must not depend on whether the text was streamed or loaded as a whole."""


@in_production
def test_a_live_answer_equals_the_reloaded_one(provider: Provider, open_tab: OpenTab) -> None:
    text = KINDS + "\n" + "".join(f"Paragraph {n} of a **long** answer, with `code`.\n\n" for n in range(60))
    tab = open_tab()
    tab.ask(provider, "Kinds", [text[at : at + 11] for at in range(0, len(text), 11)])
    expect(tab.answer).to_contain_text("Paragraph 59")
    expect(tab.page.locator("[data-writing]")).to_have_count(0)
    expect(tab.answer.locator(".formula .katex")).to_have_count(2)
    live = tab.answer.locator(".md").evaluate(SHOWN)

    tab.reload()

    expect(tab.answer.locator(".formula .katex")).to_have_count(2)
    assert tab.answer.locator(".md").evaluate(SHOWN) == live
    expect(tab.answer.locator("a")).to_have_count(4)  # recipe, address, footnote and its back link
    expect(tab.answer.locator("details td br, details th br")).to_have_count(1)
    expect(tab.answer.locator("script, img, svg[onload], [onerror], [href^=javascript]")).to_have_count(0)
    assert tab.page.evaluate("window.hacked") is None


@in_production
def test_a_definition_changes_earlier_text_at_once(
    provider: Provider, open_tab: OpenTab, gate: threading.Event
) -> None:
    provider.answer(
        "Define", ["The [recipe][r] is old.\n\nCook it.\n\n[r]: https://example.org/recipe\n\nSo", gate]
    )
    tab = open_tab()
    tab.send("Define")
    expect(tab.answer.get_by_role("link", name="recipe")).to_have_attribute(
        "href", "https://example.org/recipe"
    )
    assert not gate.is_set()


@in_production
def test_a_selection_survives_the_rest_of_the_turn_and_its_end(
    provider: Provider, open_tab: OpenTab, gate: threading.Event
) -> None:
    provider.answer("Select", ["Read *this* first.\n\nAnd then ", gate, "the rest.\n\n- more\n- and more\n"])
    provider.answer("Next", ["Another answer."])
    tab = open_tab()
    tab.send("Select")
    first = tab.answers.first.locator("p").first
    expect(tab.answer).to_contain_text("And then")
    first.evaluate("element => { getSelection().selectAllChildren(element); window.chosen = element; }")

    gate.set()
    tab.wait_until("completed")
    expect(tab.answer).to_contain_text("and more")
    assert tab.page.evaluate("[getSelection().toString(), window.chosen.isConnected]") == [
        "Read this first.",
        True,
    ]

    tab.send("Next")
    expect(tab.answers).to_have_count(2)
    expect(tab.answer).to_have_text("Another answer.")
    tab.wait_until("completed")
    assert tab.page.evaluate(
        "window.chosen.isConnected"
    )  # typing in the composer has moved the selection there


NARROW = """> ציטוט

| day | food | drink | more | words |
|---|---|---|---|---|
| Wednesday | vegetables | lemonade | strawberries | a sentence that goes on and on, far beyond a phone |

- [x] done

  more of it

$$x$$

""" + "".join(f"{'  ' * n}- level {n}\n" for n in range(18))
PLACES = """() => {
  const box = (selector) => { const all = document.querySelectorAll(`.md ${selector}`); return all[all.length - 1].getBoundingClientRect(); };
  const style = (selector) => getComputedStyle(document.querySelector(`.md ${selector}`));
  const words = (element) => { const range = document.createRange(); range.selectNodeContents(element); return range.getBoundingClientRect(); };
  const [line, more] = document.querySelectorAll(".md .md-task p");
  return {
    quote: [parseFloat(style("blockquote").borderRightWidth) > 0, parseFloat(style("blockquote").borderLeftWidth)],
    column: box("td").width,
    task: Math.abs(words(line.lastChild).left - words(more).left),
    room: box("li").width,
    page: document.documentElement.scrollWidth - innerWidth,
  };
}"""


@in_production
def test_words_keep_their_room_and_their_side_on_a_phone(provider: Provider, open_tab: OpenTab) -> None:
    tab = open_tab(viewport={"width": 390, "height": 844})
    tab.ask(provider, "Narrow", [NARROW])
    expect(tab.answer).to_contain_text("level 17")
    expect(tab.answer.locator(".katex")).to_have_count(1)

    places = tab.page.evaluate(PLACES)

    assert places["quote"] == [True, 0]
    assert places["column"] >= 140  # a narrower column would hold one word a line
    assert places["task"] < 2
    assert places["room"] > 150
    assert places["page"] <= 0


WILD = {
    "quotes": ">" * 5000 + " x",
    "accents": "a" + "\u0301" * 30_000,
    "stars": "*" * 5000 + "a" + "*" * 5000,
    "diagram": "```mermaid\ngraph TD\n"
    + "\n".join(f"A{n} --> A{n * 7 % 1500}" for n in range(1500))
    + "\n```",
    "counted": "```mermaid\nblock-beta\ncolumns 1\nspace:1000000\n```",
    "a line": "x" * 100_000,
}


@in_production
def test_a_wild_text_is_shown_and_leaves_the_page_and_its_neighbours_alone(
    provider: Provider, open_tab: OpenTab
) -> None:
    tab = open_tab()
    for name, text in WILD.items():
        provider.answer(name, [text, "\n\nThe end."])
        tab.send(name)
        expect(tab.answer).to_contain_text("The end.")
        tab.wait_until("completed")
    tab.reload()
    expect(tab.answers).to_have_count(len(WILD))
    for answer in tab.answers.all():
        expect(answer).to_contain_text("The end.")
    expect(tab.answer.locator("..")).not_to_contain_text("Application Error")
    tab.send("stars")
    expect(tab.answers).to_have_count(len(WILD) + 1)


@in_production
def test_a_footnote_leads_to_its_words_and_back_and_leaves_the_address(
    provider: Provider, open_tab: OpenTab
) -> None:
    for name in ("One", "Two"):
        provider.answer(name, [f"{name}[^n].\n\n" + "Line.\n\n" * 40 + f"[^n]: note of {name}\n"])
    tab = open_tab()
    tab.send("One")
    tab.wait_until("completed")
    tab.send("Two")
    tab.wait_until("completed")
    expect(tab.answers).to_have_count(2)
    address = tab.page.url
    ids = tab.page.locator(".md [id]").evaluate_all("all => all.map(({ id }) => id)")
    assert len(set(ids)) == len(ids) == 2

    tab.answers.first.get_by_role("link", name="Footnote 1").click()
    expect(tab.page.locator(":focus")).to_contain_text("note of One")
    tab.answers.first.get_by_role("link", name="Back to reference 1").click()
    expect(tab.answers.first.get_by_role("link", name="Footnote 1")).to_be_focused()
    assert tab.page.url == address


# Parsing upper-cases the labels of definitions; rendering searches formulas for chemistry and drawings for
# their width. All of these fail here.
BREAKING = """
  const upper = String.prototype.toUpperCase;
  String.prototype.toUpperCase = function () {
    if (this.includes("explosive")) throw new Error("cannot be drawn");
    return upper.call(this);
  };
  const { test, exec } = RegExp.prototype;
  RegExp.prototype.test = function (text) {
    if (this.source.includes("ce|pu") && text.includes("explosive")) throw new Error("cannot be drawn");
    return test.call(this, text);
  };
  RegExp.prototype.exec = function (text) {
    if (this.source.startsWith("viewBox") && text.includes("explosive")) {
      window.drawings = (window.drawings ?? 0) + 1;
      throw new Error("cannot be drawn");
    }
    return exec.call(this, text);
  };
"""
CELL = "| a **bold** head |\n|---|\n| $explosive$ |\n"
DIAGRAM = "*Before.*\n\n```mermaid\ngraph TD\n  explosive\n```\n"


@in_production
def test_text_that_cannot_be_drawn_is_shown_as_written_and_the_rest_stays(
    provider: Provider, open_tab: OpenTab, page_errors: list[str]
) -> None:
    provider.answer("Bad", ["A [explosive] **word**.\n\n[explosive]: https://example.org\n"])
    provider.answer("Cell", [CELL])
    provider.answer("Diagram", [DIAGRAM])
    provider.answer("Good", ["A **fine** word."])
    tab = open_tab(fresh=True)
    tab.page.add_init_script(BREAKING)
    tab.reload()
    tab.send("Cell")
    expect(tab.answer.locator(".md-plain")).to_contain_text("| $explosive$ |")
    tab.wait_until("completed")
    tab.send("Diagram")
    wait_for(tab.page, "window.drawings > 0")
    tab.page.evaluate(FRAMES)
    expect(tab.answer.locator("em")).to_have_text("Before.")
    expect(tab.answer.locator("figure.code")).to_contain_text("explosive")
    tab.wait_until("completed")
    tab.by("new-chat").click()
    expect(tab.by("suggestion").first).to_be_visible()
    tab.send("Bad")
    expect(tab.answer.locator(".md-plain")).to_contain_text("A [explosive] **word**.")
    tab.wait_until("completed")
    tab.send("Good")
    expect(tab.answer.locator("strong")).to_have_text("fine")
    tab.wait_until("completed")
    tab.reload()
    expect(tab.answers.first.locator(".md-plain")).to_contain_text("A [explosive] **word**.")
    expect(tab.answer.locator("strong")).to_have_text("fine")
    expect(tab.page.get_by_role("main")).not_to_contain_text("cannot be drawn")
    page_errors[:] = [error for error in page_errors if "cannot be drawn" not in error]
