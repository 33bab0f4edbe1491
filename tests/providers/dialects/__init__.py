"""Dialects of model providers as raw bytes on loopback, each as strict as the real provider.

async with serving(DIALECTS["anthropic"], [Thought("Hm."), Use("clock")], ["It is late."]) as server:
    agent = Agent("a", server.dialect.model, tools=[clock], **server.options)
    …
    assert server.violations == []
"""

from tests.providers.dialects.anthropic import Anthropic
from tests.providers.dialects.compatible import (
    Cerebras,
    Deepseek,
    GeminiOpenai,
    Groq,
    Mistral,
    Moonshot,
    Openrouter,
    Vllm,
    Xai,
)
from tests.providers.dialects.dialect import Dialect
from tests.providers.dialects.gemini import Gemini, GeminiWithoutIds
from tests.providers.dialects.ollama import Ollama
from tests.providers.dialects.openai import Openai
from tests.providers.dialects.responses import Responses
from tests.providers.dialects.script import Item, Ran, Reply, Thought, Use
from tests.providers.dialects.server import DialectServer, serving

DIALECTS: dict[str, Dialect] = {
    "anthropic": Anthropic(),
    "gemini": Gemini(),
    "gemini-2.5": GeminiWithoutIds(),
    "gemini-openai": GeminiOpenai(),
    "openai": Openai(),
    "responses": Responses(),
    "deepseek": Deepseek(),
    "mistral": Mistral(),
    "groq": Groq(),
    "xai": Xai(),
    "openrouter": Openrouter(),
    "ollama": Ollama(),
    "vllm": Vllm(),
    "cerebras": Cerebras(),
    "moonshot": Moonshot(),
}

__all__ = ["DIALECTS", "Dialect", "DialectServer", "Item", "Ran", "Reply", "Thought", "Use", "serving"]
