"""Provide model adapters; only this package imports litellm."""

from agent_core.domain.model_adapter import (
    File,
    Finish,
    HostedCall,
    HostedResult,
    ModelAdapter,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    SizedModel,
    Source,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agent_core.llm.custom import register_custom_provider
from agent_core.llm.litellm_adapter import LitellmModel
from agent_core.llm.litellm_import import close_connections, warm
from agent_core.llm.model_names import check_model_name

__all__ = [
    "File",
    "Finish",
    "HostedCall",
    "HostedResult",
    "LitellmModel",
    "ModelAdapter",
    "ModelEvent",
    "ModelRequest",
    "ReasoningDelta",
    "SizedModel",
    "Source",
    "TextDelta",
    "ToolCallDelta",
    "Usage",
    "check_model_name",
    "close_connections",
    "register_custom_provider",
    "warm",
]
