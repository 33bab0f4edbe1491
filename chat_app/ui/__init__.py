"""What every room draws with: controls, times, copying and the look. The names here are for pages of others, too."""

from chat_app.ui import styles
from chat_app.ui.controls import button, icon, icon_button, keyed, testid
from chat_app.ui.page_column import section, sheet, thread_note

__all__ = [
    "button",
    "icon",
    "icon_button",
    "keyed",
    "section",
    "sheet",
    "styles",
    "testid",
    "thread_note",
]
