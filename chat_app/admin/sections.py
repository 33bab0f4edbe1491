"""Sections of the admin page, each with a tab and a route of its own, so that a section is loaded when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from operator import itemgetter
from typing import Any

import reflex as rx
from reflex_components_core.react_router import link

from chat_app.extensions import Content, register_page
from chat_app.i18n import say
from chat_app.session.administrator import Administrator
from chat_app.ui.controls import testid, titled
from chat_app.ui.page_column import column

HOME = "/admin"
"""Route of the first section."""

SECTIONS: dict[str, tuple[int, str]] = {}
"""The place of the tab of each section, and the key of its title, by route."""

_Draw = Callable[[], Sequence[rx.Component]]


def register_section(name: str, title: str, *, on_load: Any, place: int = 100) -> Callable[[_Draw], _Draw]:
    """Register the decorated function, which returns the components of a section, as a section of the admin page.

    Every page is rendered after all sections are registered, so the modules of other rooms may register theirs.

    Args:
        name: the last part of the section's route; "" for the first section.
        title: the key of its title, such as "admin.webhooks".
        on_load: the event that reads the section, usually `open` of an `AdminState`, or a list of events.
        place: the place of its tab, from the left; those of the app's own sections are below 100.

    Raises:
        ValidationError: another section has the name.
    """
    route = f"{HOME}/{name}" if name else HOME

    def register(draw: _Draw) -> _Draw:
        @wraps(draw)
        def page() -> Content:
            return Content(
                column(
                    _tabs(route),
                    rx.cond(
                        Administrator.denied,
                        rx.el.p(say("admin.denied"), class_name="callout", custom_attrs=testid("denied")),
                        rx.fragment(*draw()),
                    ),
                    custom_attrs={"data-wide": ""},
                ),
                bar=rx.el.h1(say("admin.title")),
            )

        register_page(
            route,
            titled("admin.title"),
            on_load=[Administrator.look, *(on_load if isinstance(on_load, list) else [on_load])],
        )(page)
        SECTIONS[route] = place, title
        return draw

    return register


def _tabs(here: str) -> rx.Component:
    """Render the tabs, with the section `here` marked as the open one."""
    return rx.el.nav(
        *(
            link(
                say(title),
                to=route,
                class_name="tab",
                custom_attrs={"aria-current": "page" if route == here else "false"}
                | testid(f"tab-{route.rpartition('/')[2]}"),
            )
            for route, (_, title) in sorted(SECTIONS.items(), key=itemgetter(1))
        ),
        class_name="tabs wrap",
        aria_label=say("admin.sections"),
    )
