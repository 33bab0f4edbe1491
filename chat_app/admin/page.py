"""Sections of the admin page, in the order of their tabs; modules of other rooms add theirs after these."""

from chat_app.admin import work  # noqa: F401, I001 (each registers its section on import)
from chat_app.admin import webhooks  # noqa: F401
