"""List the formats of answers, with a reader and a token count for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, cast

from agent_core.llm.readers.anthropic import AnthropicReader
from agent_core.llm.readers.cohere import CohereReader
from agent_core.llm.readers.gemini import GeminiReader
from agent_core.llm.readers.ollama import OllamaReader
from agent_core.llm.readers.openai_chat import JsonReader
from agent_core.llm.readers.openai_responses import ResponsesReader
from agent_core.llm.readers.reader import AnswerReader, Json

_ANTHROPIC = "litellm.llms.anthropic.chat.handler.ModelResponseIterator"
_COHERE = "litellm.llms.cohere.common_utils.CohereV2ModelResponseIterator"
_GEMINI = "litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini.ModelResponseIterator"
_OLLAMA = "litellm.llms.ollama.chat.transformation.OllamaChatCompletionResponseIterator"
RESPONSES = (
    "litellm.completion_extras.litellm_responses_transformation.transformation"
    ".OpenAiResponsesToChatCompletionStreamIterator"
)
_XAI = "litellm.llms.xai.chat.transformation.XAIChatCompletionStreamingHandler"

DECODERS = frozenset(
    {
        *(_ANTHROPIC, _COHERE, _GEMINI, _OLLAMA, _XAI, RESPONSES),
        "litellm.llms.fireworks_ai.chat.transformation.FireworksAIChatCompletionStreamingHandler",
        "litellm.llms.groq.chat.transformation.GroqChatCompletionStreamingHandler",
        "litellm.llms.mistral.chat.transformation.MistralChatResponseIterator",
        "litellm.llms.openai.chat.gpt_transformation.OpenAIChatCompletionStreamingHandler",
        "litellm.llms.openrouter.chat.transformation.OpenRouterChatCompletionStreamingHandler",
    }
)
"""litellm's decoders of supported formats; those not named below are variants of OpenAI's."""


@dataclass(frozen=True, slots=True)
class Form:
    """A format of answers.

    Attributes:
        reader: the reader of its values.
        keys: keys of which each value has at least one.
        usage: returns the reader's usage as litellm's object, or None.
    """

    reader: AnswerReader
    keys: frozenset[str]
    usage: Callable[[], Any]

    def knows(self, value: Mapping[str, Any]) -> bool:
        """Return whether a value can be of this format."""
        return not self.keys.isdisjoint(value)


def decoder_name(stream: object) -> str:
    """Return the name of litellm's decoder if its format is supported, else ""."""
    kind = type(stream)
    name = f"{kind.__module__}.{kind.__qualname__}"
    return name if name in DECODERS and hasattr(stream, "streaming_response") else ""


def form_of(litellm: Any, decoder: str, stream: Any = None) -> Form:
    """Return the format of one of litellm's decoders; "" is OpenAI's."""
    if decoder == _ANTHROPIC:
        claude = AnthropicReader(getattr(stream, "tool_name_reverse_map", None))
        return Form(claude, frozenset({"type"}), partial(_anthropic, claude, getattr(stream, "speed", None)))
    if decoder == _COHERE:
        cohere = CohereReader()
        keys = frozenset({"type", "message", "finish_reason"})
        return Form(cohere, keys, partial(_counted, litellm, cohere, "input_tokens", "output_tokens"))
    if decoder == _GEMINI:
        gemini = GeminiReader()
        return Form(
            gemini, frozenset({"candidates", "promptFeedback", "usageMetadata"}), partial(_gemini, gemini)
        )
    if decoder == _OLLAMA:
        ollama = OllamaReader()
        return Form(
            ollama,
            frozenset({"message", "done"}),
            partial(_counted, litellm, ollama, "prompt_eval_count", "eval_count"),
        )
    if decoder == RESPONSES:
        responses = ResponsesReader()
        return Form(responses, frozenset({"type", "output"}), partial(_responses, responses))
    reader = JsonReader()
    usage = partial(_xai if decoder == _XAI else _openai, litellm, reader)
    return Form(reader, frozenset({"choices"}), usage)


def _merged(usages: list[Json]) -> Json:
    """Return the newest value of each count; some providers report usage with every chunk."""
    return {key: value for usage in usages for key, value in usage.items() if value is not None}


def _openai(litellm: Any, reader: AnswerReader) -> Any:
    newest = _merged(reader.usages)
    if not newest:
        return None
    total = (newest.get("prompt_tokens") or 0) + (newest.get("completion_tokens") or 0)
    return litellm.Usage(**newest | {"total_tokens": total})


def _xai(litellm: Any, reader: AnswerReader) -> Any:
    """Count like litellm for xAI, whose completion tokens exclude reasoning."""
    newest = _merged(reader.usages)
    if newest:
        config = import_module("litellm.llms.xai.chat.transformation").XAIChatConfig
        config.fold_reasoning_tokens_into_completion(newest)
        reader.usages = [newest]
    return _openai(litellm, reader)


def _anthropic(reader: AnthropicReader, speed: Any) -> Any:
    newest = _merged(reader.usages)
    if not newest:
        return None
    config = import_module("litellm.llms.anthropic.chat.transformation").AnthropicConfig()
    return config.calculate_usage(usage_object=newest, reasoning_content=reader.thought or None, speed=speed)


def _gemini(reader: AnswerReader) -> Any:
    newest = _merged(reader.usages)
    if not newest:
        return None
    module = import_module("litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini")
    return module.VertexGeminiConfig.calculate_usage({"usageMetadata": newest})


def _responses(reader: AnswerReader) -> Any:
    newest = _merged(reader.usages)
    if not newest:
        return None
    logging = import_module("litellm.responses.utils").ResponseAPILoggingUtils
    return logging.transform_response_api_usage_to_chat_usage(newest)


def _counted(litellm: Any, reader: AnswerReader, was_read: str, was_written: str) -> Any:
    newest = _merged(reader.usages)
    if not newest:
        return None
    read, written = cast(int, newest.get(was_read, 0)), cast(int, newest.get(was_written, 0))
    return litellm.Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)
