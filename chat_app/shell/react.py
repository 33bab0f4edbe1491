"""Python wrapper of what holds the page still while its state is sent anew."""

import reflex as rx

from chat_app.scripts import script


class Steady(rx.Component):
    """Goes on showing what it shows while the tab's state is sent anew.

    `root` and `view` name the state classes that tell: the first by `is_hydrated`, the second by a
    var `phase` that is "loading".
    """

    library = script("shell/reconnect_guard.jsx")
    tag = "Steady"
    root: rx.Var[str]
    view: rx.Var[str]


steady = Steady.create
