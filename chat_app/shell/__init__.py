"""The frame around every page: sidebar, reconnecting, and what it loads."""

from chat_app.shell.frame import shell

__all__ = ["shell"]
