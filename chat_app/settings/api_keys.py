"""Section of the settings with the keys of a person, for programs."""

from typing import Any

import reflex as rx

from chat_app.i18n import say
from chat_app.scripts import react_component
from chat_app.ui.page_column import section

_api_keys: Any = react_component("settings/api_keys.jsx", "ApiKeys")
"""List of keys, and a form that creates one and shows it once."""


def api_keys_section() -> rx.Component:
    """Render the section."""
    return section(
        say("keys.title"),
        rx.el.p(say("keys.about"), class_name="field-note"),
        _api_keys(),
        name="api-keys",
    )
