"""Run a real Caddy in front of a server, with a configuration of container/ or of the docs."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.browser.server import free_port_pair
from tests.support.processes import lifeline
from tests.tools.debian import CADDY
from tests.tools.nginx import wait_for

NAME, PASSWORD = "ann", "secret"
PASSWORD_HASH = "$2b$04$Pl9hGCSVG8u8IeJ341UVe.WWc.d7ykky5957UNcxn8XJLJLj3WLfi"
"""The bcrypt hash of PASSWORD, with as little work as bcrypt allows."""

_GLOBAL = "{\n\tadmin off\n\tauto_https off\n}\n"


@contextlib.contextmanager
def proxying(text: str, changes: Mapping[str, str]) -> Iterator[str]:
    """Run Caddy for the block, and yield its address.

    Args:
        text: the Caddyfile; its `{$ADDRESS}` is a free port on loopback.
        changes: replacements in it, each of which must be there.
    """
    program = CADDY.require()
    address = f"http://localhost:{free_port_pair()}"
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    if _version(program) < (2, 8):
        text = text.replace("basic_auth", "basicauth")  # its name before
    with tempfile.TemporaryDirectory(prefix="caddy-") as folder:
        file = Path(folder) / "Caddyfile"
        file.write_text(_GLOBAL + text)
        command = [program, "run", "--adapter", "caddyfile", "--config", str(file)]
        variables = {
            "ADDRESS": address,
            "NAME": NAME,
            "PASSWORD_HASH": PASSWORD_HASH,
            "XDG_DATA_HOME": folder,
        }
        with (Path(folder) / "log").open("wb") as log:
            process = lifeline.start(
                command, env=os.environ | variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            wait_for(int(address.rpartition(":")[2]), process)
            yield address
        finally:
            process.terminate()
            process.wait()
            lifeline.ended(process)


def _version(program: str) -> tuple[int, int]:
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])
