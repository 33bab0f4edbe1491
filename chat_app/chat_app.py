"""The app: its pages, its look, and what is open while it runs."""

import reflex as rx

from chat_app.components.shell import reconnect_banner
from chat_app.pages.chat import ON_LOAD, new_chat, thread
from chat_app.pages.not_found import not_found
from chat_app.state import ThreadList
from chat_app.state.service import lifespan
from chat_app.state.uploads import routes
from chat_app.styles import stylesheets, token_sheet

NAME = "Durable Agents"

app = rx.App(
    stylesheets=stylesheets(),
    head_components=[
        rx.el.style(token_sheet()),
        rx.el.meta(name="color-scheme", content="light dark"),
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
    ],
    html_lang="en",
    toaster=None,
    api_transformer=[routes],
)
# In place of Reflex's toast and its modal, which come at once and speak of servers and URLs.
app.app_wraps = {(5, "Overlay"): lambda stateful: reconnect_banner() if stateful else None}

app.add_page(new_chat, route="/", title=NAME, on_load=ON_LOAD)
app.add_page(thread, route="/chat/[thread_id]", title=NAME, on_load=ON_LOAD)
app.add_page(not_found, route="404", title=f"Not found · {NAME}", on_load=ThreadList.open)
app.register_lifespan_task(lifespan)
