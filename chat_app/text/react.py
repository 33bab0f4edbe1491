"""Python wrappers of the React components that render text."""

from typing import Any

import reflex as rx

from agent_core.errors import ValidationError
from chat_app.scripts import react_component

PARSERS = [
    "decode-named-character-reference@1.3.0",
    "mdast-util-from-markdown@2.1.0",
    "mdast-util-gfm-autolink-literal@2.1.0",
    "mdast-util-gfm-footnote@2.1.0",
    "mdast-util-gfm-strikethrough@2.0.1",
    "mdast-util-gfm-table@2.0.1",
    "mdast-util-gfm-task-list-item@2.0.1",
    "micromark-extension-cjk-friendly@2.0.2",
    "micromark-extension-cjk-friendly-gfm-strikethrough@2.0.1",
    "micromark-extension-gfm-autolink-literal@2.1.0",
    "micromark-extension-gfm-footnote@2.1.0",
    "micromark-extension-gfm-table@2.1.2",
    "micromark-extension-gfm-task-list-item@2.1.0",
    "micromark-util-combine-extensions@2.0.1",
    "micromark-util-normalize-identifier@2.0.1",
    "micromark-util-sanitize-uri@2.0.1",
    "remend@1.4.0",
]
_MARKDOWN_LIBRARIES = [*PARSERS, "katex@0.19.1", "mermaid@12.3.0"]
"""Packages of the markdown component; a page loads katex and mermaid only when a block needs them."""


stream_markdown = react_component(
    "text/stream.jsx",
    "StreamMarkdown",
    dependencies=_MARKDOWN_LIBRARIES,
    name=str,
    run=str,
    text=str,
    live=bool,
    source=str,
    on_gap=(str, int),
)
"""Text part, as markdown, that may still grow.

`name` identifies the part on the page and never changes; `run` identifies the part and its attempt. While
`live`, slices arrive as `run`, `offset` and `chunk` of the state class with full name `source`; then `text`
is the whole text. Only a live part reads that state. Offsets count UTF-16 code units. `on_gap` gets the run
and the length of its text that the page has.
"""

_smooth_text = react_component(
    "text/smooth_text.jsx", "SmoothText", text=str, chars_per_sec=float, start_streaming=bool
)


def smooth_text(
    text: rx.Var[str] | str, chars_per_sec: float = 128, start_streaming: bool = False, **props: Any
) -> rx.Component:
    """Render a text that grows in leaps at an even pace, as if it were typed.

    Args:
        text: Var of the text; a new value continues the text, or replaces it.
        chars_per_sec: minimum speed, in characters per second; it rises to keep up with the text.
        start_streaming: whether the initial text is typed, too, instead of shown at once.
        **props: props of the component.

    Raises:
        ValidationError: `chars_per_sec` is not above 0.
    """
    if not isinstance(chars_per_sec, rx.Var) and not chars_per_sec > 0:
        raise ValidationError("chars_per_sec is a number above 0, such as 128.")
    return _smooth_text(text=text, chars_per_sec=chars_per_sec, start_streaming=start_streaming, **props)
