"""Test the steps of docs/how-to/sign-in.md: its commands do what the page says, and its settings are read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_app.accounts.accounts import open_accounts
from chat_app.command import main
from chat_app.server.settings import load_settings, read_settings
from tests.support.docs.doc_pages import ROOT

PAGE = (ROOT / "docs" / "how-to" / "sign-in.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)
SETTINGS = [block for block in BLOCKS if block.startswith("CHAT_")]
(COMMANDS,) = [block for block in BLOCKS if block.startswith("durable-agents")]


def settings_in(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, _, value = line.partition("=")
        yield name, value


@pytest.mark.parametrize("block", SETTINGS, ids=lambda block: block.splitlines()[0].partition("=")[0])
def test_the_settings_of_each_way_make_people_sign_in(block: str) -> None:
    assert read_settings(dict(settings_in(block))).sign_in.is_on


async def test_the_commands_invite_change_and_remove_ann(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chat_app.server.home.enter", lambda folder: None)
    monkeypatch.setenv("CHAT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CHAT_SIGN_IN", "local")
    main(["user", "add", "admin", "--role", "admin"])  # whom the first start makes
    printed = []
    for line in COMMANDS.splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "durable-agents"
        capsys.readouterr()
        main(words[1:])
        printed.append(capsys.readouterr().out)
    added, listed, reset, role, signed_out, disabled, enabled, removed = printed
    assert "/link/" in added
    assert "/link/" in reset
    assert "ann    admin" in listed
    assert role == "ann is a member now.\n"
    assert signed_out == "ann is signed out everywhere.\n"
    assert disabled == "ann cannot sign in until they are enabled.\n"
    assert enabled == "ann can sign in again.\n"
    assert "Their chats stay" in removed
    async with open_accounts(load_settings().database_url) as known:
        assert [person.name for person in await known.people()] == ["admin"]
