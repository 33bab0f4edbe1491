"""Deliver events at least once, to a function or as signed webhooks."""

from agent_core.outbox.outbox import Outbox
from agent_core.outbox.webhook import Webhook

__all__ = ["Outbox", "Webhook"]
