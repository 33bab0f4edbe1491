"""Count the tokens of texts, and look up the context windows of models.

Only this module uses litellm's model table and tokenizer for this. Both are local files. A model's own
tokenizer would have to be downloaded, so tokens are counted with OpenAI's, plus a margin.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

_OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens")
_OPENAI = re.compile(r"(^|/)(chat)?(gpt-|o[1-9](-|$))")
_OWN, _CLAUDE, _OTHER = 1.02, 1.3, 1.2
"""Approximate maximum ratio of tokens to those of OpenAI's older tokenizer: OpenAI's newer tokenizers find
fewer, most others more."""

_MAX_COUNTED_TEXTS = 20_000  # cached counts; the older half is dropped
_MAX_WINDOWS = 1_000
_WINDOW_TIMEOUT = 3.0  # seconds for a server to return its model's window
_WINDOW_RETRY_INTERVAL = 60.0  # seconds after which an unknown window is looked up again

_counted: dict[tuple[int, int], int] = {}
_windows: dict[tuple[str, Any, Any], tuple[int | None, float]] = {}


def estimate_tokens(text: str) -> int:
    """Return an estimate of a text's tokens without a tokenizer, rather too high than too low.

    English and code have about four bytes per token; a letter outside of ASCII is at worst one token
    in common text.
    """
    if text.isascii():
        return math.ceil(len(text) / 3.5)
    ascii_letters = len(text.encode("ascii", "ignore"))
    return math.ceil(ascii_letters / 3.5) + len(text) - ascii_letters


def most_tokens(text: str) -> int:
    """Return an upper bound of a text's tokens: every token is at least one byte of UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


async def context_window(litellm: Any, model: str, options: Mapping[str, Any]) -> int | None:
    """Return the tokens that a request to `model` may have, with room for its answer; None: unknown.

    The room is `max_tokens` of the options, else the model's maximum, within reason. Requests to Claude
    always ask for the longest answer, and Claude rejects a request that leaves less room than that.
    """
    limit = next(
        (limit for name in _OUTPUT_LIMITS if isinstance(limit := options.get(name), int) and limit > 0), None
    )
    key = (model, options.get("api_base"), limit)
    window, until = _windows.get(key, (None, 0.0))
    if time.monotonic() < until:
        return window
    with contextlib.suppress(TimeoutError):
        window = await asyncio.wait_for(asyncio.to_thread(_look_up, litellm, *key), _WINDOW_TIMEOUT)
    if len(_windows) >= _MAX_WINDOWS:
        _windows.clear()
    _windows[key] = window, time.monotonic() + (_WINDOW_RETRY_INTERVAL if window is None else math.inf)
    return window


def _look_up(litellm: Any, model: str, api_base: str | None, limit: int | None) -> int | None:
    """Look up the window in litellm's table; for a local server (Ollama) litellm queries the server."""
    try:
        info: dict[str, Any] = litellm.get_model_info(model, api_base=api_base)
    except Exception:  # it raises a bare Exception for a model that is not in its table
        return None
    window = info.get("max_input_tokens") or info.get("max_tokens")
    if not isinstance(window, int) or window <= 0:
        return None
    room = limit if limit is not None else info.get("max_output_tokens") or 0
    within = window // 8 if limit is None and "claude" not in model else window * 2 // 3
    return window - min(room, within)


def count_tokens(litellm: Any, model: str, text: str) -> int:
    """Return the number of tokens of a text for `model`; counts are cached.

    Takes about 8 ms for 100 KB; thread-safe.
    """
    key = (hash(text), len(text))
    count = _counted.get(key)
    if count is None:
        if len(_counted) >= _MAX_COUNTED_TEXTS:
            for old in list(_counted)[: _MAX_COUNTED_TEXTS // 2]:
                _counted.pop(old, None)
        count = _counted[key] = _encoded(litellm.encode, text)
    return math.ceil(count * _margin(model))


def _encoded(encode: Callable[..., Any], text: str) -> int:
    try:
        return len(encode(text=text))
    except Exception:  # a missing tokenizer must not fail the request
        return estimate_tokens(text)


def _margin(model: str) -> float:
    if "claude" in model:
        return _CLAUDE
    return _OWN if _OPENAI.search(model) else _OTHER
