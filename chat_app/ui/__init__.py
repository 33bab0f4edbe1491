"""Shared components: controls, times, page columns and styles, also for the pages of extensions."""

from chat_app.ui import styles
from chat_app.ui.controls import button, icon, icon_button, keyed, testid
from chat_app.ui.page_column import column, section, sheet, thread_note

__all__ = [
    "button",
    "column",
    "icon",
    "icon_button",
    "keyed",
    "section",
    "sheet",
    "styles",
    "testid",
    "thread_note",
]
