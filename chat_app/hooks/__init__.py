"""Chats on pages of one's own: state classes for an API's threads, and what draws them.

`use_agent_chat()` is the state class of a page that shows a thread; docs/how-to/extending.md has examples.
"""

from chat_app.hooks.apis import agent_api
from chat_app.hooks.chat import Chat
from chat_app.hooks.parts import message_text
from chat_app.hooks.use import (
    get_message_key,
    use_agent_chat,
    use_messages,
    use_thread,
    use_thread_status,
)
from chat_app.text.react import smooth_text

use_smooth_text = smooth_text
"""The component that reveals a growing text evenly, by the name that React's hooks have."""

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
    "use_thread_status",
]
