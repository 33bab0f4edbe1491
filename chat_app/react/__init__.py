"""Small React components, written here, and their Python wrappers.

Each `.jsx` file does what a page cannot do from the server: smooth a stream of text, keep a draft,
follow the scroll, count seconds. The files are plain assets that Vite bundles; libraries from npm
are pinned exactly.
"""

from chat_app.react.components import (
    composer,
    copy_button,
    countdown,
    elapsed,
    lasted,
    markdown,
    outbox,
    smooth_text,
    steady,
    stream_markdown,
    tab_title,
    viewport,
    zone,
)

__all__ = [
    "composer",
    "copy_button",
    "countdown",
    "elapsed",
    "lasted",
    "markdown",
    "outbox",
    "smooth_text",
    "steady",
    "stream_markdown",
    "tab_title",
    "viewport",
    "zone",
]
