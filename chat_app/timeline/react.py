"""Python wrappers of the run timeline: its button, and the drawer that it opens."""

import reflex as rx

from chat_app.scripts import script
from chat_app.timeline.span_views import HeldView, TurnView


def _shown(shown: rx.Var[bool]) -> list[rx.Var]:
    return [shown]


class RunToggle(rx.Component):
    """The button that opens and closes the drawer."""

    library = script("timeline/drawer.jsx")
    tag = "RunToggle"


class RunDrawer(rx.Component):
    """The drawer: the durability panel and the turns, the newest first.

    Whether it is open is the browser's to remember. `on_show` tells it to the server whenever `shown`
    says otherwise, so a server that was restarted learns it too. `at` is the server's clock.
    """

    library = script("timeline/drawer.jsx")
    tag = "RunDrawer"
    shown: rx.Var[bool]
    turn: rx.Var[TurnView]
    earlier: rx.Var[list[TurnView]]
    more: rx.Var[bool]
    held: rx.Var[HeldView]
    at: rx.Var[float]
    demo: rx.Var[bool]
    on_show: rx.EventHandler[_shown]
    on_more: rx.EventHandler[rx.event.no_args_event_spec]
    on_crash: rx.EventHandler[rx.event.no_args_event_spec]


run_drawer = RunDrawer.create
run_toggle = RunToggle.create
