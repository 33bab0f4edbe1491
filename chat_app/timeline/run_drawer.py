"""The run timeline beside the messages: what ran for this thread, when, where and at what cost."""

import reflex as rx

from chat_app.timeline import react
from chat_app.timeline.timeline import Timeline


@rx.memo
def run_drawer() -> rx.Component:
    """The one component that reads `Timeline`, so that nothing else renders when it changes."""
    return react.run_drawer(
        shown=Timeline.shown,
        turn=Timeline.turn,
        earlier=Timeline.earlier,
        more=Timeline.more,
        held=Timeline.held,
        at=Timeline.at,
        demo=Timeline.demo,
        on_show=Timeline.show,
        on_more=Timeline.show_earlier,
        on_crash=Timeline.crash,
    )
