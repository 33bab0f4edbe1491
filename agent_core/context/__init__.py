"""The context: what is sent fits the model. A policy decides what of a thread goes along."""

from agent_core.context.policy import ContextPolicy, ContextRequest, ContextResult
from agent_core.context.summarise import SummariseOldest
from agent_core.context.trim import TrimOldest

__all__ = ["ContextPolicy", "ContextRequest", "ContextResult", "SummariseOldest", "TrimOldest"]
