"""Hooks for custom pages: state classes for an API's threads, and components that render their messages.

`use_agent_chat()` returns the state class of a page that shows a thread, `use_thread_list()` of one that lists them. Examples: docs/how-to/extending.md.
"""

from chat_app.hooks.apis import agent_api
from chat_app.hooks.chat import Chat
from chat_app.hooks.parts import message_text
from chat_app.hooks.use import (
    get_message_key,
    use_agent_chat,
    use_messages,
    use_thread,
    use_thread_list,
    use_thread_status,
)
from chat_app.text.react import smooth_text

use_smooth_text = smooth_text
"""Component that reveals a growing text evenly, under a name like those of React's hooks."""

__all__ = [
    "Chat",
    "agent_api",
    "get_message_key",
    "message_text",
    "smooth_text",
    "use_agent_chat",
    "use_messages",
    "use_smooth_text",
    "use_thread",
    "use_thread_list",
    "use_thread_status",
]
