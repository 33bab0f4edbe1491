"""The app: its pages, its look, and what is open while it runs."""

import reflex as rx

from chat_app import extensions, logs
from chat_app.components.shell import reconnect_banner
from chat_app.pages import archive, inbox, share
from chat_app.pages.chat import ON_LOAD, new_chat, thread
from chat_app.pages.not_found import not_found
from chat_app.pages.schedules import ON_LOAD as ON_SCHEDULES
from chat_app.pages.schedules import schedules
from chat_app.pages.settings import BESIDE, ON_SETTINGS, ON_USAGE, settings, usage
from chat_app.react.beside import DENSITY_FIRST
from chat_app.serve.site import Site
from chat_app.settings import load_settings
from chat_app.state.arguments import Arguments
from chat_app.state.inbox import Inbox
from chat_app.state.open_thread import Stream
from chat_app.state.service import lifespan
from chat_app.state.shared import SharedText
from chat_app.state.staying import Staying
from chat_app.state.threads import ThreadList
from chat_app.state.uploads import routes
from chat_app.state.visitor import Visitors
from chat_app.styles import DARK, LIGHT, NAME, stylesheets, token_sheet
from chat_app.words import say


def titled(key: str) -> rx.Var[str]:
    """Return what the browser's tab says of a page beside the threads."""
    return rx.Var.create(f"{say(key)} · {NAME}").to(str)


logs.configure(load_settings().log_level, load_settings().extensions)
extensions.load(load_settings().extensions)  # first: they may change the look, and what is drawn

app = Site(
    stylesheets=stylesheets(),
    head_components=[
        rx.el.style(token_sheet()),
        rx.el.script(DENSITY_FIRST),
        # To the edges of a phone: the style sheets keep what is read and pressed away from them.
        rx.el.meta(name="viewport", content="width=device-width, initial-scale=1, viewport-fit=cover"),
        rx.el.meta(name="color-scheme", content="light dark"),
        *(
            rx.el.meta(name="theme-color", content=tokens["page"], media=f"(prefers-color-scheme: {scheme})")
            for scheme, tokens in (("light", LIGHT), ("dark", DARK))
        ),
        rx.el.link(rel="icon", href=rx.asset("favicon.svg"), type="image/svg+xml"),
    ],
    html_lang="en",
    toaster=None,
    api_transformer=[routes],
)
app.add_middleware(Visitors(), index=0)  # before anything is sent
app.add_middleware(Arguments(), index=0)  # before anything is done
# In place of Reflex's toast and its modal, which come at once and speak of servers and URLs.
app.app_wraps = {(5, "Overlay"): lambda stateful: reconnect_banner() if stateful else None}

app.add_page(new_chat, route="/", title=NAME, on_load=ON_LOAD)
app.add_page(thread, route="/chat/[thread_id]", title=NAME, on_load=ON_LOAD)
app.add_page(inbox.inbox, route="/inbox", title=titled("inbox.title"), on_load=inbox.ON_LOAD)
app.add_page(archive.archive, route="/archive", title=titled("sidebar.archived"), on_load=archive.ON_LOAD)
app.add_page(settings, route="/settings", title=titled("settings.title"), on_load=ON_SETTINGS)
app.add_page(usage, route="/usage", title=titled("usage.title"), on_load=ON_USAGE)
app.add_page(schedules, route="/schedules", title=titled("schedules.title"), on_load=ON_SCHEDULES)
app.add_page(share.share, route="/share/[token]", title=NAME, on_load=SharedText.open)
app.add_page(not_found, route="404", title=titled("page.missing"), on_load=[ThreadList.open, Inbox.open])
for page in extensions.PAGES.values():
    # A page of somebody's own shows the shell, and no thread of the app's unless it says so.
    begin = [event for event in BESIDE if event not in page.on_load]
    if Stream.open in page.on_load:
        begin.remove(Stream.leave)
    app.add_page(page.component, route=page.route, title=page.title, on_load=[*begin, *page.on_load])
app.register_lifespan_task(lifespan)
app.register_lifespan_task(Staying(app).run)
