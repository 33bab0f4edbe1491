"""Frame around every page: sidebar, reconnection, and events that run when a page opens."""

from chat_app.shell.frame import shell

__all__ = ["shell"]
