"""Test agent_core on the oldest packages that pyproject.toml allows; all other tests run on requirements.txt.

The direct dependencies of another version are installed from the index into a folder, which goes before this environment's
packages.
.ci/package lets pip install everything, the oldest and the newest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.packaging.index import install
from tests.packaging.ranges import oldest
from tests.packaging.readme import check_program
from tests.support.docs.doc_pages import ROOT

pytestmark = pytest.mark.timeout(400)  # an index may be slow
PART = [
    "tests/agent_core/http/test_app.py",
    "tests/agent_core/store/database/test_open.py::test_the_migrations_lead_to_the_tables",
    "tests/agent_core/text/test_decoding.py",
    "tests/agent_core/tools/test_arguments.py",
]
"""Tests that use every direct dependency, and that another version of one has failed."""

VERSIONS = """
import json, sys
from importlib.metadata import version
import agent_core, litellm, openai
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a program that imports the oldest packages."""
    folder = tmp_path_factory.mktemp("oldest")
    options = ["--no-deps", "--target", str(folder)]
    older = [f"{name}=={old}" for name, old in oldest().items() if Version(version(name)) != Version(old)]
    install(sys.executable, [*options, *older])
    exact = [
        f"{requirement.name}{requirement.specifier}"
        for found in distributions(path=[str(folder)])
        for requirement in map(Requirement, found.requires or [])
        if requirement.name not in oldest()
        and (requirement.marker is None or requirement.marker.evaluate({"extra": ""}))
        and not requirement.specifier.contains(version(requirement.name))
    ]
    assert [line.partition("=")[0] for line in exact] == ["pydantic-core"]
    install(sys.executable, [*options, *exact])
    return os.environ | {"PYTHONPATH": f"{folder}:{ROOT}"}


def test_the_oldest_packages_are_those_that_are_imported(environment: dict[str, str], tmp_path: Path) -> None:
    names = list(oldest())
    command = [sys.executable, "-c", VERSIONS, *names]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    found = {name: Version(version) for name, version in json.loads(said.stdout).items()}
    assert found == {name: Version(version) for name, version in oldest().items()}


async def test_the_readme_s_program_runs_on_the_oldest_packages(
    environment: dict[str, str], tmp_path: Path
) -> None:
    await check_program([sys.executable], tmp_path, environment)


def test_part_of_the_tests_pass_on_the_oldest_packages(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-k", "not postgresql", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *PART], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert " passed" in done.stdout
