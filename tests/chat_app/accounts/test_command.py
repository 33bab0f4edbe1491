"""Test `durable-agents user`, and the link of the first administrator."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from chat_app.accounts import command
from chat_app.accounts.accounts import Accounts, open_accounts
from chat_app.accounts.people import disable_person, enable_person
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
    bob = next(person.id for person in await known.people() if person.name == "bob")
    await known.administer(bob, partial(disable_person, now=1.0), None)
    assert run(capsys, "list") == "Ann  admin\nbob  admin  disabled\n"
    await known.administer(bob, enable_person, None)
    assert "cannot sign in any more" in run(capsys, "remove", "ANN")
    assert await known.person_of_link(link_in(run(capsys, "reset", "bob")).rpartition("/")[2]) is not None
    assert run(capsys, "list") == "bob  admin  no password yet\n"


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


def test_what_does_not_fit_is_refused_in_a_sentence(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "add", "ann", "--role", "admin")
    assert "already a person named" in refused("add", "ANN")
    assert "Nobody is named 'bob'" in refused("reset", "bob")
    assert "visible characters" in refused("add", "\x07")
    for arguments in (("remove", "ann"), ("role", "ann", "member")):
        assert "is the only administrator" in refused(*arguments)
    monkeypatch.delenv("CHAT_SIGN_IN")
    assert "Set CHAT_SIGN_IN=local" in refused("list")


async def test_every_start_prints_a_link_until_an_administrator_can_sign_in(settings: Settings) -> None:
    first, second = command.first_link(settings), command.first_link(settings)
    assert first is not None
    assert second is not None
    assert first.startswith("http://localhost:3000/link/")
    async with open_accounts(settings.database_url) as known:
        assert [person.name for person in await known.people()] == ["admin"]
        assert await known.person_of_link(second.rpartition("/")[2]) is not None
        await known.use_link(first.rpartition("/")[2], PASSWORD)
        assert await known.person_of_link(second.rpartition("/")[2]) is None
    assert command.first_link(settings) is None
