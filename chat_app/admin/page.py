"""The app's own sections of the admin page, which their modules register on import."""

from chat_app.admin import failures, schedules, storage, usage, webhooks, work

__all__ = ["failures", "schedules", "storage", "usage", "webhooks", "work"]
