"""Python wrapper of the reader of the browser's time zone."""

import reflex as rx

from chat_app.scripts import script
from chat_app.ui.event_specs import one_text


class Zone(rx.Component):
    """Gives the browser's time zone to `on_zone` whenever `known` is another; shows nothing."""

    library = script("schedules/time_zone.jsx")
    tag = "Zone"
    known: rx.Var[str]
    on_zone: rx.EventHandler[one_text]


zone = Zone.create
