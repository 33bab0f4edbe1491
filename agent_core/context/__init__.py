"""Fit the history of a thread into the model's context window, by a policy."""

from agent_core.context.policy import ContextPolicy, ContextRequest, ContextResult, TrimOldest
from agent_core.context.summary import SummariseOldest

__all__ = ["ContextPolicy", "ContextRequest", "ContextResult", "SummariseOldest", "TrimOldest"]
