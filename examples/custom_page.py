"""Add a page to the app: a help desk on the app's agent, with a separate thread.

Serve it with `CHAT_EXTENSIONS=examples.custom_page make run` and open /desk.
"""

import reflex as rx

from chat_app.extensions import Content, register_page
from chat_app.hooks import get_message_key, message_text, use_agent_chat
from chat_app.ui import column

Desk = use_agent_chat(title="Help desk")


@register_page("/desk", title="Help desk", on_load=Desk.load, nav=True)
def desk() -> Content:
    """Show the messages, a stop button and an input line."""
    said = rx.foreach(
        Desk.messages,
        lambda message: rx.el.article(message_text(Desk, message), key=get_message_key(message)),
    )
    stop = rx.cond(Desk.is_running, rx.el.button("Stop", on_click=Desk.stop, class_name="button"))
    line = rx.el.input(name="question", placeholder="How can we help?", auto_complete="off")
    ask = rx.el.form(line, on_submit=Desk.send_message, reset_on_submit=True, class_name="field")
    return Content(column(said, stop, ask), bar=rx.el.h1("Help desk"))
