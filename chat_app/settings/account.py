"""Section of the settings with the person who is signed in, and the way to their account."""

from __future__ import annotations

import reflex as rx

from agent_core.errors import AccessDeniedError
from chat_app.accounts.gate import pages_origin
from chat_app.i18n import say
from chat_app.session.service import ApiCaller, service
from chat_app.ui.controls import testid
from chat_app.ui.page_column import section


class OwnAccount(ApiCaller, rx.State):
    """State with the person who is signed in, if the app itself signs people in.

    Attributes:
        name: the person's name; "" for nobody.
        address: the page of the account, which is outside of Reflex's pages.
    """

    name: str = ""
    address: str = ""

    @rx.event
    def open(self):
        """Read who is signed in."""
        settings = service().settings
        try:
            ctx = self._ctx() if settings.sign_in.has_sessions else None
        except AccessDeniedError:
            ctx = None
        self.name = "" if ctx is None else str((ctx.claims or {}).get("name", ""))
        host = self.router.headers.host
        origin = f"http://{host}" if pages_origin(host) else ""  # in development the pages have another one
        self.address = f"{origin}{settings.base_path}/account"


def account_section() -> rx.Component:
    """Render the section; nothing if nobody is signed in."""
    return rx.cond(
        OwnAccount.name != "",
        section(
            say("account.title"),
            rx.el.p(say("account.name", name=OwnAccount.name)),
            rx.el.a(
                say("account.open"),
                href=OwnAccount.address,
                class_name="button",
                style={"justify_self": "start"},
                custom_attrs=testid("account-link")
                | {"reloadDocument": True},  # not a page of Reflex's router
            ),
            name="account",
        ),
    )
