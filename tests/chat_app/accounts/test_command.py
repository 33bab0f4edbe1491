"""Test `durable-agents user`, and the link of the first administrator."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chat_app.accounts import command
from chat_app.accounts.accounts import Accounts, open_accounts
from chat_app.accounts.people import token_hash
from chat_app.command import main
from chat_app.server.settings import Settings
from tests.chat_app.accounts.conftest import PASSWORD, link_in


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("chat_app.server.home.enter", lambda folder: None)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(["user", *arguments])
    return capsys.readouterr().out


def refused(*arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["user", *arguments])
    return str(caught.value)


async def test_people_are_invited_listed_changed_and_removed(
    known: Accounts, capsys: pytest.CaptureFixture[str]
) -> None:
    link = link_in(run(capsys, "add", "Ann", "--role", "admin"))
    assert run(capsys, "list") == "Ann  admin  no password yet\n"
    await known.use_link(link.rpartition("/")[2], PASSWORD)
    link = link_in(run(capsys, "add", "bob"))
    assert (await known.person_of_link(link.rpartition("/")[2])).name == "bob"  # type: ignore[union-attr]
    assert run(capsys, "role", "bob", "admin") == "bob is an admin now.\n"
    assert run(capsys, "list") == "Ann  admin\nbob  admin  no password yet\n"
    assert "Nobody but Ann administers the app" in refused("remove", "ANN"), "Bob cannot sign in yet"
    assert run(capsys, "disable", "bob") == "bob cannot sign in until they are enabled.\n"
    assert run(capsys, "list") == "Ann  admin\nbob  admin  disabled\n"
    assert run(capsys, "enable", "bob") == "bob can sign in again.\n"
    link = link_in(run(capsys, "reset", "bob"))
    token = await known.use_link(link.rpartition("/")[2], PASSWORD)
    assert await known.sessions.load(token_hash(token)) is not None
    assert run(capsys, "sign-out", "bob") == "bob is signed out everywhere.\n"
    await known.sessions.refresh()
    assert known.sessions.get(token_hash(token)) is None
    assert "cannot sign in any more" in run(capsys, "remove", "ANN")
    assert run(capsys, "list") == "bob  admin\n"


def test_a_name_that_was_removed_is_free_and_makes_another_person(
    settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(capsys, "add", "admin", "--role", "admin")
    run(capsys, "add", "bob")
    run(capsys, "remove", "bob")
    run(capsys, "add", "bob")
    with closing(sqlite3.connect(tmp_path / "agents.db")) as connection:
        found = connection.execute(
            "select id, removed_at is null from chat_person where name = 'bob'"
        ).fetchall()
    assert len({person_id for person_id, _ in found}) == 2
    assert sorted(is_here for _, is_here in found) == [0, 1]


async def test_command_refuses_what_does_not_fit_in_a_sentence(
    known: Accounts, ann: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "already a person named" in refused("add", "ANN")
    assert "Nobody is named 'bob'" in refused("reset", "bob")
    assert "visible characters" in refused("add", "\x07")
    for arguments in (("remove", "ann"), ("disable", "ann"), ("role", "ann", "member")):
        assert "Nobody but ann administers the app" in refused(*arguments)
    monkeypatch.delenv("CHAT_SIGN_IN")
    assert "Set CHAT_SIGN_IN=local" in refused("list")


async def test_every_start_prints_a_link_until_an_administrator_can_sign_in(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    first = command.first_link(settings)
    run(capsys, "role", "admin", "member")
    run(capsys, "disable", "admin")
    second = command.first_link(settings)
    assert first is not None
    assert second is not None
    assert first.startswith("http://localhost:3000/link/")
    async with open_accounts(settings.database_url) as known:
        assert [person.name for person in await known.people()] == ["admin"]
        assert await known.person_of_link(second.rpartition("/")[2]) is not None
        assert [person.role for person in await known.people()] == ["admin"], (
            "whatever was done to the name before"
        )
        await known.use_link(first.rpartition("/")[2], PASSWORD)
        assert await known.person_of_link(second.rpartition("/")[2]) is None
    assert command.first_link(settings) is None
