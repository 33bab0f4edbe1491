"""Test the wheel on the newest Python that pyproject.toml names, in an environment that pip fills from the index.

All other tests run on the Python of .venv. The packages that requirements.txt names have its versions here, too.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent_core import __version__
from tests.packaging.index import install
from tests.packaging.ranges import pinned, pythons
from tests.packaging.readme import check_program
from tests.providers import installed
from tests.tools import newest_python as tool

pytestmark = pytest.mark.timeout(400)  # an index may be slow
USE = """
import sys
from importlib.util import find_spec
import agent_core
from chat_app.command import main
main(["migrate", "sqlite:///agents.db"])
print("%d.%d" % sys.version_info[:2], find_spec("reflex"), agent_core.__file__)
"""


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment that has the wheel, and nothing but what it needs."""
    folder = tmp_path_factory.mktemp("newest")
    subprocess.run([tool.newest_python(), "-m", "venv", str(folder)], check=True)
    constraints = folder / "constraints.txt"
    constraints.write_text(
        "".join(f"{name}=={version}\n" for name, version in pinned("requirements.txt").items())
    )
    # Without building: a package that has no wheel for this Python is said to be missing.
    options = ["--only-binary=:all:", f"--constraint={constraints}"]
    install(str(folder / "bin" / "python"), [*options, str(wheel)])
    return folder / "bin"


def run(command: list[str], folder: Path, **variables: str) -> str:
    environment = {"PATH": "/usr/bin:/bin"} | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def test_the_package_makes_a_database_without_a_warning_and_without_reflex(
    programs: Path, tmp_path: Path
) -> None:
    version, reflex, file = run([str(programs / "python"), "-W", "error", "-c", USE], tmp_path).split()
    assert (version, reflex) == (pythons()[-1], "None")
    assert Path(file).is_relative_to(programs.parent)
    assert (tmp_path / "agents.db").is_file()
    said = run([str(programs / "durable-agents"), "--version"], tmp_path)
    assert said == f"durable-agents {__version__}\n"


async def test_the_readme_s_program_runs(programs: Path, tmp_path: Path) -> None:
    await check_program([str(programs / "python")], tmp_path, {"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("setting", ["", "true"])
def test_a_python_that_is_not_to_be_had_skips_tests_and_fails_them_in_ci(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", setting)
    monkeypatch.setattr(tool, "pythons", lambda: ["3.99"])
    monkeypatch.setattr(tool, "KEYRING", tmp_path / "missing")
    monkeypatch.setattr(installed, "CACHE", tmp_path)
    monkeypatch.setattr(tool, "CACHE", tmp_path)
    with pytest.raises(
        pytest.fail.Exception if setting else pytest.skip.Exception, match="no mirror of Debian"
    ):
        tool.newest_python()
    assert not (tmp_path / "python3.99" / ".installed").exists()
