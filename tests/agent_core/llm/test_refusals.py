"""Refusals of files and of long requests, recognised in each provider's own words."""

from __future__ import annotations

import pytest

from agent_core.errors import ModelError
from agent_core.llm.errors.refusals import NamedWindow, refuses_file, window_named
from tests.providers.loopback import Answer
from tests.support.providers.provider_calls import failure

WINDOWS = {
    "OpenAI": (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
        "Please reduce the length of the messages.",
        NamedWindow(8192, 9000),
    ),
    "OpenAI, both": (
        "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens (4000 in the "
        "messages, 1000 in the completion). Please reduce the length of the messages or completion.",
        NamedWindow(4097, 5000),
    ),
    "OpenAI, GPT-5": (
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
        NamedWindow(272000, 300000),
    ),
    "vLLM": (
        "This model's maximum context length is 8192 tokens. However, your request has 9000 input tokens. Please "
        "reduce the length of the input messages.",
        NamedWindow(8192, 9000),
    ),
    "vLLM, prompt": (
        "The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make sure that "
        "`max_model_len` is no smaller than the number of text tokens.",
        NamedWindow(8192, 9000),
    ),
    "vLLM, max_tokens": (
        "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is 8192 "
        "tokens and your request has 8000 input tokens (1000 > 8192 - 8000).",
        NamedWindow(8192, 0),
    ),
    "llama.cpp": (
        "request (14429 tokens) exceeds the available context size (8192 tokens), try increasing it",
        NamedWindow(8192, 14429),
    ),
    "llama.cpp, fields": (
        '{"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context '
        'size or enable context shift","type":"exceed_context_size_error","n_prompt_tokens":14429,"n_ctx":8192}}',
        NamedWindow(8192, 14429),
    ),
    "llama-cpp-python": ("Requested tokens (2065) exceed context window of 1800", NamedWindow(1800, 2065)),
    "LM Studio": (
        "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context "
        "length of only 4096 tokens, which is not enough.",
        NamedWindow(4096, 9000),
    ),
    "LM Studio, n_ctx": (
        "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 9000>= "
        "n_ctx: 8192). Try to load the model with a larger context length, or provide a shorter input.",
        NamedWindow(8192, 9000),
    ),
    "in few words": ("Prompt has 9000 tokens, exceeding the limit of 8192 tokens.", NamedWindow(8192, 9000)),
    "Together, sum": (
        "The input length (9000 tokens) plus max_tokens 512 must be <= 8193",
        NamedWindow(8193, 9000),
    ),
    "GitHub": ("Request body too large for gpt-4o model. Max size: 8000 tokens.", NamedWindow(8000)),
    "in thousands": ("Context length exceeded: 9k tokens > 8k limit", NamedWindow(8000, 0)),
    "Ollama": ("prompt too long; exceeded max context length by 500 tokens", NamedWindow(excess=500)),
    "Mistral": (
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        NamedWindow(32768, 40000),
    ),
    "TGI": (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and "
        "100 `max_new_tokens`",
        NamedWindow(4096, 5000),
    ),
    "TGI, inputs": (
        "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
        NamedWindow(1024, 2000),
    ),
    "SGLang": (
        "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
        NamedWindow(8192, 9000),
    ),
    "SGLang, both": (
        "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of "
        "9000 tokens: 8000 tokens from the input messages and 1000 tokens for the completion.",
        NamedWindow(8192, 9000),
    ),
    "SGLang, allowed": (
        "Input length (9000 tokens) exceeds the maximum allowed length (8186 tokens).",
        NamedWindow(8186, 9000),
    ),
    "OpenRouter": (
        "This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 tokens (39000 of "
        "text input, 1000 in the output). Please reduce the length of either one.",
        NamedWindow(32768, 40000),
    ),
    "Anthropic": ("prompt is too long: 210000 tokens > 200000 maximum", NamedWindow(200000, 210000)),
    "Anthropic, both": (
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length",
        NamedWindow(200000, 0),
    ),
    "Gemini": (
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        NamedWindow(1048576, 1200000),
    ),
    "Moonshot": (
        "Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)",
        NamedWindow(8192, 9000),
    ),
    "xAI": (
        "This model's maximum prompt length is 131,072 but the request contains 140,000 tokens.",
        NamedWindow(131072, 140000),
    ),
    "Cerebras": (
        "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
        NamedWindow(8192, 9000),
    ),
    "TabbyAPI": ("Prompt length 9000 is greater than max_seq_len 8192", NamedWindow(8192, 9000)),
    "Cohere": (
        "too many tokens: total number of tokens in the prompt cannot exceed 8192 - received 9000. Try using a shorter "
        "prompt.",
        NamedWindow(8192, 9000),
    ),
    "Qwen": ("Range of input length should be [1, 30720]", NamedWindow(30720, 0)),
    "Copilot": ("prompt token count of 9000 exceeds the limit of 8192", NamedWindow(8192, 9000)),
    "TensorRT": ("Prompt length (9000) exceeds maximum input length (8192).", NamedWindow(8192, 9000)),
    "both, compared": ("Context size exceeded: 9000 > 8192", NamedWindow(8192, 9000)),
    "both, as a fraction": ("Token limit exceeded: 9000/8192", NamedWindow(8192, 9000)),
    "a model that supports less": (
        "Prompt has 9000 tokens, but the model only supports 8192",
        NamedWindow(8192, 9000),
    ),
    "thousands": ("The context window of this model is 32k tokens.", NamedWindow(32000, 0)),
    "vLLM, multimodal": (
        "The prompt (total length 9000) is too long to fit into the model (context length 8192). Make sure that "
        "`max_model_len` is no smaller than the number of text tokens plus multimodal tokens.",
        NamedWindow(8192, 9000),
    ),
    "SGLang, KV": (
        "The request's prompt length 9000 exceeds the max total tokens 8192",
        NamedWindow(8192, 9000),
    ),
    "LM Studio, keeping": (
        "Cannot truncate prompt with n_keep (9000) >= n_ctx (4096)",
        NamedWindow(4096, 9000),
    ),
    "LM Studio, midway": (
        "Reached context length of 4096 tokens with model (arch: qwen2) that does not currently support "
        "mid-generation context overflow. Try reloading with a larger context length or shortening the prompt/chat.",
        NamedWindow(4096, 0),
    ),
    "Ollama, counts": ("exceeded context window: requested 9000, limit 8192", NamedWindow(8192, 9000)),
    "Together, parts": (
        "Requested 9000 tokens (8488 in the prompt, 512 for max_tokens) but the model's context is 8193.",
        NamedWindow(8193, 9000),
    ),
    "Mistral, messages": (
        "The total number of tokens in the messages (40000) exceeds the model's max of 32768.",
        NamedWindow(32768, 40000),
    ),
    "Bedrock": (
        "Too many input tokens. Max input tokens: 8192, request input token count: 9000",
        NamedWindow(8192, 9000),
    ),
    "Vertex": (
        "Unable to submit request because the input token count is 32815 but model only supports up to 32767. Reduce "
        "the input token count and try again.",
        NamedWindow(32767, 32815),
    ),
    "NIM": ("The prompt is too long. Prompt tokens: 9000, max tokens: 8192", NamedWindow(8192, 9000)),
    "lmdeploy": ("input tokens + max_new_tokens exceed session_len 8192", NamedWindow(8192, 0)),
    "KoboldCpp": ("Prompt exceeds max context of 4096 tokens.", NamedWindow(4096, 0)),
    "SambaNova": (
        "The provided prompt is 8000 long, so generating 1000 tokens requires a sequence length of 9000, but the maximum "
        "supported sequence length is just 8192!",
        NamedWindow(8192, 9000),
    ),
    "Zhipu": ("输入 token 总数超过模型最大长度限制 8192", NamedWindow(8192, 0)),
    "a narrow space": ("This model’s maximum context length is 8\u202f192 tokens.", NamedWindow(8192, 0)),
    "Groq, a minute's": (
        "Request too large for model `m` in organization `o` service tier `on_demand` on tokens per minute (TPM): Limit "
        "6000, Requested 9000, please reduce your message size and try again.",
        NamedWindow(6000, 9000),
    ),
    "Fireworks": (
        "The prompt is too long: 9000, model maximum context length: 8191",
        NamedWindow(8191, 9000),
    ),
}


@pytest.mark.parametrize("who", WINDOWS)
def test_window_is_read_from_the_words(who: str):
    words, named = WINDOWS[who]
    assert window_named("" if words.startswith("{") else words, words) == named


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Please reduce the length of the messages or completion.",
        "Input is too long for requested model.",
        "temperature must be between 0 and 2",
        "maximum context length is unknown",
        "invalid params, context window exceeds limit (2013)",
        "9" * 400,
    ],
)
def test_words_without_a_window_name_none(words: str):
    assert window_named(words) is None


@pytest.mark.parametrize("who", WINDOWS)
async def test_refusal_for_length_is_known_with_its_window(who: str):
    words, named = WINDOWS[who]
    body = words if words.startswith("{") else {"error": {"message": words, "type": "invalid_request_error"}}
    status = 422 if who.startswith("TGI") else 413 if who.startswith("Groq") else 400
    found = await failure(Answer(status, body.encode() if isinstance(body, str) else body))
    assert (found.kind, found.retryable) == ("context_window_exceeded", False)
    assert window_named(str(found), found.detail) == named


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens: 200000 > 128000, which is the maximum allowed number of output tokens for claude",
        "Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum length 40.",
        "messages: the number of messages exceeds maximum of 2048",
        "tools.0.custom.description: description exceeds maximum length of 1024",
        "Range of max_tokens should be [1, 8192]",
    ],
)
async def test_other_limits_are_not_taken_for_the_window(words: str):
    assert (await failure(Answer(400, {"error": {"message": words}}))).kind == "invalid_request"


FILES = {
    "Anthropic": "Could not process image",
    "Anthropic, path": "messages.0.content.1.image.source.base64.data: The image data is invalid.",
    "Anthropic, PDF": "messages.0.content.0.pdf.source.base64.data: The PDF specified was not valid.",
    "Anthropic, pages": "A maximum of 100 PDF pages may be provided.",
    "OpenAI": "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png']",
    "OpenAI, data": "Invalid MIME type. Only image types are supported.",
    "OpenAI, URL": "Invalid 'messages[0].content[1].image_url.url': Expected a base64-encoded data URL.",
    "OpenAI, model": "Invalid content type. image_url is only supported by certain models.",
    "Gemini": "Unable to process input image. Please retry or report in https://developers.generativeai.google/guide",
    "Gemini, PDF": "The document has no pages.",
    "Gemini, type": "Unsupported MIME type: image/svg+xml",
    "Mistral": "Image could not be loaded as a valid image.",
    "Mistral, model": "Image input is not enabled for this model",
    "Groq": "messages[0].content must be a string",
    "Groq, data": "invalid image data",
    "xAI": "Unsupported image type. Image was not in a valid format (jpg, png).",
    "DeepSeek": "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, expected `text`",
    "Moonshot": "Invalid request: unsupported image format: text/plain",
    "Cerebras": "body.messages.0.user.content.str: Input should be a valid string",
    "OpenRouter": "No endpoints found that support image input",
    "vLLM": "some-model is not a multimodal model",
    "Copilot": "Request body contains unsupported modality",
    "Gemini, URL": "Cannot fetch content from the provided URL.",
    "a Rust server": "messages[0].content: invalid type: sequence, expected a string",
    "a Go server": "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string",
    "Qwen": "height or width must be larger than factor:28",
    "a gateway": "unsupported content part",
    "a JavaScript server": "content: Expected string, received array",
    "Zhipu": "不支持的图像格式",
    "a phone's picture": "heic is not supported",
    "a text server": "This model only supports text content",
    "vLLM, data": "cannot identify image file <_io.BytesIO object at 0x7f>",
    "llama.cpp": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
    "Ollama": "Failed to load image or audio file",
    "LM Studio": "Model does not support images. Please use a model that does.",
}


@pytest.mark.parametrize("who", FILES)
def test_refusal_of_a_file_is_known_by_its_words(who: str):
    assert refuses_file(ModelError(FILES[who], kind="invalid_request", status=400))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Invalid schema for function 'read_file': None is not of type 'object'.", "invalid_request"),
        ("temperature must be at most 2", "invalid_request"),
        ("Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.", "invalid_request"),
        ("Rate limit reached for images per minute", "rate_limited"),
        ("Your account may not send images.", "auth"),
        ("prompt is too long with images: 210000 tokens > 200000 maximum", "context_window_exceeded"),
    ],
)
def test_other_refusals_are_not_taken_for_one_of_a_file(words: str, kind):
    assert not refuses_file(ModelError(words, kind=kind, status=400))
