"""Python wrappers of the React components beside this file."""

from typing import Any

import reflex as rx

from agent_core.errors import ValidationError
from chat_app.scripts import script

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
MARKDOWN_LIBRARIES = [*PARSERS, "katex@0.19.1", "mermaid@12.3.0"]
"""The last two are loaded by a page only when a block needs them."""


def _sent(
    text: rx.Var[str], message_id: rx.Var[str], files: rx.Var[list[dict[str, str]]], thread: rx.Var[str]
) -> list[rx.Var]:
    return [text, message_id, files, thread]


def _id(message_id: rx.Var[str]) -> list[rx.Var]:
    return [message_id]


def _gap(run: rx.Var[str], have: rx.Var[int]) -> list[rx.Var]:
    return [run, have]


class Markdown(rx.Component):
    """A whole text as markdown; it renders once per text."""

    library = script("react/markdown.jsx")
    tag = "Markdown"
    lib_dependencies: list[str] = MARKDOWN_LIBRARIES
    text: rx.Var[str]


class StreamMarkdown(rx.Component):
    """A text part, as markdown, that may still be growing.

    `name` is told apart from every other part of the page and stays; `run` names the part and its attempt.
    While `live`, pieces come as `run`, `offset` and `chunk` of the state class whose full name is `source`;
    afterwards `text` is all of it. Only a part that is live reads that state. Offsets count UTF-16 code
    units.
    """

    library = script("react/stream.jsx")
    tag = "StreamMarkdown"
    lib_dependencies: list[str] = MARKDOWN_LIBRARIES
    name: rx.Var[str]
    run: rx.Var[str]
    text: rx.Var[str]
    live: rx.Var[bool]
    source: rx.Var[str]
    on_gap: rx.EventHandler[_gap]


class Composer(rx.Component):
    """The text field with Send and Stop; the draft stays in the browser.

    `thread` is the one that is shown; on a page whose address names one, it writes to that. `on_send`
    gets the text, the id of the new message, the parts of its files and the thread, which a new one's
    first message names (`begun_by`); it may get the same message again until `sent` is its id or `known` of the outbox has it. Set
    `rejected` to the id to give text and files back when the message could not be sent, and `returned`
    (a `ReturnedView`) for one that was sent and taken back. `max_bytes` is how large a file may be,
    `max_files` how many there may be.
    """

    library = script("react/composer.jsx")
    tag = "Composer"
    thread: rx.Var[str]
    running: rx.Var[bool]
    rejected: rx.Var[str]
    returned: rx.Var[Any]
    sent: rx.Var[str]
    placeholder: rx.Var[str]
    max_bytes: rx.Var[int]
    max_files: rx.Var[int]
    on_send: rx.EventHandler[_sent]
    on_stop: rx.EventHandler[rx.event.no_args_event_spec]


class Outbox(rx.Component):
    """Messages on their way to the server; `known` lists the ids that have arrived."""

    library = script("react/outbox.jsx")
    tag = "Outbox"
    thread: rx.Var[str]
    known: rx.Var[list[str]]


class Viewport(rx.Component):
    """The scrolling column of messages, which follows its end while the reader is there.

    `on_seek` gets the id of the message in the address when it is not among the rows.
    """

    library = script("react/viewport.jsx")
    tag = "Viewport"
    thread: rx.Var[str]
    anchor: rx.Var[str]
    sent: rx.Var[str]
    running: rx.Var[bool]
    on_seek: rx.EventHandler[_id]


class Zone(rx.Component):
    """Gives the browser's time zone to `on_zone` whenever `known` is another; shows nothing."""

    library = script("react/zone.jsx")
    tag = "Zone"
    known: rx.Var[str]
    on_zone: rx.EventHandler[_id]


class Elapsed(rx.Component):
    """Live time since `since`, in seconds since the epoch."""

    library = script("react/clock.jsx")
    tag = "Elapsed"
    since: rx.Var[float]


class Countdown(rx.Component):
    """Live "in 4 s" from `seconds`, counted from when the value arrives."""

    library = script("react/clock.jsx")
    tag = "Countdown"
    seconds: rx.Var[float]


class Lasted(rx.Component):
    """How long something took that is over, in `seconds`."""

    library = script("react/clock.jsx")
    tag = "Lasted"
    seconds: rx.Var[float]


class Steady(rx.Component):
    """Goes on showing what it shows while the tab's state is sent anew.

    `root` and `view` name the state classes that tell: the first by `is_hydrated`, the second by a
    var `phase` that is "loading".
    """

    library = script("react/steady.jsx")
    tag = "Steady"
    root: rx.Var[str]
    view: rx.Var[str]


class SmoothText(rx.Component):
    """A growing text, revealed evenly; made by `smooth_text`."""

    library = script("react/smooth.jsx")
    tag = "SmoothText"
    text: rx.Var[str]
    chars_per_sec: rx.Var[float]
    start_streaming: rx.Var[bool]


class TabTitle(rx.Component):
    """Calls the browser's tab `words`, with the app's `name` behind them; without words, `name` alone."""

    library = script("react/tab_title.jsx")
    tag = "TabTitle"
    words: rx.Var[str]
    name: rx.Var[str]


class CopyButton(rx.Component):
    """A button that copies `text`."""

    library = script("react/copy.jsx")
    tag = "CopyButton"
    text: rx.Var[str]
    label: rx.Var[str]


composer = Composer.create
copy_button = CopyButton.create
countdown = Countdown.create
elapsed = Elapsed.create
lasted = Lasted.create
markdown = Markdown.create
outbox = Outbox.create
steady = Steady.create
stream_markdown = StreamMarkdown.create
tab_title = TabTitle.create
viewport = Viewport.create
zone = Zone.create


def smooth_text(
    text: rx.Var[str] | str, chars_per_sec: float = 128, start_streaming: bool = False, **props: Any
) -> rx.Component:
    """Reveal a text that grows in leaps evenly, as if it were typed.

    Args:
        text: the Var of the text; what stands in place of it may only go on, or be another text.
        chars_per_sec: how fast at least; when more arrives it is faster, so that it keeps up.
        start_streaming: whether the text that is there at first is typed, too, and not shown at once.
        **props: of the component.

    Raises:
        ValidationError: the pace is not above 0.
    """
    if not isinstance(chars_per_sec, rx.Var) and not chars_per_sec > 0:
        raise ValidationError("chars_per_sec is a number above 0, such as 128.")
    return SmoothText.create(text=text, chars_per_sec=chars_per_sec, start_streaming=start_streaming, **props)
