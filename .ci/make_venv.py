"""Make the virtual environment in which everything runs: `python .ci/make_venv.py DIRECTORY`.

Standard library only: this is the first thing that runs on a bare machine. Debian and Ubuntu ship
Python without `ensurepip`; there, pip comes from this Python's own pip, else (as root) from apt.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

PACKAGE = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
MISSING = f"""\
This Python can make no virtual environment with pip: it has neither ensurepip nor pip.
Install it with the system's package manager (Debian, Ubuntu: apt install {PACKAGE}) and run make again."""


def main(directory: Path) -> None:
    """Create `directory` afresh, as a virtual environment that has pip."""
    shutil.rmtree(directory, ignore_errors=True)
    if find_spec("ensurepip") is not None:
        venv.EnvBuilder(with_pip=True, symlinks=sys.platform != "win32").create(directory)
    elif find_spec("pip") is not None:
        venv.EnvBuilder(with_pip=False, symlinks=sys.platform != "win32").create(directory)
        inside = ["--python", directory / "bin" / "python", "install", "--quiet", "pip"]
        subprocess.run([sys.executable, "-m", "pip", *inside], check=True)
    elif install_with_apt():
        # In a new process: this one has looked for ensurepip before it was there.
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    else:
        sys.exit(MISSING)


def install_with_apt() -> bool:
    """Install Debian's package with ensurepip, where that can be done without asking anybody."""
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    commands = (["apt-get", "update"], ["apt-get", "install", "--yes", PACKAGE])
    return all(subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0 for command in commands)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
