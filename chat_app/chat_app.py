"""Reflex app: its pages, style sheets, middleware and lifespan tasks."""

import reflex as rx

from chat_app import extension_modules, extensions, logs
from chat_app.accounts.routes import routes as account_routes
from chat_app.accounts.setup import accounts_lifespan, register_sign_in

# Each of these modules registers its pages on import.
from chat_app.admin import page as admin  # noqa: F401
from chat_app.api.mount import routes as api_routes
from chat_app.conversation import page as conversation  # noqa: F401
from chat_app.files.uploads import routes
from chat_app.inbox import page as inbox  # noqa: F401
from chat_app.schedules import page as schedules  # noqa: F401
from chat_app.server.mcp_servers import register_servers
from chat_app.server.settings import load_settings
from chat_app.session.monitoring import routes as monitoring_routes
from chat_app.session.service import lifespan
from chat_app.session.tab_state import TabKeepalive, TabOwnerCheck
from chat_app.settings import page as settings  # noqa: F401
from chat_app.sharing import page as sharing  # noqa: F401
from chat_app.shell.frame import ON_LOAD, events_of, framed, not_found, reconnect_banner
from chat_app.thread_list import list_view  # noqa: F401
from chat_app.ui.controls import titled
from chat_app.ui.styles import DARK, LIGHT, LOGO, stylesheets, token_sheet
from chat_app.web.argument_checks import ArgumentCheck
from chat_app.web.site import Site

logs.configure(load_settings().log_level, load_settings().extensions)
extension_modules.load(load_settings().extensions)  # first: extensions may change styles and components
register_servers(load_settings().mcp_servers)
register_sign_in(load_settings().sign_in)
sign_in_routes = [account_routes] if load_settings().sign_in.has_sessions else []

# In the head of the page, so that the saved density applies before the first paint.
_SET_DENSITY = (
    'try{document.documentElement.dataset.density=localStorage.getItem("chat:density")??"comfortable"}catch{}'
)

app = Site(
    stylesheets=stylesheets(),
    head_components=[
        rx.el.style(token_sheet()),
        rx.el.script(_SET_DENSITY),
        # Extends the page to a phone's edges; the style sheets keep text and controls in the safe area.
        rx.el.meta(name="viewport", content="width=device-width, initial-scale=1, viewport-fit=cover"),
        rx.el.meta(name="color-scheme", content="light dark"),
        *(
            rx.el.meta(name="theme-color", content=tokens["page"], media=f"(prefers-color-scheme: {scheme})")
            for scheme, tokens in (("light", LIGHT), ("dark", DARK))
        ),
        rx.el.link(rel="icon", href=LOGO),
    ],
    html_lang="en",
    toaster=None,
    api_transformer=[routes, *sign_in_routes, monitoring_routes, api_routes],
)
app.add_middleware(TabOwnerCheck(load_settings().sign_in), index=0)  # runs before any update is sent
app.add_middleware(ArgumentCheck(), index=0)  # runs before any event handler
# Replaces Reflex's connection toast and modal, which appear at once and mention servers and URLs.
app.app_wraps = {(5, "Overlay"): lambda stateful: reconnect_banner() if stateful else None}

for page in extensions.PAGES.values():
    app.add_page(framed(page.component), route=page.route, title=page.title, on_load=events_of(page))
app.add_page(framed(not_found), route="404", title=titled("page.missing"), on_load=ON_LOAD)
app.register_lifespan_task(accounts_lifespan)
app.register_lifespan_task(lifespan)
tabs = TabKeepalive(app)
app.backend_exception_handler = tabs.on_exception
app.register_lifespan_task(tabs.run)
