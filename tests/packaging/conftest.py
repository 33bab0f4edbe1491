"""The wheel that the tests of the package try."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.docs.doc_pages import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder), "--target"]
    subprocess.run([*build, "sdist"], cwd=ROOT, check=True)
    (sdist,) = folder.glob("*.tar.gz")
    # `tarfile` wants its filter named since 3.12, and has none before 3.11.4
    subprocess.run(["tar", "-xzf", str(sdist)], cwd=folder, check=True)
    sources = folder / sdist.name.removesuffix(".tar.gz")
    subprocess.run([*build, "wheel"], cwd=sources, check=True)
    (built,) = folder.glob("*.whl")
    return built
