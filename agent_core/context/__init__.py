"""Fit the history of a thread into the model's context window, by a policy."""

from agent_core.context.policy import ContextPolicy, ContextRequest, ContextResult
from agent_core.context.summarise import SummariseOldest
from agent_core.context.trim import TrimOldest

__all__ = ["ContextPolicy", "ContextRequest", "ContextResult", "SummariseOldest", "TrimOldest"]
