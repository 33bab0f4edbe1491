"""Run a real nginx in front of a server.

nginx serves the example in docs/how-to/proxy.md, with other ports and a certificate made for the test.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.browser.server import ROOT, free_port_pair
from tests.support.processes import lifeline
from tests.tools.certificate import write_certificate
from tests.tools.debian import NGINX

PATIENCE = 30.0  # seconds until nginx answers
MAIN = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
access_log off;
client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{server}
}}
"""


def example(name: str = "proxy.md") -> str:
    """Return the configuration on a page of docs/how-to."""
    page = (ROOT / "docs" / "how-to" / name).read_text("utf-8")
    found = re.search(r"```nginx\n(.+?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def changed(text: str, changes: dict[str, str]) -> str:
    """Replace parts of the example, and fail if one is missing from it."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def running(to: int, tls: bool, location: str = "/", strips: bool = False) -> Iterator[int]:
    """Run the example in front of a local port for the block, and yield the port that nginx listens on.

    Args:
        to: where the app listens.
        tls: whether nginx serves https.
        location: the path below which the app is, with a trailing slash.
        strips: whether nginx strips the path.
    """
    changes = {
        "location / {": f"location {location} {{",
        "http://127.0.0.1:3000;": f"http://127.0.0.1:{to}{'/' if strips else ''};",
    }
    with _running(changed(example(), changes), tls) as port:
        yield port


@contextlib.contextmanager
def balancing(ports: tuple[int, int]) -> Iterator[int]:
    """Run the example of docs/how-to/web-processes.md in front of two servers, and yield the port of nginx."""
    changes = {f"127.0.0.1:{3000 + n};": f"127.0.0.1:{port};" for n, port in enumerate(ports)}
    with _running(changed(example("web-processes.md"), changes), tls=False) as port:
        yield port


@contextlib.contextmanager
def _running(server: str, tls: bool) -> Iterator[int]:
    program = NGINX.require()
    port = free_port_pair()
    with tempfile.TemporaryDirectory(prefix="nginx-") as folder:
        write_certificate(Path(folder))
        changes = {
            "listen 443 ssl": f"listen 127.0.0.1:{port}{' ssl' if tls else ''}",
            "/etc/ssl/agents": f"{folder}/agents",
        }
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(MAIN.format(folder=folder, server=changed(server, changes)))
        command = [program, "-p", folder, "-e", f"{folder}/error.log", "-c", str(configuration)]
        process = lifeline.start(command, stdin=subprocess.DEVNULL)
        try:
            wait_for(port, process)
            yield port
        finally:
            process.terminate()
            process.wait()
            lifeline.ended(process)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a proxy listens on a port."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it does not listen"
        time.sleep(0.05)
