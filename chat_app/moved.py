"""Old module names that extensions may import, forwarded for one release."""

MOVED = {
    "chat_app.components": "chat_app.ui",
    "chat_app.components.controls": "chat_app.ui.controls",
    "chat_app.components.sheet": "chat_app.ui.page_column",
    "chat_app.components.shell": "chat_app.shell.frame",
    "chat_app.state": "chat_app.session",
    "chat_app.state.service": "chat_app.session.service",
    "chat_app.state.view": "chat_app.thread.views",
    "chat_app.styles": "chat_app.ui.styles",
    "chat_app.words": "chat_app.i18n",
}
"""New name of each module, by its old name."""
