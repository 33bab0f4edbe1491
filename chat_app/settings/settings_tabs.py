"""Tabs of the settings, usage and schedules pages, with a link to the admin page, and the link to the settings."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router import link

from chat_app.i18n import say
from chat_app.session.administrator import Administrator
from chat_app.ui.controls import icon, testid

_TABS = (
    ("/settings", "settings.title"),
    ("/usage", "usage.title"),
    ("/schedules", "schedules.title"),
)


def tabs(here: str) -> rx.Component:
    """Render the tabs, with the page `here` marked as the open one."""
    return rx.el.nav(
        *(
            link(
                say(key),
                to=route,
                class_name="tab",
                custom_attrs={"aria-current": "page" if route == here else "false"}
                | testid(f"tab-{route[1:]}"),
            )
            for route, key in _TABS
        ),
        rx.cond(
            Administrator.may,
            link(
                say("admin.title"),
                to="/admin",
                class_name="tab",
                custom_attrs={"aria-current": "false"} | testid("tab-admin"),
            ),
        ),
        class_name="tabs",
        aria_label=say("settings.places"),
    )


def settings_link(**props: Any) -> rx.Component:
    """Render the link to the settings, for the foot of the sidebar."""
    return link(
        icon("settings"),
        to="/settings",
        class_name="icon-button",
        aria_label=say("settings.title"),
        title=say("settings.title"),
        custom_attrs=testid("settings"),
        **props,
    )
