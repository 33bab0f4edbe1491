"""Import litellm lazily, once, off the event loop, without its log output.

The import takes seconds and 170 MB, so it must never delay a page.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import threading
import warnings
from collections.abc import Generator
from types import ModuleType
from typing import Any

from agent_core.llm.custom import register_custom_providers

_lock = threading.Lock()
_litellm: ModuleType | None = None


def warm() -> threading.Thread:
    """Import litellm in a background thread, and return the thread, for tests to join."""
    thread = threading.Thread(target=_import, name="warm-litellm", daemon=True)
    thread.start()
    return thread


async def litellm_module() -> Any:
    """Return the litellm module; the first caller waits for its import, off the event loop."""
    library = _litellm or await asyncio.to_thread(_import)
    register_custom_providers(library)
    return library


def loaded() -> Any:
    """Return the litellm module; import it synchronously if that has not happened yet."""
    return _litellm or _import()


async def close_connections() -> None:
    """Close this event loop's connections to providers.

    For programs that outlive their event loop, such as tests: litellm caches clients by the address of the
    loop, which a later loop may reuse. No request may be running.
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
    # This client is made at import and reused, so only its connections are closed.
    transport = getattr(_litellm.module_level_aclient.client, "_transport", None)
    if transport is not None:
        await transport.aclose()


def _import() -> ModuleType:
    global _litellm
    with _lock:
        if _litellm is None:
            # Otherwise the import of litellm downloads a price map.
            os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            with _paused_collections():
                library = importlib.import_module("litellm")
            _silence(library)
            _litellm = library
        return _litellm


@contextlib.contextmanager
def _paused_collections() -> Generator[None]:
    """Pause the garbage collector, which would look at the growing library again and again: a quarter of the import."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _silence(library: Any) -> None:
    """Disable banners, telemetry and logged tracebacks; errors are raised anyway."""
    library.suppress_debug_info = True
    library.telemetry = False
    library.disable_streaming_logging = True
    library.turn_off_message_logging = True
    library.disable_hf_tokenizer_download = True  # without a network it retries for half a minute
    # pydantic warns about its types when they are first used.
    warnings.filterwarnings("ignore", message=r"Items? .* on TypedDict class", category=UserWarning)
    if not os.environ.get("LITELLM_LOG"):
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
