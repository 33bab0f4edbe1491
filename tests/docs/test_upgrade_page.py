"""Run the commands of docs/how-to/upgrade.md, in its order, on databases of the first schema and of each release."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_core.store.database.app_database import open_app_database
from agent_core.store.database.migrate import newest_schema, schema_of
from agent_core.store.database.open import opened
from chat_app import __main__
from chat_app.accounts.accounts import open_accounts
from chat_app.database import MIGRATIONS
from chat_app.keys.rows import list_all_keys
from tests.agent_core.store.database import test_migrations
from tests.support.agents import agent_on, finished, texts
from tests.support.docs.doc_pages import ROOT
from tests.tools import release_database

PAGE = (ROOT / "docs" / "how-to" / "upgrade.md").read_text("utf-8")
COMMANDS = [line.split() for line in re.findall(r"^python -m chat_app (.+)$", PAGE, re.M)]
FIRST = "0001"


def schema(url: str) -> str | None:
    with opened(url, "NORMAL") as database, database.reader.connect() as connection:
        return schema_of(connection)


def is_behind(url: str) -> bool:
    """Return whether a start would upgrade the tables of the threads or those of the app."""
    with opened(url, "NORMAL") as database, database.reader.connect() as connection:
        found = schema_of(connection), schema_of(connection, MIGRATIONS)
    return found != (newest_schema(), newest_schema(MIGRATIONS))


def make(start: str, path: Path) -> dict[str, list[str]]:
    """Make the database of the first schema or of a release, and return the texts of its threads."""
    if start != FIRST:
        release_database.unpack(start, path)
        return release_database.SAID
    with opened(f"sqlite:///{path}", "NORMAL") as (engine, *_):
        test_migrations.make(engine, FIRST, test_migrations.ROWS)
    return test_migrations.SAID


@pytest.mark.parametrize("start", [FIRST, *release_database.versions()])
async def test_commands_of_the_page_upgrade_and_roll_back(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CHAT_MODEL", "demo")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "agents.db"
    url = f"sqlite:///{path}"
    said = make(start, path)
    old = schema(url)
    assert [command[0] for command in COMMANDS] == ["backup", "doctor", "migrate", "restore"]
    backup, doctor, migrate, restore = COMMANDS

    __main__.main(backup)
    with pytest.raises(SystemExit) as ended:
        __main__.main(doctor)
    assert ended.value.code == 0, "an older schema is no problem"
    assert (f"The schema is behind: {old}" in capsys.readouterr().out) == is_behind(url)
    assert schema(url) == old
    __main__.main(migrate)
    assert schema(url) == newest_schema()
    async with agent_on(path, release_database.answer, tools=[release_database.look]) as api:
        for thread_id, texts_before in said.items():
            assert await texts(api, thread_id) == texts_before
        await api.send_message("talk", "after the upgrade")
        assert (await finished(api, "talk")).status == "completed"

    monkeypatch.chdir(tmp_path)  # the commands have changed it
    __main__.main(restore)
    assert schema(url) == old
    __main__.main(migrate)
    async with agent_on(path, release_database.answer, tools=[release_database.look]) as api:
        assert await texts(api, "talk") == said["talk"], "as it was at the backup"
    assert len(list((tmp_path / "data").glob("agents.db.before-*"))) == 1


@pytest.mark.parametrize("version", release_database.versions())
async def test_what_a_release_has_stored_goes_on(version: str, tmp_path: Path) -> None:
    path = tmp_path / "agents.db"
    release_database.unpack(version, path)
    url = f"sqlite:///{path}"
    tools = [release_database.look, release_database.pay]
    async with agent_on(path, release_database.answer, tools=tools) as api:
        (call,) = await api.list_waiting()
        await api.approve_tool_calls("waiting", [call.tool_call_id])
        await finished(api, "waiting")
        assert await texts(api, "waiting") == ["pay", "I pay.\n\nDone.", "later", "You said later."]
        (message, _) = await api.list_messages("branches")
        await api.select_branch("branches", message.branches[0])
        assert await texts(api, "branches") == ["first", "You said first."]
        assert [schedule.thread_id for schedule in await api.schedules.list()] == ["reminders"]
        assert await api.shares.read(await api.shares.create("talk")) is not None
        assert [(use.name, use.budget.usd) for use in await api.limits.list_budgets()] == [("ann", 10)]
    async with open_accounts(url) as accounts:
        assert [(person.name, person.role) for person in await accounts.people()] == [("ann", "admin")]
        assert await accounts.sign_in("ann", release_database.PASSWORD, "127.0.0.1", None)
    with open_app_database(url, MIGRATIONS) as database:
        assert [(key.name, key.scope) for key in database.read(list_all_keys)] == [("backup script", "read")]
