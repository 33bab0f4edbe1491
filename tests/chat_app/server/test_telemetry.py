"""Traces of the app, to the collector that OpenTelemetry's own variables name."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat_app.server.preflight import NotReadyError
from chat_app.server.telemetry import require_tracing
from tests.support.docs.programs import run_program

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROGRAM = """
import asyncio, os

os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "{address}"
os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "60"

from agent_core import Agent, Runtime, define_internal_agent_api
from agent_core.testing import ScriptedModel
from chat_app.server import telemetry

telemetry._FLUSH_TIMEOUT = {patience}


async def main():
    async with Runtime("sqlite:///agents.db") as runtime, telemetry.exported_traces(runtime):
        api = define_internal_agent_api(runtime, Agent("assistant", ScriptedModel([["Yes."]])))
        thread = await api.create_thread("Hi")
        print((await api.wait_until_idle(thread.id)).status)


asyncio.run(main())
"""


def test_missing_package_is_named_unless_no_traces_are_wanted() -> None:
    require_tracing({})
    set_to = {ENDPOINT: "http://localhost:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(
        NotReadyError, match=f"{ENDPOINT} is set.*pip install opentelemetry-exporter-otlp-proto-grpc"
    ):
        require_tracing(set_to)
    require_tracing(set_to | {"OTEL_SDK_DISABLED": "true"})
    require_tracing(set_to | {"OTEL_TRACES_EXPORTER": "none"})


def test_last_spans_are_exported_before_the_process_ends(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="requirements-dev.txt has it")
    from tests.support.servers.collector import collector

    require_tracing({ENDPOINT: "http://localhost:4318"})
    with collector() as (address, received):
        out, err, code = run_program(PROGRAM.format(address=address, patience=60), cwd=tmp_path)
    assert (out, err, code) == ("completed", "", 0)
    found = {(service, span.name) for service, span in received}
    assert found == {("reflex-durable-agents", name) for name in ("chat scripted", "invoke_agent assistant")}


def test_collector_that_does_not_answer_holds_up_nothing(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="requirements-dev.txt has it")
    program = PROGRAM.format(address="http://127.0.0.1:9", patience=0.1)
    out, _, code = run_program(program, cwd=tmp_path, strict=False)
    assert (out, code) == ("completed", 0)
