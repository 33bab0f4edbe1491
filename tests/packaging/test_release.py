"""Test that a version is named in one place, has a section of the changelog, and keeps its database."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date

import pytest

from agent_core import __version__
from chat_app import command
from tests.support.docs.doc_pages import ROOT
from tests.tools import release_database

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
SECTIONS = re.split(r"^## ", CHANGELOG, flags=re.M)[1:]
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)")


def releases() -> list[str]:
    """Return the versions in the changelog, the newest first."""
    found = [RELEASE.fullmatch(section.partition("\n")[0]) for section in SECTIONS[1:]]
    assert all(found), "a section is headed by its version and date"
    return [match[1] for match in found if match is not None and date.fromisoformat(match[2])]


def test_the_changelog_begins_with_what_is_unreleased_and_has_each_release_once() -> None:
    assert SECTIONS[0].startswith("[Unreleased]\n")
    assert releases() == release_database.versions()[::-1], "each release keeps its database"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda text: text.partition("\n")[0])
def test_a_section_groups_its_changes_in_order(section: str) -> None:
    kinds = re.findall(r"^### (.+)$", section, re.M)
    assert kinds == [kind for kind in KINDS if kind in kinds]
    assert kinds or section.startswith("[Unreleased]")


def test_the_version_is_that_of_the_newest_release_or_one_under_way() -> None:
    newest, _, suffix = __version__.partition(".dev")
    assert (newest in releases()) != bool(suffix)


def test_the_version_is_written_in_one_place() -> None:
    files = [
        ROOT / "pyproject.toml",
        *(ROOT / "agent_core").rglob("*.py"),
        *(ROOT / "chat_app").rglob("*.py"),
    ]
    having = [path.name for path in files if f'"{__version__}"' in path.read_text("utf-8")]
    assert having == ["version.py"]


@pytest.mark.parametrize("module", ["agent_core", "chat_app"])
def test_commands_say_the_version(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.split()[-1] == __version__
    with pytest.raises(SystemExit):
        command.main(["--version"])
    assert capsys.readouterr().out == f"durable-agents {__version__}\n"
