"""Export traces of the app's agents to a collector, if a variable of OpenTelemetry's SDK names one.

The variables are the SDK's own (https://opentelemetry.io/docs/specs/otel/protocol/exporter/); the app adds none.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from agent_core import Runtime
from agent_core.support.logs import get_logger
from chat_app.server.preflight import NotReadyError

# The libraries are optional:
# pyright: reportMissingImports=false

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVICE = "reflex-durable-agents"
_FLUSH_TIMEOUT = 5.0  # seconds that the last spans get at the end of the process
_log = get_logger(__name__)


def require_tracing(environment: Mapping[str, str]) -> None:
    """Check that what traces need is installed, if the environment names a collector.

    Raises:
        NotReadyError: it is not.
    """
    if (endpoint := _endpoint(environment)) is None or _is_installed(_exporter(environment)):
        return
    package = f"opentelemetry-exporter-otlp-proto-{_transport(environment)}"
    raise NotReadyError(
        f"{endpoint} is set, but the package {package} is not installed. Install it "
        f"(.venv/bin/python -m pip install {package}), or unset the variable."
    )


@asynccontextmanager
async def exported_traces(runtime: Runtime) -> AsyncGenerator[None]:
    """Export traces of a runtime for a block, if the environment names a collector."""
    if _endpoint(os.environ) is None:
        yield
        return
    from agent_core.monitoring.tracing import Tracing

    provider = _provider(runtime.store.process)
    tracing = Tracing(runtime)
    try:
        yield
    finally:
        tracing.close()
        if provider is not None:
            await _end(provider)


def _endpoint(environment: Mapping[str, str]) -> str | None:
    """Return the variable that names a collector for traces; None if there is none, or traces are disabled."""
    is_disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_disabled or environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return None
    return next((name for name in _ENDPOINTS if environment.get(name, "").strip()), None)


def _transport(environment: Mapping[str, str]) -> str:
    common = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", common)
    return "grpc" if protocol.strip().lower() == "grpc" else "http"


def _exporter(environment: Mapping[str, str]) -> str:
    return f"opentelemetry.exporter.otlp.proto.{_transport(environment)}.trace_exporter"


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _provider(process: str) -> Any:
    """Make a provider with an exporter the global one; return None if auto-instrumentation has made one already."""
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    named = os.environ.get("OTEL_SERVICE_NAME", "") + os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    service = {} if named else {"service.name": _SERVICE}
    resource = Resource.create({**service, "service.instance.id": process})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(importlib.import_module(_exporter(os.environ)).OTLPSpanExporter())
    )
    trace.set_tracer_provider(provider)
    _log.info("Traces are exported, as %s says.", _endpoint(os.environ))
    return provider


async def _end(provider: Any) -> None:
    """Export the last spans; a collector that does not answer delays the end by a few seconds at most."""
    ending = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
    ending.start()
    await asyncio.to_thread(ending.join, _FLUSH_TIMEOUT)
