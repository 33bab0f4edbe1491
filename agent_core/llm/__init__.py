"""Models: the adapter's protocol and its events. litellm is known to this package only."""

from agent_core.llm.base import (
    Finish,
    ModelAdapter,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

__all__ = [
    "Finish",
    "ModelAdapter",
    "ModelEvent",
    "ModelRequest",
    "ReasoningDelta",
    "TextDelta",
    "ToolCallDelta",
    "Usage",
]
