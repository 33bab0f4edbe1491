"""litellm itself: imported late, once, off the event loop, and told to be quiet.

The import takes seconds and 170 MB, so it must never happen on a page's path.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import threading
import warnings
from types import ModuleType
from typing import Any

from agent_core.llm.custom import register_custom_providers

_lock = threading.Lock()
_litellm: ModuleType | None = None


def warm() -> threading.Thread:
    """Start importing litellm in the background; returns the thread, which a test may join."""
    thread = threading.Thread(target=_import, name="warm-litellm", daemon=True)
    thread.start()
    return thread


async def litellm_module() -> Any:
    """Return the litellm module; the first caller waits for its import, off the event loop."""
    library = _litellm or await asyncio.to_thread(_import)
    register_custom_providers(library)
    return library


def loaded() -> Any:
    """Return the litellm module; it is imported here and now if nobody waited for it before."""
    return _litellm or _import()


async def close_connections() -> None:
    """Close the connections to providers that this event loop keeps open.

    For programs that go on after their event loop, such as tests: litellm remembers its clients by the
    loop's address, which a later loop may have again. No request may be under way.
    """
    if _litellm is None:
        return
    clients: dict[str, Any] = _litellm.in_memory_llm_clients_cache.cache_dict
    ours = f"-{id(asyncio.get_running_loop())}"
    for key in [key for key in clients if key.endswith(ours)]:
        client = clients.pop(key)
        close = getattr(client, "close", None) or getattr(client, "aclose", None)
        if close is not None:
            await close()
    # This client is made at import and used again, so only its connections may go.
    transport = getattr(_litellm.module_level_aclient.client, "_transport", None)
    if transport is not None:
        await transport.aclose()


def _import() -> ModuleType:
    global _litellm
    with _lock:
        if _litellm is None:
            # Otherwise litellm fetches a price map from the net while it is imported.
            os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            library = importlib.import_module("litellm")
            _silence(library)
            _litellm = library
        return _litellm


def _silence(library: Any) -> None:
    """Errors reach the thread as sentences; banners, telemetry and tracebacks reach nobody."""
    library.suppress_debug_info = True
    library.telemetry = False
    library.disable_streaming_logging = True
    library.turn_off_message_logging = True
    library.disable_hf_tokenizer_download = True  # where there is no net it tries for half a minute
    # Its types promise what pydantic does not hold, which pydantic says when they are first used.
    warnings.filterwarnings("ignore", message=r"Items? .* on TypedDict class", category=UserWarning)
    if not os.environ.get("LITELLM_LOG"):
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
