"""Formulas and diagrams: drawn where there are any, and paid for only there."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.chat import Chat
from tests.tools.provider import Provider

OpenTab = Callable[..., Chat]
ANSWER = """Euler: $e^{i\\pi}+1=0$, for $5 to $10.

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
    provider: Provider, open_tab: OpenTab
) -> None:
    provider.answer("Draw", [ANSWER])
    tab = open_tab()
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.reload()
    tab.page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "katex" in url or "mermaid" in url]

    tab.send("Draw")

    expect(tab.answer.locator(".formula .katex")).to_have_count(2)
    expect(tab.answer).to_contain_text("for $5 to $10.")
    expect(tab.answer.locator(".diagram > div svg")).to_have_count(1)
    expect(tab.answer.locator(".diagram > div svg")).to_contain_text("Prompt")
    expect(tab.answer.locator("figure.code").last).to_contain_text("this is no diagram")
    assert tab.page.evaluate("window.hacked") is None
