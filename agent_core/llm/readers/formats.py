"""List the formats of answers: a reader for each supported decoder of litellm."""

from __future__ import annotations

from typing import Any

from agent_core.llm.readers.anthropic import AnthropicReader
from agent_core.llm.readers.cohere import CohereReader
from agent_core.llm.readers.gemini import GeminiReader
from agent_core.llm.readers.ollama import OllamaReader
from agent_core.llm.readers.openai_chat import ChatReader, XaiReader
from agent_core.llm.readers.openai_responses import ResponsesReader
from agent_core.llm.readers.reader import AnswerReader

RESPONSES = (
    "litellm.completion_extras.litellm_responses_transformation.transformation"
    ".OpenAiResponsesToChatCompletionStreamIterator"
)

_READERS: dict[str, type[AnswerReader]] = {
    RESPONSES: ResponsesReader,
    "litellm.llms.anthropic.chat.handler.ModelResponseIterator": AnthropicReader,
    "litellm.llms.cohere.common_utils.CohereV2ModelResponseIterator": CohereReader,
    "litellm.llms.fireworks_ai.chat.transformation.FireworksAIChatCompletionStreamingHandler": ChatReader,
    "litellm.llms.groq.chat.transformation.GroqChatCompletionStreamingHandler": ChatReader,
    "litellm.llms.mistral.chat.transformation.MistralChatResponseIterator": ChatReader,
    "litellm.llms.ollama.chat.transformation.OllamaChatCompletionResponseIterator": OllamaReader,
    "litellm.llms.openai.chat.gpt_transformation.OpenAIChatCompletionStreamingHandler": ChatReader,
    "litellm.llms.openrouter.chat.transformation.OpenRouterChatCompletionStreamingHandler": ChatReader,
    "litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini.ModelResponseIterator": GeminiReader,
    "litellm.llms.xai.chat.transformation.XAIChatCompletionStreamingHandler": XaiReader,
}


def decoder_name(stream: object) -> str:
    """Return the name of litellm's decoder if its format is supported, else ""."""
    name = f"{type(stream).__module__}.{type(stream).__qualname__}"
    return name if name in _READERS and hasattr(stream, "streaming_response") else ""


def reader_of(decoder: str, stream: Any = None) -> AnswerReader:
    """Return a reader for one of litellm's decoders by its name; "" is OpenAI's format."""
    return _READERS.get(decoder, ChatReader)(stream)
