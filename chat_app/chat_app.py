"""The Reflex app: its pages, style sheets, middleware and lifespan tasks."""

import reflex as rx

from chat_app import extensions, logs

# Each of these registers its pages.
from chat_app.conversation import page as conversation  # noqa: F401
from chat_app.files.uploads import routes
from chat_app.inbox import page as inbox  # noqa: F401
from chat_app.schedules import page as schedules  # noqa: F401
from chat_app.server.settings import load_settings
from chat_app.session.service import lifespan
from chat_app.session.tab_state import TabKeepalive, TabOwnerCheck
from chat_app.settings import page as settings  # noqa: F401
from chat_app.sharing import page as sharing  # noqa: F401
from chat_app.shell.frame import ON_LOAD, events_of, framed, not_found, reconnect_banner
from chat_app.thread_list import list_view  # noqa: F401
from chat_app.ui.controls import titled
from chat_app.ui.styles import DARK, LIGHT, stylesheets, token_sheet
from chat_app.web.argument_checks import ArgumentCheck
from chat_app.web.site import Site

logs.configure(load_settings().log_level, load_settings().extensions)
extensions.load(load_settings().extensions)  # first: they may change the look, and what is drawn

# In the page's head, so that a page that is drawn small is never seen large.
_SET_DENSITY = (
    'try{document.documentElement.dataset.density=localStorage.getItem("chat:density")??"comfortable"}catch{}'
)

app = Site(
    stylesheets=stylesheets(),
    head_components=[
        rx.el.style(token_sheet()),
        rx.el.script(_SET_DENSITY),
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
app.add_middleware(TabOwnerCheck(), index=0)  # before anything is sent
app.add_middleware(ArgumentCheck(), index=0)  # before anything is done
# In place of Reflex's toast and its modal, which come at once and speak of servers and URLs.
app.app_wraps = {(5, "Overlay"): lambda stateful: reconnect_banner() if stateful else None}

for page in extensions.PAGES.values():
    app.add_page(framed(page.component), route=page.route, title=page.title, on_load=events_of(page))
app.add_page(framed(not_found), route="404", title=titled("page.missing"), on_load=ON_LOAD)
app.register_lifespan_task(lifespan)
app.register_lifespan_task(TabKeepalive(app).run)
