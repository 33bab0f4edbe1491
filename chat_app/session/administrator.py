"""State with whether the user of a tab may administer the app, for links to the admin page."""

import reflex as rx

from agent_core.errors import AccessDeniedError
from chat_app.extensions import check_may_administer
from chat_app.session.service import ApiCaller


class Administrator(ApiCaller, rx.State):
    """State of the links to the admin page; it hides, and every event of that page checks again.

    Attributes:
        may, denied: whether the user may administer the app, and may not; both are False until it is known.
    """

    may: bool = False
    denied: bool = False

    @rx.event
    def look(self):
        """Find out whether the user may."""
        try:
            check_may_administer(self._ctx())
            self.may = True
        except AccessDeniedError:
            self.may = False
        self.denied = not self.may
