"""A throwaway copy of this machine: with systemd as its first process, no network but loopback, and nothing kept.

systemd-nspawn starts it on this machine's files, which it sees under a layer of its own (`--volatile=overlay`).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.support.processes import lifeline
from tests.tools.debian import NSPAWN

_PATIENCE = 60.0  # seconds until it has started
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The files of this machine are bound in a mount namespace, so that nobody else sees, or deletes, them at that place.
_BOUND = ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount --bind / "$0" && exec "$@"']
_OPTIONS = (
    *("--volatile=overlay", "--private-network", "--register=no", "--keep-unit"),
    *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"),
)


class Machine:
    """A machine that runs, in which `run` is root's shell."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid")
        self._inside = ["nsenter", "--target", str(leader), *namespaces, "--root", "--wd", "env", "-i"]

    def run(self, script: str, **variables: str) -> str:
        """Run lines of a shell as root, which end at the first that fails; return what they print.

        Raises:
            AssertionError: one has failed; the message has the output.
        """
        assert _is_apart(self._leader), "the machine has ended"
        variables = {"HOME": "/root", "PATH": _PATH, "LANG": "C.UTF-8"} | variables
        settings = [f"{name}={value}" for name, value in variables.items()]
        command = [*self._inside, *settings, "bash", "-ec", script]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Write a file."""
        self.run(f'printf %s "$text" > {path}; chmod {mode} {path}', text=text)


@contextlib.contextmanager
def machine(binds: Mapping[Path, str]) -> Iterator[Machine]:
    """Start a machine for the block; the test is skipped without root's rights, or where systemd-nspawn cannot start one.

    Args:
        binds: folders of this machine, and where the new one sees them, read-only.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("A machine with systemd needs root on Linux, so its tests CANNOT RUN.")
    program = NSPAWN.require()
    place = Path(tempfile.mkdtemp(prefix="machine-"))
    shown = [f"--bind-ro={folder}:{path}" for folder, path in binds.items()]
    command = [*_BOUND, str(place), program, f"--directory={place}", f"--machine=m{os.getpid()}", *_OPTIONS]
    with tempfile.TemporaryFile() as log:
        process = lifeline.start(
            [*command, *shown, "--boot", "--", "--unit=basic.target"],
            **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log},
        )
        try:
            yield _started(process, log.fileno())
        finally:
            process.terminate()  # nspawn then lets systemd stop everything
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
            process.wait()
            lifeline.ended(process)
            place.rmdir()


def _started(process: subprocess.Popen[bytes], log: int) -> Machine:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(AssertionError, IndexError, psutil.NoSuchProcess):
            found = Machine(psutil.Process(process.pid).children()[0].pid)
            found.run("systemctl is-active basic.target")
            return found
        time.sleep(0.1)
    said = os.pread(log, 4000, 0).decode(errors="replace")
    if (
        process.poll() is not None
    ):  # a container without the rights of a machine, or without systemd's cgroups
        pytest.skip(f"systemd-nspawn ends here, so the tests of a machine CANNOT RUN:\n{said}")
    raise AssertionError(f"The machine did not start:\n{said}")


def _is_apart(process: int) -> bool:
    """Return whether a process has files, processes and a network of its own, so that nothing happens to this machine."""
    with contextlib.suppress(OSError):
        own, its = (Path("/proc", name, "ns") for name in ("self", str(process)))
        return all((own / kind).readlink() != (its / kind).readlink() for kind in ("mnt", "pid", "net"))
    return False
