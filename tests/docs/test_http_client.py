"""Test that clients on pages of docs/how-to use the page's server over a socket."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from agent_core.testing import eventually
from tests.support.docs.doc_pages import environment, run, steps

PORT = 8000  # as on the page


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    server = subprocess.Popen([sys.executable, "server.py"], cwd=folder, env=environment(folder))
    try:
        yield server
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.parametrize(("page", "path"), [("http-client", "/agents/threads"), ("openai", "/v1/models")])
async def test_the_client_prints_the_answer_that_the_server_streams(page: str, path: str, tmp_path: Path):
    port, outputs = str(free_port()), list[str]()
    for name, text in steps(f"how-to/{page}.md"):
        if name == "$":
            outputs.append(text.split("\n", 1)[1])
        else:
            assert str(PORT) in text
            (tmp_path / name).write_text(text.replace(str(PORT), port), encoding="utf-8")

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}").status_code == 200
        except httpx.TransportError:
            return False

    with served(tmp_path):
        await eventually(answers, 60)
        assert [run(tmp_path, sys.executable, "client.py")] == outputs
