"""Make the virtual environment in which everything runs: `python .ci/make_venv.py DIRECTORY`.

Standard library only: this is the first thing that runs on a bare machine. Debian and Ubuntu ship
Python without `ensurepip`; there, pip's wheel is fetched from PyPI and installs itself.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import venv
from importlib.util import find_spec
from pathlib import Path

INDEX = "https://pypi.org/pypi/pip/json"


def main(directory: Path) -> None:
    """Create `directory` afresh, as a virtual environment that has pip."""
    shutil.rmtree(directory, ignore_errors=True)
    has_ensurepip = find_spec("ensurepip") is not None
    venv.EnvBuilder(with_pip=has_ensurepip, symlinks=sys.platform != "win32").create(directory)
    if not has_ensurepip:
        install_pip(directory / "bin" / "python")


def install_pip(python: Path) -> None:
    """Give the environment of `python` a pip, where this Python brings none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            wheel = fetch_pip(Path(folder))
        except (urllib.error.URLError, ValueError) as error:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            sys.exit(
                f"This Python has no ensurepip, and pip could not be fetched from PyPI ({error}).\n"
                f"Install it with the system's package manager (Debian, Ubuntu: apt install python{version}-venv) "
                "and run make again."
            )
        subprocess.run([python, wheel / "pip", "install", "--quiet", "--no-index", wheel], check=True)


def fetch_pip(folder: Path) -> Path:
    """Download pip's newest wheel and return its path.

    Raises:
        URLError: PyPI cannot be reached.
        ValueError: what came is not what PyPI announced.
    """
    with urllib.request.urlopen(INDEX, timeout=60) as answer:
        files = json.load(answer)["urls"]
    announced = next(file for file in files if file["packagetype"] == "bdist_wheel")
    wheel = folder / announced["filename"]
    # A mirror may announce an address relative to its own.
    address = urllib.parse.urljoin(INDEX, announced["url"])
    with urllib.request.urlopen(address, timeout=60) as answer:
        wheel.write_bytes(answer.read())
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != announced["digests"]["sha256"]:
        raise ValueError("its checksum is wrong")
    return wheel


if __name__ == "__main__":
    main(Path(sys.argv[1]))
