"""A page of one's own on the app's threads.

Serve it with `REFLEX_APP_MODULE_IMPORT=examples.custom_page python -m reflex run --env prod`, begin a
thread, and open /desk/ followed by the thread's id.
"""

import reflex as rx

from chat_app.chat_app import app
from chat_app.components.dock import dock
from chat_app.components.messages import messages
from chat_app.components.shell import shell
from chat_app.pages.chat import ON_LOAD


def help_desk() -> rx.Component:
    """The thread under a heading of its own; what is shown and sent is the same."""
    return shell(messages(), dock(), bar=rx.el.h1("Help desk"))


app.add_page(help_desk, route="/desk/[thread_id]", title="Help desk", on_load=ON_LOAD)
