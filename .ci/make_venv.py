"""Make the virtual environment in which everything runs: `python .ci/make_venv.py DIRECTORY`.

Standard library only: this is the first thing that runs on a bare machine. Debian and Ubuntu ship
Python without `ensurepip`; there, pip is fetched as the zip application that its authors publish.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
from importlib.util import find_spec
from pathlib import Path

PIP_ZIPAPP = "https://bootstrap.pypa.io/pip/pip.pyz"


def main(directory: Path) -> None:
    """Create `directory` afresh, as a virtual environment that has pip."""
    shutil.rmtree(directory, ignore_errors=True)
    has_ensurepip = find_spec("ensurepip") is not None
    venv.EnvBuilder(with_pip=has_ensurepip, symlinks=sys.platform != "win32").create(directory)
    if not has_ensurepip:
        install_pip(directory / "bin" / "python")


def install_pip(python: Path) -> None:
    """Give the environment of `python` a pip, where this Python brings none."""
    with tempfile.TemporaryDirectory() as temporary:
        zipapp = Path(temporary, "pip.pyz")
        try:
            with urllib.request.urlopen(PIP_ZIPAPP, timeout=60) as answer:
                zipapp.write_bytes(answer.read())
        except urllib.error.URLError as error:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            sys.exit(
                f"This Python has no ensurepip, and pip could not be fetched from {PIP_ZIPAPP} ({error.reason}).\n"
                f"Install it with the system's package manager (Debian, Ubuntu: apt install python{version}-venv) "
                "and run make again."
            )
        subprocess.run([python, zipapp, "install", "--quiet", "pip"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
