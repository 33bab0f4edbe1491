"""The app's own sections of the admin page, which their modules register on import."""

from chat_app.admin import failures, keys, mcp_servers, people, schedules, storage, usage, webhooks, work

__all__ = ["failures", "keys", "mcp_servers", "people", "schedules", "storage", "usage", "webhooks", "work"]
