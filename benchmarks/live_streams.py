"""Number of live streams that one process can carry, from the provider's socket to the rows.

A provider in another process sends every stream 50 tokens a second. Each token is its own time of sending, so
the stored rows show how long the token took (deltas are flushed every 100 ms, which accounts for 50 ms on
average). The same run reads the same streams through litellm's own wrapper for comparison.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent_core import Agent, Runtime, Workpool, define_agent_api
from agent_core.llm import LitellmModel
from benchmarks.report import heading, row

COUNTS, PACE = (20, 60, 100), 50
SETTLE, WINDOW = 2.0, 4.0
TOKENS = int(PACE * (SETTLE + WINDOW + 2))  # finite, so that an overloaded reader ends, too
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


# The provider's process


async def stream_tokens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request with tokens at a steady pace, without catching up after a late one."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        due = asyncio.get_running_loop().time()
        for _ in range(TOKENS):
            writer.write(event(f"{time.time():.4f} "))
            await writer.drain()
            due = max(due + 1 / PACE, asyncio.get_running_loop().time())
            await asyncio.sleep(due - asyncio.get_running_loop().time())
        end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(end), end))
        await writer.drain()
    writer.close()


def event(text: str) -> bytes:
    """Return one chunk of OpenAI's streaming dialect, framed for HTTP."""
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    body = {
        "id": "chatcmpl-A1B2C3D4E5F6G7H8I9J0K1L2M3N4O",
        "object": "chat.completion.chunk",
        "created": 1735689600,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [choice],
        "usage": None,
    }
    data = b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


async def serve() -> None:
    """Serve until killed, and print the port on stdout."""
    server = await asyncio.start_server(stream_tokens, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """Run the provider and yield its base URL."""
    command = [sys.executable, "-m", "benchmarks.live_streams", "provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


# This library


class Wrapped(LitellmModel):
    """The same model, read through litellm's stream wrapper."""

    direct = False


async def carry(database: Path, model: LitellmModel, count: int) -> tuple[float, float, float]:
    """Carry `count` streams for a while; return the share of one core and the window's start and end."""
    async with Runtime(f"sqlite:///{database}", workpool=Workpool(max_parallelism=count)) as runtime:
        api = define_agent_api(runtime, Agent(name="bench", model=model))
        threads = [await api.create_thread("Go.") for _ in range(count)]
        await asyncio.sleep(SETTLE)
        began, worked = time.time(), time.process_time()
        await asyncio.sleep(WINDOW)
        share = (time.process_time() - worked) / (time.time() - began)
        ended = time.time()
        for thread in threads:
            await api.stop_thread(thread.id)
    return share, began, ended


def lags(database: Path, began: float, ended: float) -> list[float]:
    """Return, for each token stored in the window, the seconds from sending to storing."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "select created_at, chunks from agent_delta where created_at between ? and ?", (began, ended)
        ).fetchall()
    return [
        stored - float(sent)
        for stored, chunks in rows
        for chunk in json.loads(chunks)
        if chunk["type"] == "text-delta"
        for sent in chunk["delta"].split()
    ]


def measure(name: str, kind: type[LitellmModel], url: str, count: int) -> float:
    """Measure and print one case; return its CPU seconds per chunk."""
    model = kind("openai/gpt-4o-mini", api_base=url, api_key="none")
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "agents.db")
        share, began, ended = asyncio.run(carry(database, model, count))
        found = lags(database, began, ended)
    rate = len(found) / (ended - began)
    slow = statistics.quantiles(found, n=100)[98] * 1e3
    row(
        f"{count} streams, {name}",
        share * 100,
        "% of core",
        f"{rate / (count * PACE):.0%} of the tokens carried",
    )
    row("    from sent to stored, median", statistics.median(found) * 1e3, "ms", f"p99 {slow:,.0f} ms")
    row("    CPU", share / rate * 1e6, "us/chunk", f"one core carries {rate / share / PACE:.0f} such streams")
    return share / rate


def main() -> None:
    """Print the figures of each count, direct and wrapped, and the wrapper's cost."""
    if sys.argv[1:] == ["provider"]:
        asyncio.run(serve())
        return
    heading(f"Live streams of {PACE} tokens/s in one process (the provider's CPU excluded)")
    with provider() as url:
        for count in COUNTS:
            direct = measure("direct", LitellmModel, url, count)
            if count > 60:
                continue  # the event loop would fall hours behind
            wrapped = measure("litellm's wrapper", Wrapped, url, count)
            row("    the wrapper's CPU a chunk", wrapped / direct, "times")


if __name__ == "__main__":
    main()
